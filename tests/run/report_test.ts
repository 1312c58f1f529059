import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Preflight } from "../../lib/run/preflight.ts";
import { describeInput } from "../../lib/run/report.ts";

function foundOf(
  fields: { rows: number; shape: string; models?: string[]; samples?: number },
): Preflight {
  const found = new Preflight(fields.samples);
  found.rows = fields.rows;
  found.shapes.set(fields.shape, fields.rows);
  for (const model of fields.models ?? []) found.models.add(model);
  return found;
}

Deno.test("describeInput() says what was found in each input", () => {
  const one = foundOf({ rows: 1, shape: "prompt" });
  const many = foundOf({ rows: 1200, shape: "messages" });
  many.succeeded = 5;
  for (const line of [1, 2]) many.bad.add(line, "not JSON", () => "");
  assertEquals(describeInput(["a.jsonl", "-"], [one, many]), [
    "a.jsonl: 1 row (1 prompt)",
    "standard input: 1,200 rows (1,200 messages), 5 have a result, 2 bad",
  ]);
});

Deno.test("describeInput() says how many samples there are to be", () => {
  const found = foundOf({ rows: 1200, shape: "prompt", samples: 3 });
  found.succeeded = 2400;
  assertEquals(describeInput(["a.jsonl"], [found]), [
    "a.jsonl: 1,200 rows (1,200 prompt) with 3 samples each, 2,400 have a result",
  ]);
  assertEquals(found.total, 3600);
});

Deno.test("describeInput() names the models that rows bring, which are what is paid for", () => {
  const shape = "openai-batch";
  const two = foundOf({ rows: 9, shape, models: ["gpt-4o", "o3"] });
  const many = foundOf({ rows: 9, shape, models: ["a", "b", "c", "d"] });
  assertEquals(describeInput(["x.jsonl", "y.jsonl"], [two, many]), [
    "x.jsonl: 9 rows (9 openai-batch), asks models of its own: gpt-4o, o3",
    "y.jsonl: 9 rows (9 openai-batch), asks models of its own: a, b, c, …",
  ]);
});

Deno.test("describeInput() says that no row has the field of --uid-field, and what names rows then", () => {
  const shape = "prompt";
  const hashed = foundOf({ rows: 2, shape });
  const named = foundOf({ rows: 2, shape });
  const some = foundOf({ rows: 2, shape });
  const empty = foundOf({ rows: 0, shape });
  hashed.hashed = 2;
  some.hashed = 1;
  for (const found of [hashed, named, empty]) found.unmetUidFields = ["sku"];
  some.unmetUidFields = ["sku", "ean"];
  const inputs = ["a.jsonl", "b.jsonl", "empty.jsonl", "-"];
  assertEquals(describeInput(inputs, [hashed, named, empty, some]).slice(4), [
    'No row of "a.jsonl" has a value for the field "sku" of --uid-field: ' +
    "rows are named by a hash of themselves",
    'No row of "b.jsonl" has a value for the field "sku" of --uid-field: ' +
    "rows are named by their uid, custom_id or id",
    'No row of standard input has a value for the field "sku" or "ean" of --uid-field: ' +
    "rows are named by their uid, custom_id or id, or by a hash of themselves",
  ]);
  assertEquals(describeInput(["a.jsonl"], [foundOf({ rows: 2, shape })]).length, 1);
});
