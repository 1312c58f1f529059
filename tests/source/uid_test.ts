import { assertEquals } from "../../lib/deps/std_assert.ts";
import { type ParsedRow, RowParser } from "../../lib/source/mod.ts";
import { givenUid, RowProblem, uidFieldsOf } from "../../lib/source/parsed_row.ts";

function uidOf(text: string, named: string[] = [], uidFieldLast = false): string | undefined {
  const uid = givenUid(JSON.parse(text), text, uidFieldsOf(named, uidFieldLast));
  return uid instanceof RowProblem ? `bad: ${uid.problem}` : uid;
}

Deno.test("givenUid() reads the named fields, uid, custom_id, id, in this order", () => {
  const row = { B: "5", A: "4", id: "3", custom_id: "2", uid: "1" };
  assertEquals(uidOf(JSON.stringify(row), ["A", "B"]), "4");
  assertEquals(uidOf(JSON.stringify({ ...row, A: null, B: "" }), ["A", "B"]), "1");
  assertEquals(uidOf(JSON.stringify({ ...row, uid: null })), "2");
  assertEquals(uidOf(JSON.stringify({ ...row, uid: "", custom_id: null })), "3");
  assertEquals(uidOf('{"A":[1],"id":"3"}', ["A"])?.slice(0, 8), 'bad: "A"');
});

Deno.test("givenUid() reads the named fields last in a run that an earlier version began", () => {
  const row = { B: "5", A: "4", id: "3", custom_id: "2", uid: "1" };
  assertEquals(uidOf(JSON.stringify(row), ["A", "B"], true), "1");
  assertEquals(uidOf(JSON.stringify({ ...row, uid: null }), ["A", "B"], true), "2");
  const last = { ...row, uid: null, custom_id: null };
  assertEquals(uidOf(JSON.stringify(last), ["A", "B"], true), "3");
  assertEquals(uidOf('{"B":"5","A":"4"}', ["A", "B"]), "4");
  assertEquals(uidOf('{"B":"5","A":null}', ["A", "B"]), "5");
  assertEquals(uidOf('{"B":"5"}'), undefined);
});

Deno.test("givenUid() gives numbers as they were written", () => {
  assertEquals(uidOf('{"id":1}'), uidOf('{"id":"1"}'));
  assertEquals(uidOf('{"id":1.0}'), "1.0");
  assertEquals(uidOf('{"a":"b", "id" : 1234567890123456789 }'), "1234567890123456789");
  assertEquals(uidOf('{"id":1e400,"q":"x"}'), "1e400");
  assertEquals(uidOf('{"id":-0}'), "-0");
  assertEquals(uidOf('{"id":0}'), "0");
});

Deno.test("givenUid() is not misled by other text that looks like the number", () => {
  assertEquals(uidOf('{"meta":{"id":7},"id":7.0}'), "7.0");
  assertEquals(uidOf('{"q":"a\\"id\\":7,","id":7.0}'), "7.0");
  assertEquals(uidOf('{"a\\"id":7,"id":7.0}'), "7.0");
  assertEquals(uidOf('{"meta":{"id":7},"\\u0069d":7.0}'), "7.0");
  assertEquals(uidOf('{"\\u0069d":7.0,"q":"id"}'), "7.0");
  assertEquals(uidOf('{"id":7,"id":7.0}'), "7.0");
  assertEquals(uidOf('{"a.b":1.50}', ["a.b"]), "1.50");
});

Deno.test("givenUid() takes __proto__ and constructor as ids and as fields", () => {
  assertEquals(uidOf('{"id":"__proto__"}'), "__proto__");
  assertEquals(uidOf('{"id":"constructor"}'), "constructor");
  assertEquals(uidOf('{"q":"x"}', ["constructor", "__proto__", "toString"]), undefined);
  assertEquals(uidOf('{"__proto__":"p"}', ["__proto__"]), "p");
  assertEquals(uidOf('{"__proto__":{"id":"inherited"}}'), undefined);
  assertEquals(uidOf('{"__proto__":2.0}', ["__proto__"]), "2.0");
});

Deno.test("givenUid() refuses other types and skips the empty string", () => {
  assertEquals(
    uidOf('{"uid":true,"id":"a"}'),
    'bad: "uid" must be a string or a number: current value is true',
  );
  assertEquals(
    uidOf('{"id":{"$oid":"1"}}'),
    'bad: "id" must be a string or a number: current value is an object',
  );
  assertEquals(uidOf('{"custom_id":"","id":0}'), "0");
  assertEquals(uidOf('{"custom_id":""}'), undefined);
});

Deno.test("givenUid() keeps a lone surrogate", () => {
  assertEquals(uidOf('{"id":"\\ud800"}'), "\ud800");
});

Deno.test("The uid of a row without one is the same for two notations of the row", () => {
  const uid = (text: string) => (new RowParser().parse(text) as ParsedRow).uid;
  assertEquals(uid('{"prompt":"1","b":1.0}'), uid('{ "b":1.0, "prompt":"\\u0031" }'));
  assertEquals(uid('{"prompt":"1"}').length, 32);
});
