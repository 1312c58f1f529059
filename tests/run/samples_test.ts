/** Tests of samples in lib/run/input_rows.ts. @module */

import { assert, assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import type { Row } from "../../lib/row.ts";
import { parseSampleUid, sampleUid } from "../../lib/answer.ts";
import { sampleRow } from "../../lib/run/input_rows.ts";
import { checkOptions } from "../../lib/options.ts";
import { GENERATOR_RULES } from "../../lib/run/resolve_options.ts";
import { RowParser } from "../../lib/source/parse_row.ts";
import type { Params } from "../../lib/teacher/teacher.ts";

function rowOf(row: object): Row {
  const parsed = new RowParser().parse(JSON.stringify(row));
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.toRow({ uid: parsed.uid, input: 0, source: "in.jsonl:1" });
}

Deno.test("sampleUid() and parseSampleUid() are inverse except for the first answer", () => {
  assertEquals([0, 1, 999].map((sample) => sampleUid("a", sample)), ["a", "a#1", "a#999"]);
  assertEquals(parseSampleUid("a#1"), { uid: "a", sample: 1 });
  assertEquals(parseSampleUid("a#b#20"), { uid: "a#b", sample: 20 });
  assertEquals(parseSampleUid("a\n~2#999"), { uid: "a\n~2", sample: 999 });
  for (const uid of ["a", "#1", "a#", "a#0", "a#01", "a#1000", "a#1x", "a#-1", "a#1 "]) {
    assertEquals(parseSampleUid(uid), undefined, uid);
  }
});

Deno.test("samples must be a whole number from 1 to 1,000", () => {
  const check = (samples: number) => checkOptions({ samples }, GENERATOR_RULES);
  for (const samples of [1, 3, 1_000]) check(samples);
  for (const samples of [0, -1, 1.5, NaN, Infinity, 1_001]) {
    const message = `Cannot use samples ${samples}: it must be a whole number from 1 to 1000`;
    assertThrows(() => check(samples), RangeError, message);
  }
});

Deno.test("sampleRow() returns the row itself for the first answer", () => {
  const row = rowOf({ id: "a", prompt: "p" });
  assert(sampleRow(row, 0, { seed: 7 }) === row);
});

Deno.test("sampleRow() increments the seed of the row, or else that of the run", () => {
  const plain = rowOf({ id: "a", prompt: "p", params: { top_p: 1 } });
  const seeded = rowOf({ id: "b", prompt: "p", params: { seed: 100 } });
  const unseeded = rowOf({ id: "c", prompt: "p", params: { seed: null } });
  const seedOf = (row: Row, sample: number, run: Params) => sampleRow(row, sample, run).params;
  assertEquals(seedOf(plain, 2, { seed: 7 }), { top_p: 1, seed: 9 });
  assertEquals(seedOf(seeded, 2, { seed: 7 })?.seed, 102);
  assertEquals(seedOf(seeded, 1, {})?.seed, 101);
  // A seed of null counts as none, so the seed of the run is raised.
  assertEquals(seedOf(unseeded, 1, { seed: 7 })?.seed, 8);
  assert(seedOf(plain, 1, { temperature: 1 }) === plain.params);
  assert(seedOf(rowOf({ prompt: "p" }), 1, {}) === undefined);
});

Deno.test("sampleRow() changes nothing else in the row, not even its prompt hash", () => {
  const row = rowOf({ id: "a", prompt: "p", params: { seed: 1 } });
  const { params: _, ...rest } = sampleRow(row, 3, {});
  const { params: __, ...before } = row;
  assertEquals(rest, { ...before, uid: "a#3", sample: 3 });
});
