import { assertEquals } from "../../../lib/deps/std_assert.ts";
import {
  type RejectedRow,
  RepeatedRejections,
  type RepeatedRejectionsOptions,
} from "../../../lib/engine/errors/repeated_rejections.ts";
import { newWork, outcomeOf } from "../../../lib/engine/work.ts";
import type { Failure, Outcome } from "../../../lib/row.ts";
import { rowOf } from "../engine_fixture.ts";

function refused(uid: string, message = "No such field", status = 400): RejectedRow {
  const failure: Failure = { type: "request", message, status };
  const work = newWork(rowOf(uid), 0, {});
  return { work, outcome: { ...outcomeOf(work, 0, undefined, failure), failure } };
}

function newSuspects(options: Partial<RepeatedRejectionsOptions> = {}): RepeatedRejections {
  return new RepeatedRejections({ isProven: false, holds: true, ...options });
}

function uids(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ row }) => row.uid);
}

/** Adds `count` rejections with the same words; gives what was settled meanwhile. */
function addAll(suspects: RepeatedRejections, count: number, from = 0): Outcome[] {
  return Array.from({ length: count }, (_, i) => suspects.add(refused(String(from + i)))).flat();
}

Deno.test("Suspects holds rows back, and knows after three that they are not to blame", () => {
  const suspects = newSuspects();
  assertEquals(addAll(suspects, 2), []);
  assertEquals(suspects.isConclusive, false);
  assertEquals(addAll(suspects, 1, 2), []);
  assertEquals(suspects.isConclusive, true);
  assertEquals(suspects.count, 3);
  assertEquals(suspects.clear(), []);
});

Deno.test("Suspects gives rows back that were refused in other words, or with another status", () => {
  const suspects = newSuspects();
  for (let round = 0; round < 10; round++) {
    suspects.add(refused("a", "Too long"));
    suspects.add(refused("b", "Too long"));
    assertEquals(uids(suspects.add(refused("c", "Too short"))), ["a", "b"]);
    assertEquals(uids(suspects.add(refused("d", "Too short", 422))), ["c"]);
    assertEquals(uids(suspects.add(refused("e"))), ["d"]);
    assertEquals(uids(suspects.clear()), ["e"]);
  }
  assertEquals(suspects.isConclusive, false);
});

Deno.test("Suspects takes messages that differ in ids only for the same words", () => {
  const suspects = newSuspects();
  const ids = ["req_011CSHoEeqs5C35K2UUqR7Fy", "chatcmpl-8f3a2b1c9d0e", "0123456789abcdef"];
  for (const id of ids) suspects.add(refused(id, `max_tokens is not supported (request ${id})`));
  assertEquals(suspects.isConclusive, true);
});

Deno.test("Suspects gives all back once a row has succeeded, and wants twenty from then on", () => {
  const suspects = newSuspects();
  addAll(suspects, 2);
  assertEquals(uids(suspects.succeeded()), ["0", "1"]);
  assertEquals(suspects.succeeded(), []);
  addAll(suspects, 19);
  assertEquals(suspects.isConclusive, false);
  assertEquals(suspects.succeeded().length, 19);
  addAll(suspects, 20);
  assertEquals(suspects.isConclusive, true);
});

Deno.test("Suspects stays with what it has found out", () => {
  const suspects = newSuspects();
  addAll(suspects, 3);
  assertEquals(suspects.succeeded(), []);
  assertEquals(suspects.add(refused("3")), []);
  // This one has another reason: it is to blame itself.
  assertEquals(uids(suspects.add(refused("4", "Too long"))), ["4"]);
  assertEquals(suspects.isConclusive, true);
  assertEquals(suspects.count, 4);
});

Deno.test("Suspects takes the samples of one row for one row", () => {
  const suspects = newSuspects();
  const { work, outcome } = refused("a");
  for (let sample = 0; sample < 50; sample++) {
    const row = { ...outcome.row, uid: `a#${sample}`, sample };
    assertEquals(suspects.add({ work, outcome: { ...outcome, row } }), []);
  }
  assertEquals([suspects.count, suspects.isConclusive], [1, false]);
  assertEquals(suspects.succeeded().length, 50);
});

Deno.test("Suspects wants twenty at once where key, model and parameters are proven", () => {
  const suspects = newSuspects({ isProven: true });
  addAll(suspects, 19);
  assertEquals(suspects.isConclusive, false);
  addAll(suspects, 1, 19);
  assertEquals(suspects.isConclusive, true);
});

Deno.test("RepeatedRejections gives rows back at once where a consumer waits for them, and counts them", () => {
  const suspects = newSuspects({ holds: false });
  assertEquals(uids(addAll(suspects, 2)), ["0", "1"]);
  assertEquals([suspects.count, suspects.isConclusive], [2, false]);
  assertEquals(addAll(suspects, 1, 2), []);
  assertEquals(suspects.isConclusive, true);
  assertEquals(suspects.acquit().map(({ row }) => row.uid), ["2"]);
});

Deno.test("Suspects.acquit() gives back the rows that are not to blame, once", () => {
  const suspects = newSuspects();
  addAll(suspects, 3);
  assertEquals(suspects.acquit().map(({ row }) => row.uid), ["0", "1", "2"]);
  assertEquals([suspects.acquit(), suspects.isConclusive], [[], true]);
});
