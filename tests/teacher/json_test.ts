import { assertEquals } from "../../lib/deps/std_assert.ts";
import { asCount } from "../../lib/json.ts";
import { parseJson, textAt } from "../../lib/teacher/json.ts";

Deno.test("parseJson() reads numbers that JSON does not have as null", () => {
  const words = ["NaN", "-NaN", "Infinity", "-Infinity", "nan", "-nan(ind)", "inf", "-inf", "+inf"];
  for (const word of words) {
    const text = `{"a":[1,${word},{"b":${word}}], "c": ${word} ,"d":"${word}, \\"${word}"}`;
    const expected = { a: [1, null, { b: null }], c: null, d: `${word}, "${word}` };
    assertEquals(parseJson(text), expected, word);
  }
});

Deno.test("parseJson() reads strings with control characters in them", () => {
  assertEquals(parseJson('{"a":"b\n\tc\\n\\\\","NaN":1}'), { a: "b\n\tc\n\\", NaN: 1 });
});

Deno.test("parseJson() accepts nothing else as JSON", () => {
  for (const text of ["", "NaN?", "<html>", '{"a":NaNa}', '{"a":', "{'a':NaN}"]) {
    assertEquals(parseJson(text), undefined, text);
  }
});

Deno.test("asCount() accepts plausible counts, and rounds", () => {
  assertEquals([7, 0, 6.7].map(asCount), [7, 0, 7]);
  for (const value of [1e30, -1, NaN, Infinity, "7", null, {}]) {
    assertEquals(asCount(value), undefined);
  }
});

Deno.test("textAt() returns a value as it was written", () => {
  const text =
    ' {"a" : [ {"b":1}, {"x":"}]","b" : {"n": 1.0, "m":12345678901234567890 }} ], "b":2}';
  const of = (...path: (string | number)[]) => textAt({ text, path });
  assertEquals(of("a", 1, "b"), '{"n": 1.0, "m":12345678901234567890 }');
  assertEquals(of("a", 1, "b", "m"), "12345678901234567890");
  assertEquals(of("a", 1, "x"), '"}]"');
  assertEquals(of("a", 0), '{"b":1}');
  assertEquals(of("b"), "2");
  assertEquals(textAt({ text: '{"c\n":1,"d":2}', path: ["d"] }), "2", "a name that JSON forbids");
  assertEquals([of("c"), of("a", 2), of("b", 0), of("a", "b")], Array(4).fill(undefined));
  assertEquals(textAt({ text: '{"a":1,"\\u0061":[2,NaN]}', path: ["a"] }), "[2,null]");
});

Deno.test("textAt() works at any depth", () => {
  const deep = `${"[".repeat(50_000)}1${"]".repeat(50_000)}`;
  assertEquals(textAt({ text: `{"a":${deep},"b":2}`, path: ["a"] }) === deep, true);
});
