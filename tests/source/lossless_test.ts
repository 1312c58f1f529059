import { assert, assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { holdsNumber, isRawJson, parseLossless } from "../../lib/source/json_values.ts";

function roundTrip(text: string): string {
  return JSON.stringify(parseLossless(text));
}

Deno.test("parseLossless() keeps numbers as they were written", () => {
  const text = '{"a":1.0,"b":1e400,"c":-0,"d":1234567890123456789,"e":[0.10,{"f":1E5}]}';
  assertEquals(roundTrip(text), text);
});

Deno.test("parseLossless() does not wrap numbers that JavaScript writes in the same way", () => {
  assertEquals(parseLossless('{"a":1,"b":0.5,"c":1e+21}'), { a: 1, b: 0.5, c: 1e21 });
});

Deno.test("parseLossless() keeps __proto__ and constructor as the object's own", () => {
  const text = '{"__proto__":{"x":1.0},"constructor":2.0,"lone":"\\ud800"}';
  const value = parseLossless(text) as object;
  assert(Object.hasOwn(value, "__proto__"));
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
  assertEquals(JSON.stringify(value), text);
});

Deno.test("parseLossless() takes the last of two equal keys, as JSON.parse does", () => {
  assertEquals(roundTrip('{"a":1.0,"a":1}'), '{"a":1}');
  assertEquals(roundTrip('{"a":1,"a":1.0}'), '{"a":1.0}');
  assertEquals(roundTrip('{"a":[1.0],"a":{"b":2.0}}'), '{"a":{"b":2.0}}');
});

Deno.test("parseLossless() throws where JSON.parse throws", () => {
  assertThrows(() => parseLossless("{"), SyntaxError);
});

Deno.test("isRawJson() recognizes values of parseLossless()", () => {
  assert(isRawJson(parseLossless("1.0")));
  assert(!isRawJson({ rawJSON: "1.0" }));
});

Deno.test("holdsNumber() finds a number at any depth", () => {
  assert(holdsNumber(JSON.parse('{"a":[{"__proto__":{"b":[0]}}]}')));
  assert(holdsNumber(NaN));
  assert(!holdsNumber({ a: ["1", null, true, {}], b: undefined }));
});
