import { assert, assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import {
  checkBaseUrl,
  isLoopback,
  parseAddress,
  redactAddress,
} from "../../lib/teacher/network.ts";

Deno.test("parseAddress() adds the path of the completions and keeps the query", () => {
  assertEquals(
    parseAddress("http://localhost:8000/v1/", "/chat/completions").path,
    "/v1/chat/completions",
  );
  assertEquals(
    parseAddress("http://localhost:8000", "/chat/completions").path,
    "/chat/completions",
  );
  assertEquals(
    parseAddress("https://x.example/openai/?api-version=2024-10-21", "/chat/completions").path,
    "/openai/chat/completions?api-version=2024-10-21",
  );
});

Deno.test("parseAddress() removes credentials from the shown address", () => {
  const address = parseAddress(
    "https://me:p%40ss@x.example/v1?key=abcd&api-version=2",
    "/chat/completions",
  );
  assertEquals(address.credentials, "me:p@ss");
  assertEquals(address.shownBaseUrl, "https://x.example/v1?key=[redacted]&api-version=2");
  assertEquals(
    address.shownRequestUrl,
    "https://x.example/v1/chat/completions?key=[redacted]&api-version=2",
  );
  assertEquals([...address.secrets].sort(), ["abcd", "p%40ss", "p@ss"]);
  assertEquals(address.host, "x.example:443");
  assertEquals(address.isVersioned, true);
});

Deno.test("redactAddress() removes secrets from any text", () => {
  assertEquals(redactAddress("https://user:pass@h.example/v1"), "https://h.example/v1");
  assertEquals(redactAddress("http://h.example"), "http://h.example");
  assertEquals(
    redactAddress("http://h:1/v1?access_token=x&b=1"),
    "http://h:1/v1?access_token=[redacted]&b=1",
  );
  // Servers decode names.
  assertEquals(redactAddress("http://h/v1?%6bey=x"), "http://h/v1?%6bey=[redacted]");
  assertEquals(
    parseAddress("http://h/v1?%zz%6b%65y=x").shownBaseUrl,
    "http://h/v1?%zz%6b%65y=[redacted]",
  );
  assertEquals(redactAddress("user:p/a@ss@h.example/v1"), "h.example/v1");
  assertEquals(redactAddress("ftp://user:pass@h.example"), "ftp://h.example");
  assertEquals(redactAddress("/relative?sig=abc"), "/relative?sig=[redacted]");
});

Deno.test("checkBaseUrl() says what would be correct, and shows no password", () => {
  for (const junk of ["", "nonsense", "localhost:8000/v1", "ftp://u:secret@h/v1", "u:secret@h"]) {
    const error = assertThrows(() => checkBaseUrl(junk), TypeError, "it must be a URL such as");
    assert(!error.message.includes("secret"));
  }
  assertThrows(
    () => checkBaseUrl("http://h/v1/chat/completions"),
    TypeError,
    'leave out "/chat/completions"',
  );
});

Deno.test("isLoopback() recognizes this machine", () => {
  const hosts = ["localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "[::1]"];
  for (const host of hosts) assert(isLoopback(host), host);
  assert(isLoopback(new URL("http://[::ffff:127.0.0.1]").hostname));
  for (const host of ["api.openai.com", "10.0.0.1", "1270.example", "localhost.example"]) {
    assert(!isLoopback(host), host);
  }
});
