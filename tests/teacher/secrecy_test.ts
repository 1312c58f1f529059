import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { parseAddress } from "../../lib/teacher/network.ts";
import { openaiCompatible } from "../../lib/teacher/openai_compatible.ts";
import { secretsOf } from "../../lib/teacher/secrets.ts";
import type { ResolvedTeacherOptions } from "../../lib/teacher/teacher_options.ts";
import { errorAnswer, type LedgerHandler, serveLedger } from "../support/ledger_server.ts";
import { ask, failure, pair, stream } from "./pair.ts";

const KEY = "sk-very-secret-0123456789";
const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

Deno.test("the key is shown nowhere, even if the teacher quotes it", async () => {
  const quotes: LedgerHandler[] = [
    () => errorAnswer(401, `Incorrect API key provided: ${KEY}`),
    () => new Response("x".repeat(285) + KEY, { status: 500 }),
    () => new Response(null, { status: 302, headers: { location: `/x?a=${KEY}` } }),
    () => new Response(`not JSON: ${KEY}`),
    () => Response.json({ error: { message: KEY, code: 429 } }),
    () => stream([`data: {"error":{"message":"${KEY}"}}\n\n`]),
    () => stream([`data: ${KEY}\n\n`]),
    () => errorAnswer(401, `The upstream said {"key":"\\u0073${KEY.slice(1)}"}`),
    () => new Response(`<p>?key=${KEY.replaceAll("-", "%2d")}</p>`, { status: 502 }),
    () => new Response(`<p>key=${KEY.replaceAll("-", "&#45;")}</p>`, { status: 502 }),
  ];
  await using it = pair((request) => quotes[request.n - 1](request), { apiKey: KEY });
  for (const _ of quotes) {
    const shown = Deno.inspect(await failure(ask(it.teacher)), { depth: 10 });
    assert(!shown.includes(KEY.slice(0, 10)), shown);
    assert(!shown.includes(KEY.slice(-10)), shown);
  }
  assertEquals(it.server.posts, quotes.length);
  assert(!Deno.inspect(it.teacher, { depth: 10 }).includes(KEY));
  const preview = JSON.stringify(it.teacher.preview?.({ uid: "1", messages: [], params: {} }));
  assert(!preview.includes(KEY));
  const refused = assertThrows(
    () => openaiCompatible({ model: "m", apiKey: `${KEY}\n` }),
    TypeError,
  );
  assert(!refused.message.includes(KEY));
});

Deno.test("the password of a proxy is a secret, or else its user name", () => {
  const options = { headers: {}, secrets: [] } as unknown as ResolvedTeacherOptions;
  const secrets = (proxy: string) =>
    secretsOf(options, parseAddress("http://teacher.invalid/v1"), [], new URL(proxy));
  assertEquals(secrets("http://me:p%40ss@proxy.invalid"), ["p@ss", "p%40ss"]);
  assertEquals(secrets("http://t%40ken@proxy.invalid"), ["t@ken", "t%40ken"]);
});

Deno.test("credentials in the address become basic authorization, unless there is a key", async () => {
  await using server = serveLedger();
  const baseUrl = server.url.replace("//", "//me:p%40ss@");
  for (const apiKey of [undefined, KEY]) {
    const teacher = openaiCompatible({ model: "m", baseUrl, apiKey });
    assertEquals(teacher.address, server.url);
    await ask(teacher);
    await teacher.close?.();
  }
  assertEquals(server.requests.map((request) => request.headers.get("authorization")), [
    `Basic ${btoa("me:p@ss")}`,
    `Bearer ${KEY}`,
  ]);
});

Deno.test("given headers replace ours and stay secret if they look like secrets", async () => {
  await using it = pair(undefined, {
    headers: { "api-key": "azure-secret", "X-Title": "mine", "User-Agent": "me" },
  });
  await ask(it.teacher);
  const { headers } = it.server.requests[0];
  assertEquals([headers.get("api-key"), headers.get("user-agent")], ["azure-secret", "me"]);
  const preview = it.teacher.preview?.({ uid: "1", messages: [], params: {} }) as {
    headers: Record<string, string>;
  };
  assertEquals([preview.headers["api-key"], preview.headers["x-title"]], ["[redacted]", "mine"]);
});

Deno.test("preview() shows the request as it would be sent", () => {
  const teacher = openaiCompatible({
    model: "m",
    apiKey: KEY,
    baseUrl: "https://h.example/v1/?api-version=1&key=abcd",
  });
  const messages = [{ role: "user", content: "hi" }];
  const preview = teacher.preview?.({ uid: "1", messages, params: { temperature: raw("1.0") } });
  const text = JSON.stringify(preview);
  assertStringIncludes(text, '"method":"POST"');
  assertStringIncludes(
    text,
    '"url":"https://h.example/v1/chat/completions?api-version=1&key=[redacted]"',
  );
  assertStringIncludes(text, '"authorization":"Bearer [redacted]"');
  assertStringIncludes(
    text,
    '"body":{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":1.0}',
  );
});
