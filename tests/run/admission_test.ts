/** Tests of `admit()` in lib/run/preflight.ts. @module */

import { assertEquals, assertNotEquals } from "../../lib/deps/std_assert.ts";
import { IdTable, SEEN } from "../../lib/index/id_table.ts";
import { clashProblem } from "../../lib/run/plan.ts";
import { admit } from "../../lib/run/preflight.ts";
import { ParsedRow } from "../../lib/source/parsed_row.ts";
import { RowParser } from "../../lib/source/parse_row.ts";

const parser = new RowParser();

function rowOf(row: object): ParsedRow {
  const parsed = parser.parse(JSON.stringify(row));
  if (parsed instanceof ParsedRow) return parsed;
  throw new Error(parsed.problem);
}

/** Admits rows in order; returns for each its id, "merged", or the problem. */
function admitAll(
  rows: readonly object[],
  { samples = 1, duplicates = "merge" as "merge" | "keep" } = {},
): string[] {
  const admission = { table: new IdTable(), duplicates, samples };
  return rows.map((row) => {
    const admitted = admit(rowOf(row), admission);
    return typeof admitted === "object" ? admitted.problem : admitted ?? "merged";
  });
}

const A = { id: "a", prompt: "p" };
const OTHER_A = { id: "a", prompt: "q" };
const A1 = { id: "a#1", prompt: "p" };
const A2 = { id: "a#2", prompt: "p" };

Deno.test("admit() merges identical rows and refuses another row of the same id", () => {
  assertEquals(admitAll([A, A, OTHER_A]), [
    "a",
    "merged",
    'uid "a" belongs to an earlier row already, with other content',
  ]);
});

Deno.test("admit() keeps every row with the same id under a free name", () => {
  const taken = { id: "a~3", prompt: "p" };
  const rows = [A, taken, OTHER_A, A, OTHER_A, taken];
  assertEquals(admitAll(rows, { duplicates: "keep" }), ["a", "a~3", "a~2", "a~4", "a~5", "a~3~2"]);
});

Deno.test("admit() keeps 30,000 rows with few ids", () => {
  const admission = { table: new IdTable(), duplicates: "keep", samples: 1 } as const;
  const ids = new Set<unknown>();
  for (let i = 0; i < 30_000; i++) ids.add(admit(rowOf({ id: i % 3, prompt: `${i}` }), admission));
  assertEquals(ids.size, 30_000);
  assertEquals([ids.has("2"), ids.has("2~10000"), ids.has("2~10001")], [true, true, false]);
});

Deno.test("admit() refuses a row with the id of an earlier row's sample, and the reverse", () => {
  const refused = 'uid "a#1" belongs to an earlier row already, or to one of the 2 samples of "a"';
  assertEquals(admitAll([A, A1, A2, A1], { samples: 2 }), ["a", refused, "a#2", refused]);
  const needs = 'uid "a" needs "a#1" for one of its 2 samples, which belongs to an earlier row ' +
    "already";
  assertEquals(admitAll([A1, A, A], { samples: 2 }), ["a#1", needs, needs]);
  assertEquals(admitAll([A1, A, A2], { samples: 1 }), ["a#1", "a", "a#2"]);
});

Deno.test("admit() gives copies samples, too", () => {
  const taken = { id: "a~2#1", prompt: "p" };
  const options = { samples: 2, duplicates: "keep" } as const;
  assertEquals(admitAll([A, A, taken, A], options), [
    "a",
    "a~2",
    "a~2#1~2",
    "a~3",
  ]);
  assertEquals(admitAll([taken, A, A, A], options), [
    "a~2#1",
    "a",
    "a~3",
    "a~4",
  ]);
});

Deno.test("admit() reports each answer before its id is taken, and nothing for a clash", () => {
  const table = new IdTable(2);
  const admission = { table, duplicates: "merge", samples: 40 } as const;
  const told: string[] = [];
  const take = (row: object) =>
    admit(rowOf(row), admission, (slot, uid, sample, { messages }) => {
      assertEquals([slot, table.has(slot, SEEN)], [table.find(uid), false]);
      told.push(`${uid}|${sample}|${messages[0].content}`);
    });
  take({ id: "b#39", prompt: "p" });
  assertEquals(told.splice(0).length, 40);
  assertNotEquals(take({ id: "b", prompt: "q" }), "b");
  assertEquals([told.length, table.count({ all: SEEN })], [0, 40]);
  take({ id: "c", prompt: "r" });
  assertEquals(told.slice(0, 2), ["c|0|r", "c#1|1|r"]);
  assertEquals([told.length, table.count({ all: SEEN })], [40, 80]);
});

Deno.test("clashProblem() mentions samples only if there are several", () => {
  assertEquals(
    clashProblem("a#2", 0, 2),
    'uid "a#2" belongs to an earlier row already, with other content',
  );
  assertEquals(
    clashProblem('a"#2', 0, 3),
    'uid "a\\"#2" belongs to an earlier row already, or to one of the 3 samples of "a\\""',
  );
});
