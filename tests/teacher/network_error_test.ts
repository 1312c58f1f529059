import { assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { errors } from "../../lib/deps/undici.ts";
import { networkError, type Stage } from "../../lib/teacher/interruptions.ts";

function broken(code: string, stage: Stage, message = "it broke") {
  return networkError(Object.assign(new Error(message), { code }), "h:443", stage, undefined);
}

Deno.test("networkError() says whether anything was sent", () => {
  for (const code of ["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]) {
    const { type, isUnreachable } = broken(code, "connecting");
    assertEquals([type, isUnreachable], ["network", true], code);
  }
  for (const stage of ["sent", "answering"] as const) {
    assertEquals(broken("ECONNRESET", stage).isUnreachable, false);
  }
});

Deno.test("networkError() includes the code of the system", () => {
  assertEquals(broken("ECONNREFUSED", "connecting").code, "ECONNREFUSED");
  assertEquals(networkError("odd", "h:443", "sent", undefined).code, undefined);
  const all = new AggregateError([Object.assign(new Error("a"), { code: "ECONNREFUSED" })]);
  assertEquals(networkError(all, "h:443", "connecting", undefined).code, "ECONNREFUSED");
});

Deno.test("networkError() advises --stream once a connection breaks after a long silence", () => {
  const cut = Object.assign(new Error("closed"), { code: "UND_ERR_SOCKET" });
  const noticeAfter = (waitedMs: number, stage: Stage, isStreamed = false) =>
    networkError(cut, "h:443", stage, undefined, { waitedMs, isStreamed }).notice;
  assertMatch(noticeAfter(60_000, "sent")!, /^The connection to h:443 broke .* use --stream/);
  assertMatch(noticeAfter(60_000, "sent", true)!, /connections: lower -c, or raise/);
  assertEquals(noticeAfter(1_000, "sent"), undefined);
  assertEquals(noticeAfter(60_000, "answering"), undefined);
  assertEquals(noticeAfter(60_000, "connecting"), undefined);
});

Deno.test("networkError() says what helps where this machine has no port or descriptor left", () => {
  assertMatch(broken("EINVAL", "connecting").message, /no free port on this machine \(lower -c\)/);
  assertMatch(broken("EMFILE", "connecting").message, /lower -c, or raise ulimit -n/);
});

Deno.test("networkError() recognizes what a retry does not fix: certificates, no TLS", () => {
  const untrusted = [
    broken("CERT_HAS_EXPIRED", "connecting"),
    broken("DEPTH_ZERO_SELF_SIGNED_CERT", "connecting"),
    broken("", "connecting", "invalid peer certificate: UnknownIssuer"),
  ];
  for (const { code, isUnreachable } of untrusted) {
    assertEquals([code, isUnreachable], ["certificate", false]);
  }
  const plain = broken("ERR_SSL_WRONG_VERSION_NUMBER", "connecting");
  assertEquals([plain.code, plain.isUnreachable], ["no_tls", false]);
  assertEquals(
    broken("ERR_SSL_WRONG_VERSION_NUMBER", "answering").code,
    "ERR_SSL_WRONG_VERSION_NUMBER",
  );
});

Deno.test("networkError() says so when it is the proxy that refuses, or the request", () => {
  const refused = new Error("Proxy response (407) !== 200 when HTTP Tunneling");
  const proxied = networkError(refused, "h:443", "connecting", "p:3128");
  assertEquals([proxied.type, proxied.status, proxied.isUnreachable], ["request", 407, false]);
  assertEquals(
    proxied.message,
    "Cannot reach h:443 through the proxy p:3128: the proxy requires other credentials (407)",
  );
  const denied = new Error("Proxy response (403) !== 200 when HTTP Tunneling");
  const { message, isUnreachable } = networkError(denied, "h:443", "connecting", "p:3128");
  assertMatch(message, /through the proxy p:3128: the proxy opens no connection to it \(403\)$/);
  assertEquals(isUnreachable, true);
  const invalid = new errors.InvalidArgumentError("invalid header");
  const unsent = networkError(invalid, "h:443", "connecting", undefined);
  assertEquals([unsent.type, unsent.isUnreachable], ["request", false]);
});

Deno.test("networkError() ignores explicit messages", () => {
  assertEquals(broken("ECONNRESET", "sent").retryable, undefined);
  assertEquals(broken("CERT_HAS_EXPIRED", "connecting").retryable, undefined);
});

Deno.test("networkError() keeps no error that holds the bytes of a server", () => {
  const invalid = new errors.HTTPParserError("Expected HTTP/");
  const error = Object.assign(invalid, { data: "a key, perhaps" });
  assertEquals(networkError(error, "h:443", "sent", undefined).cause, undefined);
});
