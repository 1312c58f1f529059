import { assertEquals, assertStringIncludes, assertThrows } from "../../lib/deps/std_assert.ts";
import { Findings } from "../../lib/run/findings.ts";
import { UsageError } from "../../lib/errors.ts";
import { describeInput, refuseProblems } from "../../lib/run/input_report.ts";

function findingsOf(
  fields: {
    input?: string;
    rows: number;
    shape: string;
    models?: string[];
    samples?: number;
    ownModels?: number;
  },
): Findings {
  const findings = new Findings(fields.input ?? "a.jsonl", fields.samples);
  findings.rows = fields.rows;
  findings.shapes.set(fields.shape, fields.rows);
  for (const model of fields.models ?? []) findings.models.add(model);
  findings.ownModels = fields.ownModels ?? 0;
  return findings;
}

Deno.test("describeInput() says what was found in each input", () => {
  const one = findingsOf({ rows: 1, shape: "prompt" });
  const many = findingsOf({ input: "-", rows: 1200, shape: "messages" });
  many.succeeded = 5;
  for (const line of [1, 2]) many.bad.add(line, "not JSON", () => "");
  assertEquals(describeInput([one, many]), [
    "a.jsonl: 1 row (1 prompt)",
    "standard input: 1,200 rows (1,200 messages), 5 have a result, 2 bad",
  ]);
});

Deno.test("describeInput() says of thousands of inputs how many follow the first ones", () => {
  const inputs = Array.from({ length: 10_000 }, (_, i) => `f${i}.jsonl`);
  const findings = inputs.map((input) => findingsOf({ input, rows: 2, shape: "prompt" }));
  findings[9_999].bad.add(1, "not JSON", () => "");
  const said = describeInput(findings);
  assertEquals(said.length, 21);
  assertEquals(said[0], "f0.jsonl: 2 rows (2 prompt)");
  assertEquals(said[20], "… and 9,980 more inputs: 19,960 rows, 1 bad");
  assertEquals(describeInput(findings.slice(0, 21)).at(-1), "… and 1 more input: 2 rows");
});

Deno.test("describeInput() says how many samples each row gets", () => {
  const findings = findingsOf({ rows: 1200, shape: "prompt", samples: 3 });
  findings.succeeded = 2400;
  assertEquals(describeInput([findings]), [
    "a.jsonl: 1,200 rows (1,200 prompt) with 3 samples each, 2,400 have a result",
  ]);
  assertEquals(findings.total, 3600);
});

Deno.test("describeInput() names the models in rows, which determine the cost", () => {
  const shape = "openai-batch";
  const rows = 9, four = ["a", "b", "c", "d"];
  const two = findingsOf({ rows, shape, models: ["gpt-4o", "o3"], ownModels: 9 });
  const many = findingsOf({ input: "y.jsonl", rows, shape, models: four, ownModels: 1_200 });
  const one = findingsOf({ input: "z.jsonl", rows, shape, models: ["a"], ownModels: 1 });
  assertEquals(describeInput([two, many, one]), [
    "a.jsonl: 9 rows (9 openai-batch), 9 set a model of their own: gpt-4o, o3",
    "y.jsonl: 9 rows (9 openai-batch), 1,200 set a model of their own: a, b, c, …",
    "z.jsonl: 9 rows (9 openai-batch), 1 sets a model of its own: a",
  ]);
});

Deno.test("describeInput() says that no row has the field of --uid-field, and what their ids are instead", () => {
  const shape = "prompt";
  const hashed = findingsOf({ rows: 2, shape });
  const named = findingsOf({ input: "b.jsonl", rows: 2, shape });
  const some = findingsOf({ input: "-", rows: 2, shape });
  const empty = findingsOf({ input: "empty.jsonl", rows: 0, shape });
  hashed.hashed = 2;
  some.hashed = 1;
  for (const findings of [hashed, named, empty]) findings.missingUidFields = ["sku"];
  some.missingUidFields = ["sku", "ean"];
  assertEquals(describeInput([hashed, named, empty, some]).slice(4), [
    'No row of "a.jsonl" has a value for the field "sku" (--uid-field): ' +
    "rows are identified by a hash",
    'No row of "b.jsonl" has a value for the field "sku" (--uid-field): ' +
    "rows are identified by their uid, custom_id or id",
    'No row of standard input has a value for the field "sku" or "ean" (--uid-field): ' +
    "rows are identified by their uid, custom_id or id, or by a hash",
  ]);
  assertEquals(describeInput([findingsOf({ rows: 2, shape })]).length, 1);
});

Deno.test("describeInput() names the fields that are not sent in one line", () => {
  const shape = "question";
  const [one, two] = [findingsOf({ rows: 2, shape }), findingsOf({ rows: 2, shape })];
  for (const name of ["answer", "source"]) one.unsent.add(name);
  for (const name of ["source", "a b\x1b[31m"]) two.unsent.add(name);
  const [, , ...lines] = describeInput([one, two]);
  assertEquals(lines, ['not sent: answer, source, "a b\\u001b[31m"']);
  for (let i = 0; i < 100; i++) two.unsent.add(`field_${i}`);
  const [, long] = describeInput([two]);
  assertEquals([long.split(",").length, long.endsWith("field_17, …")], [21, true]);
});

Deno.test("refuseProblems() reports rows that are sent differently than by an earlier version", () => {
  const findings = findingsOf({ rows: 5, shape: "prompt" });
  findings.sentDifferently.set("the system message is sent", 1_200).set('"temperature" is sent', 1);
  const check = (changed?: "keep") => refuseProblems([findings], { changed });
  check("keep");
  const { message } = assertThrows(() => check(), UsageError);
  assertEquals(message.split("\n"), [
    "Cannot continue: what this version sends for rows differs from what an earlier version sent. " +
    "Add --changed reask to send these rows again, or --changed keep to keep the old answers",
    "  1,200 rows: now the system message is sent",
    '  1 row: now "temperature" is sent',
  ]);
  findings.changed = 2;
  assertStringIncludes(
    assertThrows(() => check()).message,
    "2 rows were edited since they were answered or failed, and what this version sends",
  );
});
