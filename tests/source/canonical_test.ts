import { assertEquals, assertNotEquals } from "../../lib/deps/std_assert.ts";
import { canonicalJson } from "../../lib/source/json_values.ts";

function canonical(text: string): string {
  return canonicalJson(text, JSON.parse(text));
}

Deno.test("canonicalJson() sorts keys by UTF-16 units at every level", () => {
  // U+1F600 is written with surrogates (from D83D), so it comes before U+FF5E.
  assertEquals(
    canonical('{"～":1,"😀":2,"b":{"z":"1","10":"2","7":"3"},"a":[],"B":{}}'),
    '{"B":{},"a":[],"b":{"10":"2","7":"3","z":"1"},"😀":2,"～":1}',
  );
});

Deno.test("canonicalJson() drops white space and writes strings in one way", () => {
  const text = ' { "a" : [ true , null, "\\u0041\\/\\ud800" ] } ';
  assertEquals(canonical(text), '{"a":[true,null,"A/\\ud800"]}');
});

Deno.test("canonicalJson() keeps numbers as they were written", () => {
  const text = '{"a":1.0,"b":[1e400,1234567890123456789,-0],"c":7}';
  assertEquals(canonical(text), text);
  assertNotEquals(canonical('{"a":1}'), canonical('{"a":1.0}'));
});

Deno.test("canonicalJson() keeps __proto__ and constructor", () => {
  assertEquals(
    canonical('{"constructor":"c","__proto__":{"b":"2","a":"1"}}'),
    '{"__proto__":{"a":"1","b":"2"},"constructor":"c"}',
  );
  assertEquals(canonical('{"b":1.0,"__proto__":[2.0]}'), '{"__proto__":[2.0],"b":1.0}');
});
