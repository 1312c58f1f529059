import {
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { SinkError, UsageError } from "../../lib/errors.ts";
import { resolveOptions } from "../../lib/run/resolve_options.ts";
import {
  checkSameIdentity,
  type Identity,
  identityOf,
  jsonId,
  readRunFile,
  type RunFile,
  writeRunFile,
} from "../../lib/run/run_file.ts";
import { parseLossless } from "../../lib/source/json_values.ts";
import type { Params } from "../../lib/teacher/teacher.ts";
import { tempDir } from "../support/temp.ts";

const PLAIN = { model: "m", params: {}, finalMessages: false, think: "wrap" } as const;

function exact(text: string): Params {
  return parseLossless(text) as Params;
}

function runFile(params: Params): RunFile {
  return {
    retort: "0.1.0",
    input: "a.jsonl",
    identity: identityOf({ ...PLAIN, params }),
    rows: { duplicates: "merge", mixedShapes: false },
    teacher: "http://127.0.0.1/v1",
    params: { [jsonId(params)]: params },
    summary: null,
  };
}

Deno.test("identityOf() uses null for unset options", () => {
  assertEquals(identityOf(PLAIN), {
    model: "m",
    params: {},
    json_schema: null,
    system: null,
    template: null,
    prompt_field: null,
    uid_field: [],
    think: null,
    shards: null,
  });
});

Deno.test("identityOf() includes everything that changes the answers or the rows", () => {
  const identity = identityOf({
    model: "m",
    params: { temperature: 1 },
    jsonSchema: { type: "object" },
    system: "Be brief",
    template: "{{q}}",
    promptField: "q",
    uidField: ["a", "b"],
    finalMessages: true,
    think: "drop",
    shards: 16,
  });
  assertEquals(identity, {
    model: "m",
    params: { temperature: 1 },
    json_schema: jsonId({ type: "object" }),
    system: "Be brief",
    template: "{{q}}",
    prompt_field: "q",
    uid_field: ["a", "b"],
    think: "drop",
    shards: 16,
  });
});

Deno.test("jsonId() is 8 hex digits that do not depend on the order of names", () => {
  const id = jsonId({ a: 1, b: { d: [1, { y: 1, x: 2 }], c: 2 } });
  assertMatch(id, /^[0-9a-f]{8}$/);
  assertEquals(jsonId({ b: { c: 2, d: [1, { x: 2, y: 1 }] }, a: 1 }), id);
});

Deno.test("jsonId() distinguishes parameter sets", () => {
  const sets = [
    "{}",
    '{"a":1}',
    '{"a":"1"}',
    '{"a":[1,2]}',
    '{"a":[2,1]}',
    '{"a":null}',
    '{"__proto__":1}',
    '{"seed":9007199254740992}',
    '{"seed":9007199254740993}',
  ];
  const ids = sets.map((text) => jsonId(exact(text)));
  assertEquals(new Set(ids).size, sets.length);
});

Deno.test("writeRunFile() writes what readRunFile() reads, numbers as they were typed", async () => {
  await using dir = await tempDir();
  const params = exact('{"temperature":1.0,"seed":9007199254740993}');
  const file = runFile(params);
  await writeRunFile(dir.path("a.run.json"), file);
  const text = await dir.read("a.run.json");
  assertStringIncludes(text, '"temperature": 1.0');
  assertStringIncludes(text, '"seed": 9007199254740993');
  assertEquals(text.endsWith("}\n"), true);
  const read = await readRunFile(dir.path("a.run.json"));
  assertEquals(read?.identity.model, "m");
  assertEquals(read?.summary, null);
  checkSameIdentity("a.jsonl", read!.identity, file.identity);
});

Deno.test("writeRunFile() leaves no other file behind", async () => {
  await using dir = await tempDir();
  await writeRunFile(dir.path("a.run.json"), runFile({}));
  await writeRunFile(dir.path("a.run.json"), runFile({ a: 1 }));
  const names = Array.from(Deno.readDirSync(dir.root), ({ name }) => name);
  assertEquals(names, ["a.run.json"]);
});

Deno.test("readRunFile() returns undefined if there is no file", async () => {
  await using dir = await tempDir();
  assertEquals(await readRunFile(dir.path("a.run.json")), undefined);
});

for (const content of ["", "{", "null", "[]", "7", '{"identity":{}}', '{"identity":{"model":3}}']) {
  Deno.test(`readRunFile() refuses ${content === "" ? "an empty file" : content}`, async () => {
    await using dir = await tempDir();
    const path = await dir.write("a.run.json", content);
    const error = await assertRejects(() => readRunFile(path), UsageError);
    assertStringIncludes(error.message, path);
    assertStringIncludes(error.message, "Move it away");
  });
}

Deno.test("readRunFile() says that a file cannot be read", async () => {
  await using dir = await tempDir();
  const error = await assertRejects(() => readRunFile(dir.root), SinkError);
  assertEquals(error.path, dir.root);
});

for (
  const [name, before, now] of [
    ["model", "a", "b"],
    ["params", { temperature: 0.5 }, { temperature: 0.6 }],
    ["params", {}, { temperature: 0.6 }],
    ["params", { temperature: 0.5 }, {}],
    ["params", { a: [1, 2] }, { a: [2, 1] }],
    ["json_schema", "0123abcd", "4567cdef"],
    ["json_schema", null, "4567cdef"],
    ["json_schema", "0123abcd", null],
    ["system", null, "Be brief"],
    ["template", "{{q}}", null],
    ["prompt_field", "a", "b"],
    ["uid_field", ["a", "b"], ["b", "a"]],
    ["think", null, "wrap"],
    ["think", "wrap", "drop"],
  ] as [keyof Identity, unknown, unknown][]
) {
  Deno.test(`checkSameIdentity() refuses another ${name}: ${JSON.stringify([before, now])}`, () => {
    const identity = identityOf(PLAIN);
    const error = assertThrows(
      () =>
        checkSameIdentity(
          'Cannot continue "out/a.jsonl": its answers were',
          { ...identity, [name]: before },
          { ...identity, [name]: now },
        ),
      UsageError,
    );
    const difference = `  ${name}: ${JSON.stringify(before)} before, ${JSON.stringify(now)} now`;
    assertEquals(error.message.split("\n").length, 3);
    assertEquals(error.message.split("\n")[1], difference);
    assertStringIncludes(error.message, '"out/a.jsonl"');
    assertStringIncludes(error.message, "--allow-mixed");
  });
}

Deno.test("checkSameIdentity() names every difference", () => {
  const before = identityOf(PLAIN);
  const now = identityOf({ ...PLAIN, model: "n", system: "s", params: { a: 1 } });
  const error = assertThrows(() => checkSameIdentity("x", before, now), UsageError);
  for (const name of ["model", "system", "params"]) {
    assertMatch(error.message, new RegExp(`^  ${name}: `, "m"));
  }
});

Deno.test("checkSameIdentity() compares numbers by value and objects by content", () => {
  const before = identityOf({ ...PLAIN, params: exact('{"b":{"x":1,"y":2},"temperature":1}') });
  const now = identityOf({ ...PLAIN, params: exact('{"temperature":1.0,"b":{"y":2.00,"x":1}}') });
  checkSameIdentity("x", before, now);
});

Deno.test("checkSameIdentity() lets a retry change parameters and the schema, and nothing else", () => {
  const before = identityOf(PLAIN);
  const retry = { retry: true };
  checkSameIdentity("x", before, identityOf({ ...PLAIN, params: { max_tokens: 9 } }), retry);
  checkSameIdentity("x", before, identityOf({ ...PLAIN, jsonSchema: { type: "array" } }), retry);
  const other = identityOf({ ...PLAIN, model: "n", params: { max_tokens: 9 } });
  const error = assertThrows(() => checkSameIdentity("x", before, other, retry), UsageError);
  assertNotEquals(error.message.includes("params"), true);
});

Deno.test("checkSameIdentity() treats what an older file does not mention as unset", () => {
  const { think: _think, ...before } = identityOf(PLAIN);
  checkSameIdentity("x", before as Identity, identityOf(PLAIN));
});

Deno.test("checkSameIdentity() does not compare the schema with a file from before it was written", () => {
  const { json_schema: _schema, ...before } = identityOf(PLAIN);
  checkSameIdentity("x", before as Identity, identityOf({ ...PLAIN, jsonSchema: true }));
});

Deno.test("checkSameIdentity() distinguishes two seeds of 16 digits", () => {
  const before = identityOf({ ...PLAIN, params: exact('{"seed":9007199254740992}') });
  const now = identityOf({ ...PLAIN, params: exact('{"seed":9007199254740993}') });
  assertThrows(() => checkSameIdentity("x", before, now), UsageError);
});

Deno.test("readRunFile() keeps the numbers of older parameter sets as they were typed", async () => {
  await using dir = await tempDir();
  const path = dir.path("a.run.json");
  await writeRunFile(path, runFile(exact('{"temperature":1.0,"seed":9007199254740993}')));
  const text = await Deno.readTextFile(path);
  await writeRunFile(path, (await readRunFile(path))!);
  assertEquals(await Deno.readTextFile(path), text);
});

Deno.test("readRunFile() names what is wrong in a file that something else has written", async () => {
  await using dir = await tempDir();
  const path = dir.path("a.run.json");
  const whole = JSON.parse(JSON.stringify(runFile({})));
  const { rows: _rows, ...noRows } = whole;
  const withRows = (rows: unknown) => ({ ...whole, rows });
  const withIdentity = (more: unknown) => ({
    ...whole,
    identity: { ...whole.identity, ...more as object },
  });
  const cases: [content: unknown, problem: string][] = [
    [noRows, 'it has no "rows"'],
    [{ ...whole, identity: undefined }, 'it has no "identity"'],
    [withRows(null), '"rows" must be an object'],
    [withRows([]), '"rows" must be an object'],
    [withRows({ samples: 0 }), '"rows.samples" must be a whole number'],
    [withRows({ samples: "3" }), '"rows.samples" must be a whole number'],
    [withRows({ samples: 1e15 }), '"rows.samples" must be a whole number'],
    [withRows({ duplicates: "drop" }), '"rows.duplicates" must be "merge" or "keep"'],
    [withRows({ uidFieldFirst: 1 }), '"rows.uidFieldFirst" must be true or false'],
    [withIdentity({ model: 3 }), '"identity.model" must be a string'],
    [withIdentity({ uid_field: "id" }), '"identity.uid_field" must be an array of strings'],
    [withIdentity({ uid_field: [1] }), '"identity.uid_field" must be an array of strings'],
    [withIdentity({ params: [] }), '"identity.params" must be an object'],
    [withIdentity({ template: {} }), '"identity.template" must be a string'],
    [{ ...whole, params: { a: 1 } }, '"params" must be an object of objects'],
    [{ ...whole, input: 3 }, '"input" must be a string'],
    [[], "it must hold an object"],
    ["x", "it must hold an object"],
    [null, "it must hold an object"],
  ];
  for (const [content, problem] of cases) {
    await Deno.writeTextFile(path, JSON.stringify(content));
    const error = await assertRejects(() => readRunFile(path), UsageError, problem);
    assertStringIncludes(error.message, `Cannot read "${path}": `);
  }
  for (const depth of [600, 50_000]) {
    const deep = "[".repeat(depth) + "]".repeat(depth);
    await Deno.writeTextFile(
      path,
      JSON.stringify(whole).replace('"params":{', `"params":{"x":${deep},`),
    );
    await assertRejects(() => readRunFile(path), UsageError, `Cannot read "${path}": `);
  }
});

Deno.test("the address of a run leaves out teachers that have none", () => {
  const complete = () => Promise.reject(new Error("not called"));
  const teachers = [{ complete }, { complete, address: "http://a" }, { complete, address: "" }];
  const { address } = resolveOptions({ teachers: teachers.map((teacher) => ({ teacher })) });
  assertEquals(address, "http://a");
});
