import { assertEquals, assertStringIncludes, assertThrows } from "../../lib/deps/std_assert.ts";
import { checkParams } from "../../lib/teacher/teacher_options.ts";

const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

Deno.test("checkParams() passes on what it need not change", () => {
  const params = { temperature: 0.6, n: 1 };
  const checked = checkParams(params);
  assertEquals(checked.params === params, true);
  assertEquals(checked.notices, []);
});

Deno.test("checkParams() flattens extra_body with a notice", () => {
  const { params, notices } = checkParams({ top_k: 1, seed: 2, extra_body: { top_k: 20 } });
  assertEquals(params, { top_k: 20, seed: 2 });
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0], '"top_k"');
  assertEquals(checkParams({ extra_body: null }), { params: {}, notices: [] });
  assertThrows(() => checkParams({ extra_body: 3 }), TypeError, "must be an object");
});

Deno.test("checkParams() refuses more than one answer a row", () => {
  const message = 'the parameter "n" with the value ';
  assertThrows(() => checkParams({ n: 4 }), RangeError, message);
  assertThrows(() => checkParams({ n: raw("2.0") }), RangeError, message);
  assertThrows(() => checkParams({ n: "4" }), RangeError, `${message}"4"`);
  assertThrows(() => checkParams({ extra_body: { n: 2 } }), RangeError, message);
});

Deno.test("checkParams() refuses what Retort sets itself", () => {
  assertThrows(() => checkParams({ stream: true }), TypeError, "--stream");
  assertThrows(() => checkParams({ messages: [] }), TypeError, '"messages"');
});

Deno.test("checkParams() refuses what JSON cannot hold, anywhere inside", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const wrong = [NaN, Infinity, 10n, () => 1, Symbol("s"), new Map([["a", 1]]), new Set(), circle];
  for (const value of wrong) {
    for (const seed of [value, { inner: [value] }]) {
      assertThrows(() => checkParams({ seed }), TypeError, 'the parameter "seed" as JSON: ');
    }
  }
  const fine = { stop: undefined, at: new Date(0), seed: raw("12345678901234567890"), user: null };
  assertEquals(checkParams(fine).params, fine);
});

Deno.test("checkParams() refuses credentials without showing them", () => {
  const cases: [params: Record<string, unknown>, name: string][] = [
    [{ api_key: "sk-secret" }, "api_key"],
    [{ temperature: 1, Authorization: "Bearer sk-secret" }, "Authorization"],
    [{ extra_body: { token: "sk-secret" } }, "extra_body.token"],
    [{ extra_headers: { "X-Auth-Token": "sk-secret" } }, "extra_headers.X-Auth-Token"],
  ];
  for (const [params, name] of cases) {
    const { message } = assertThrows(() => checkParams(params), TypeError);
    assertStringIncludes(message, `Cannot send the parameter "${name}": `);
    assertEquals(message.includes("sk-secret"), false);
  }
});
