/** Tests of lib/data/near_duplicates.ts. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { DataIndex } from "../../lib/data/data_index.ts";
import { NearDuplicates, NearSearch } from "../../lib/data/near_duplicates.ts";
import { seededRandom } from "../e2e/fixture.ts";
import { tempDir } from "../support/temp.ts";
import { resultLine } from "./lines.ts";

const random = seededRandom(1);
const WORDS = Array.from({ length: 400 }, (_, i) => `w${(i * 7919).toString(36)}`);

function someText(): string[] {
  return Array.from({ length: 80 }, () => WORDS[Math.floor(random() * WORDS.length)]);
}

/** A text of these words, of which up to `count` are replaced at random. */
function edited(words: readonly string[], count: number): string {
  const copy = [...words];
  for (let i = 0; i < count; i++) copy[Math.floor(random() * copy.length)] = `new${i}`;
  return copy.join(" ");
}

function copiesIn(texts: readonly string[], rowOf?: (at: number) => number): number[] {
  return [...firstRowsIn(texts, rowOf).keys()].toSorted((a, b) => a - b);
}

/** The first row of the group of each copy. */
function firstRowsIn(
  texts: readonly string[],
  rowOf: (at: number) => number = (at) => at,
): Map<number, number> {
  const rows = Uint32Array.from(texts, (_, at) => at);
  const steps = new NearDuplicates(rows, {
    textAt: (row) => texts[row],
    areSamplesOfOneRow: (a, b) => rowOf(a) === rowOf(b),
  }).find();
  let step = steps.next();
  for (; !step.done; step = steps.next()) assert(step.value >= 0 && step.value <= 1);
  return step.value;
}

Deno.test("near duplicates: small edits are found, other texts are not", () => {
  const originals = Array.from({ length: 60 }, someText);
  const near = originals.map((words) => edited(words, 2));
  const far = originals.map((words) => edited(words, 40));
  const texts = [...originals.map((words) => words.join(" ")), ...near, ...far];
  const found = copiesIn(texts);
  const ofNear = found.filter((row) => row >= 60 && row < 120).length;
  assert(ofNear >= 54, `${ofNear} of 60 near copies`);
  assertEquals(found.filter((row) => row < 60 || row >= 120), []);
});

Deno.test("near duplicates: case and white space do not matter, samples of one row and short texts are left out", () => {
  const text = someText().join(" ");
  assertEquals(copiesIn([text, text.toUpperCase().replaceAll(" ", "\n\n")]), [1]);
  assertEquals(copiesIn([text, text, text], (at) => at === 1 ? 0 : at), [2]);
  assertEquals(copiesIn(["Yes, it is.", "Yes, it is.", ""]), []);
});

Deno.test("near duplicates: rows with the same prompt are one group, in whatever order their samples were answered", () => {
  const text = someText().join(" ");
  const rows = [0, 1, 0, 1, 1, 0];
  assertEquals([...firstRowsIn(rows.map(() => text), (at) => rows[at])], [[1, 0], [3, 0], [4, 0]]);
});

Deno.test("a search for near duplicates that runs out of memory fails with the reason", async () => {
  await using dir = await tempDir();
  const text = someText().join(" ");
  const lines = ["a", "b"].map((uid) => resultLine({ uid, response: text }));
  const index = new DataIndex([{ path: await dir.write("x.jsonl", lines.join("")) }]);
  index.refresh();
  await index.readAll();
  index.table.isSameInputRow = () => {
    throw new RangeError("Array buffer allocation failed");
  };
  const search = new NearSearch(index);
  search.start("response");
  assertEquals(search.work(Infinity), false);
  index.close();
  const { state, problem } = search.status!;
  assertEquals([state, problem], [
    "failed",
    "Cannot compare the rows: Array buffer allocation failed",
  ]);
});
