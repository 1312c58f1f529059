/** Tests of lib/run/iterable_run.ts. The tests replace the engine. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { IterableRun, type IterableRunOptions } from "../../lib/run/iterable_run.ts";
import { type GeneratedOutcome, LineOutcomes } from "../../lib/run/outcomes.ts";
import { NO_IMAGES, RowParser } from "../../lib/source/mod.ts";

function iterableRun(
  options: Partial<IterableRunOptions<GeneratedOutcome>> = {},
): IterableRun<GeneratedOutcome> {
  return new IterableRun({
    parser: new RowParser(),
    images: NO_IMAGES,
    duplicates: "merge",
    publisher: new LineOutcomes({ paramsId: "p1", finalMessages: false, think: "wrap" }),
    onSettled: () => {},
    ...options,
  });
}

Deno.test("rows() yields the answers to a row one after the other", async () => {
  const run = iterableRun({ samples: 3, params: { seed: 7 } });
  let read = 0;
  function* values() {
    for (const id of ["a", "b"]) {
      read++;
      yield { id, prompt: "p" };
    }
  }
  const uids: string[][] = [], seeds: unknown[] = [], readBefore: number[] = [];
  for await (const rows of run.rows(values())) {
    uids.push(rows.map(({ uid }) => uid));
    seeds.push(rows[0].params?.seed);
    readBefore.push(read);
  }
  assertEquals(uids, [["a"], ["a#1"], ["a#2"], ["b"], ["b#1"], ["b#2"]]);
  assertEquals(seeds, [undefined, 8, 9, undefined, 8, 9]);
  assertEquals(readBefore, [1, 1, 1, 2, 2, 2]);
});

Deno.test("rows() keeps copies with their own samples", async () => {
  const run = iterableRun({ samples: 2, duplicates: "keep" });
  const copies = [{ id: "a", prompt: "p" }, { id: "a", prompt: "p" }];
  const rows = (await Array.fromAsync(run.rows(copies))).flat();
  assertEquals(rows.map(({ uid, sample }) => [uid, sample]), [
    ["a", 0],
    ["a#1", 1],
    ["a~2", 0],
    ["a~2#1", 1],
  ]);
});

Deno.test("rows() yields one answer per row by default", async () => {
  const run = iterableRun({ params: { seed: 7 } });
  const rows = (await Array.fromAsync(run.rows([{ id: "a", prompt: "p" }]))).flat();
  assertEquals(rows.map(({ uid, params }) => [uid, params]), [["a", undefined]]);
});

Deno.test("rows() lets timers run even if all rows are available at once", async () => {
  let isOver = false;
  const over = new Promise<void>((resolve) =>
    setTimeout(() => {
      isOver = true;
      resolve();
    }, 1)
  );
  function* values() {
    // Ends only when a timer fires, which needs a turn of the event loop.
    for (let id = 0; !isOver && id < 10_000_000; id++) yield { id, prompt: "p" };
  }
  let count = 0;
  for await (const rows of iterableRun().rows(values())) count += rows.length;
  assert(isOver, `${count} rows went by without a turn`);
  await over;
});
