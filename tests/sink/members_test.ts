import { assertEquals } from "../../lib/deps/std_assert.ts";
import { topLevelMembers, withoutMembers } from "../../lib/json.ts";

function pairsOf(text: string): [string, string][] {
  return topLevelMembers(text).map(({ name, valueStart, end }) => [
    name,
    text.slice(valueStart, end),
  ]);
}

Deno.test("topLevelMembers() finds every member with its value as written", () => {
  const text = String
    .raw`{"a":1.0, "b" : "x\"}\\", "c":[{"d":"]"},[]] ,"":null,"e":{"f":{"g":"\\\""}}}`;
  assertEquals(pairsOf(text), [
    ["a", "1.0"],
    ["b", String.raw`"x\"}\\"`],
    ["c", '[{"d":"]"},[]]'],
    ["", "null"],
    ["e", String.raw`{"f":{"g":"\\\""}}`],
  ]);
});

Deno.test("topLevelMembers() handles white space and empty objects", () => {
  assertEquals(pairsOf(" { \t} "), []);
  assertEquals(pairsOf("{}"), []);
  assertEquals(pairsOf('\t{ \r"a" :\t-1e400 \r}\r'), [["a", "-1e400"]]);
});

Deno.test("topLevelMembers() returns unescaped names", () => {
  assertEquals(pairsOf(String.raw`{"\u0075id":1,"a\"b":2,"__proto__":3,"7":4}`), [
    ["uid", "1"],
    ['a"b', "2"],
    ["__proto__", "3"],
    ["7", "4"],
  ]);
});

Deno.test("topLevelMembers() agrees with JSON.parse", () => {
  const values = [0, -1.5, true, null, "", '"', "\\", '\\"', "{", "]", ",", [], {}, [[{}]], {
    '"': ["}", { "\\": "\\" }],
  }];
  for (const first of values) {
    for (const second of values) {
      const text = JSON.stringify({ first, second });
      const read = pairsOf(text).map(([name, value]) => [name, JSON.parse(value)]);
      assertEquals(read, [["first", first], ["second", second]]);
    }
  }
});

Deno.test("withoutMembers() keeps every byte of the others", () => {
  const text = '{ "a": 1.0,  "b" :[ 2 ], "c":3 ,"d": "é" }';
  const left = (...names: string[]) => withoutMembers(text, names).text;
  assertEquals(left(), text);
  assertEquals(left("zzz"), text);
  assertEquals(left("a"), '{ "b" :[ 2 ], "c":3 ,"d": "é" }');
  assertEquals(left("b"), '{ "a": 1.0, "c":3 ,"d": "é" }');
  assertEquals(left("b", "c"), '{ "a": 1.0 ,"d": "é" }');
  assertEquals(left("d"), '{ "a": 1.0,  "b" :[ 2 ], "c":3 }');
  assertEquals(left("a", "b", "c", "d"), "{  }");
});

Deno.test("withoutMembers() returns what it removed as written, __proto__ too", () => {
  const { removed } = withoutMembers('{"a":1e400,"__proto__":{"x":1},"a":2.0}', ["a", "__proto__"]);
  assertEquals(Object.entries(removed), [["a", "2.0"], ["__proto__", '{"x":1}']]);
  assertEquals(Object.getPrototypeOf(removed), null);
});
