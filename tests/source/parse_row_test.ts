import { assert, assertEquals, assertNotEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { sha256Hex, xxHash64Hex } from "../../lib/hash.ts";
import { ParsedRow } from "../../lib/source/parsed_row.ts";
import { RowParser, type RowParserOptions } from "../../lib/source/parse_row.ts";

function good(text: string, options: RowParserOptions = {}): ParsedRow {
  const parsed = new RowParser(options).parse(text);
  if (parsed instanceof ParsedRow) return parsed;
  throw new Error(parsed.problem);
}

function problemOf(text: string): string {
  const parsed = new RowParser().parse(text);
  return "problem" in parsed ? parsed.problem : "none";
}

Deno.test("parse() keeps the row's text to the byte", () => {
  const text = '{"prompt":"p", "a":1.0,"b":1e400,"c":1234567890123456789,"7":[ ],' +
    '"__proto__":{"x":2},"constructor":null,"s":"\\ud800\\u0041","a":-0}';
  assertEquals(good(text).text, text);
  assertEquals(good(` \t${text}\r`).text, text);
});

Deno.test("parse() gives a bare array the text of an object", () => {
  assertEquals(
    good(' [{"role":"user","content":"q"}] ').text,
    '{"messages":[{"role":"user","content":"q"}]}',
  );
});

Deno.test("parse() uses a row's hash as its uid when it has none", () => {
  const text = '{"b":1.0,"prompt":"p"}';
  const hash = sha256Hex(text);
  const row = good(' { "prompt" : "\\u0070", "b":1.0 } ');
  assertEquals(row.uid, hash.slice(0, 32));
  assertEquals(row.contentHash, hash.slice(0, 16));
  assertNotEquals(good('{"prompt":"p","b":1}').uid, row.uid);
});

Deno.test("parse() derives a uid only from the row", () => {
  const text = '{"prompt":"p","text":"t"}';
  const { uid } = good(text);
  for (
    const options of [
      { system: "s" },
      { template: "{{text}}" },
      { promptField: "text" },
      { uidField: ["absent"] },
      { runParams: { temperature: 1 } },
    ]
  ) assertEquals(good(text, options).uid, uid);
});

Deno.test("parse() distinguishes rows with the same uid by contentHash", () => {
  const row = good('{"id":1,"prompt":"p","n":1.0}');
  assertEquals(row.uid, "1");
  assertEquals(row.contentHash, xxHash64Hex('{"id":1,"n":1.0,"prompt":"p"}'));
  assertEquals(good('{"n":1.0, "prompt":"p","id":1}').contentHash, row.contentHash);
  assertNotEquals(good('{"id":1,"prompt":"p","n":1}').contentHash, row.contentHash);
});

Deno.test("parse() gives a bare array only its hash", () => {
  const text = '[{"content":"q","role":"user"}]';
  assertEquals(good(text, { uidField: ["0", "length"] }).uid, sha256Hex(text).slice(0, 32));
});

Deno.test("parse() takes the uid from the named field and refuses a wrong one", () => {
  assertEquals(good('{"key":7,"prompt":"p"}', { uidField: ["key"] }).uid, "7");
  assertEquals(
    problemOf('{"id":[],"prompt":"p"}'),
    '"id" must be a string or a number: current value is an empty array',
  );
});

Deno.test("promptHash covers the messages and the row's parameters as sent", () => {
  const messages = '[{"role":"user","content":"p"}]';
  assertEquals(good('{"prompt":"p"}').promptHash, xxHash64Hex(`${messages}\n`));
  assertEquals(
    good('{"prompt":"p","params":{"t":1.0}}').promptHash,
    xxHash64Hex(`${messages}\n{"t":1.0}`),
  );
  const { promptHash } = good('{"id":1,"prompt":"p"}');
  assertEquals(good('{"id":2,"question":"p","x":1}').promptHash, promptHash);
  assertNotEquals(good('{"prompt":"p"}', { system: "s" }).promptHash, promptHash);
});

Deno.test("parse() sends numbers in messages as they were written", () => {
  const messages = '[{"role":"user","content":[{"type":"text","text":"q","x":1.0}],"y":1e400}]';
  assertEquals(JSON.stringify(good(`{"messages":${messages}}`).messages), messages);
  assertEquals(JSON.stringify(good(messages).messages), messages);
});

Deno.test("parse() fills a template with numbers as written with parameters", () => {
  const row = good('{"n":1.0,"params":{"t":2.0}}', { template: "n={{n}}" });
  assertEquals(row.messages, [{ role: "user", content: "n=1.0" }]);
});

Deno.test("parse() names the fields that Retort writes, too", () => {
  assertEquals(good('{"prompt":"p"}').clashes, []);
  assertEquals(good('{"prompt":"p"}').clashes, good('{"question":"q"}').clashes);
  assertEquals(
    good('{"error":null,"prompt":"p","uid":"a","response":"r"}').clashes,
    ["uid", "response", "error"],
  );
  assert(Object.isFrozen(good('{"prompt":"p"}').clashes));
});

Deno.test("parse() says why a line is not a row", () => {
  assertEquals(
    problemOf('{"prompt" "p"}'),
    "not JSON: Expected ':' after property name in JSON at position 10",
  );
  assertEquals(problemOf(""), "not JSON: Unexpected end of JSON input");
  assertEquals(problemOf("3"), "must be an object or an array: current value is 3");
  assertEquals(problemOf("null"), "must be an object or an array: current value is null");
  assertEquals(
    problemOf(`"${"x".repeat(100)}"`),
    `must be an object or an array: current value is "${"x".repeat(40)}"…`,
  );
});

Deno.test("parse() refuses a row that is nested too deeply", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const problem = "nested too deeply: the limit is 1000 levels";
  assertEquals(problemOf(nested(100_000)), problem);
  assertEquals(problemOf(`{"id":1,"prompt":"p","x":${nested(100_000)}}`), problem);
  assertEquals(problemOf(`{"id":1,"prompt":"p","x":${nested(1_000)}}`), problem);
  assertEquals(problemOf('{"a":'.repeat(100_000) + "1" + "}".repeat(100_000)), problem);
  const deep = good(`{"id":1,"prompt":"p","n":1.0,"x":${nested(999)}}`);
  assertEquals(deep.contentHash.length, 16);
});

Deno.test("parse() takes the last of two equal keys", () => {
  const row = good('{"prompt":"a","id":"1","prompt":"b","id":"2"}');
  assertEquals([row.uid, row.messages], ["2", [{ role: "user", content: "b" }]]);
});

Deno.test("parse() sends a lone surrogate escape on as it was", () => {
  const row = good('{"id":"\\udfff","prompt":"\\ud800!"}');
  assertEquals(JSON.stringify(row.messages), '[{"role":"user","content":"\\ud800!"}]');
  assertEquals(row.uid, "\udfff");
  assertNotEquals(row.promptHash, good('{"prompt":"\\ud801!"}').promptHash);
});

Deno.test("new RowParser() refuses a malformed template", () => {
  assertThrows(() => new RowParser({ template: "{{q" }), RangeError);
});
