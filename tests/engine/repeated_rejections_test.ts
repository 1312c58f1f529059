import { assertEquals } from "../../lib/deps/std_assert.ts";
import {
  type EvidenceOptions,
  type HeldRow,
  RepeatedRejections,
} from "../../lib/engine/evidence.ts";
import { Work } from "../../lib/engine/work.ts";
import type { Failure, Outcome } from "../../lib/row.ts";
import { rowOf } from "./engine_fixture.ts";

function refused(uid: string, message = "No such field", status = 400): HeldRow {
  const failure: Failure = { type: "request", message, status };
  const work = new Work(rowOf(uid), 0, {});
  return { work, outcome: work.outcome(undefined, failure) };
}

function newRejections(options: Partial<EvidenceOptions> = {}): RepeatedRejections {
  return new RepeatedRejections({ isTrusted: false, holdsRows: true, ...options });
}

function uids(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ row }) => row.uid);
}

/** A row has succeeded. Returns the outcomes of those held back. */
function succeed(rejections: RepeatedRejections): readonly Outcome[] {
  rejections.answeredWell();
  return rejections.failHeld();
}

/** Adds `count` rejections with the same message; returns the outcomes decided by then. */
function addAll(rejections: RepeatedRejections, count: number, from = 0): Outcome[] {
  return Array.from({ length: count }, (_, i) => rejections.addLast(refused(String(from + i))))
    .flat();
}

Deno.test("RepeatedRejections holds rows back, and finds after three that they are not at fault", () => {
  const rejections = newRejections();
  assertEquals(addAll(rejections, 2), []);
  assertEquals(rejections.isConclusive, false);
  assertEquals(addAll(rejections, 1, 2), []);
  assertEquals(rejections.isConclusive, true);
  assertEquals(rejections.count, 3);
  assertEquals(rejections.failHeld(), []);
});

Deno.test("RepeatedRejections fails held rows once a row was rejected with another message or status", () => {
  const rejections = newRejections();
  for (let round = 0; round < 10; round++) {
    rejections.addLast(refused("a", "Too long"));
    rejections.addLast(refused("b", "Too long"));
    assertEquals(uids(rejections.addLast(refused("c", "Too short"))), ["a", "b"]);
    assertEquals(uids(rejections.addLast(refused("d", "Too short", 422))), ["c"]);
    assertEquals(uids(rejections.addLast(refused("e"))), ["d"]);
    assertEquals(uids(rejections.failHeld()), ["e"]);
  }
  assertEquals(rejections.isConclusive, false);
});

Deno.test("RepeatedRejections treats messages that differ only in ids as the same", () => {
  const rejections = newRejections();
  const ids = ["req_011CSHoEeqs5C35K2UUqR7Fy", "chatcmpl-8f3a2b1c9d0e", "0123456789abcdef"];
  for (const id of ids) {
    rejections.addLast(refused(id, `max_tokens is not supported (request ${id})`));
  }
  assertEquals(rejections.isConclusive, true);
});

Deno.test("RepeatedRejections fails all held rows once a row has succeeded, and requires twenty from then on", () => {
  const rejections = newRejections();
  addAll(rejections, 2);
  assertEquals(uids(succeed(rejections)), ["0", "1"]);
  assertEquals(succeed(rejections), []);
  addAll(rejections, 19);
  assertEquals(rejections.isConclusive, false);
  assertEquals(succeed(rejections).length, 19);
  addAll(rejections, 20);
  assertEquals(rejections.isConclusive, true);
});

Deno.test("RepeatedRejections keeps its decision", () => {
  const rejections = newRejections();
  addAll(rejections, 3);
  assertEquals(succeed(rejections), []);
  assertEquals(rejections.addLast(refused("3")), []);
  // This row has another reason, so it is the cause itself.
  assertEquals(uids(rejections.addLast(refused("4", "Too long"))), ["4"]);
  assertEquals(rejections.isConclusive, true);
  assertEquals(rejections.count, 4);
});

Deno.test("RepeatedRejections counts the samples of one row as one row", () => {
  const rejections = newRejections();
  const { work, outcome } = refused("a");
  for (let sample = 0; sample < 50; sample++) {
    const row = { ...outcome.row, uid: `a#${sample}`, sample };
    assertEquals(rejections.addLast({ work, outcome: { ...outcome, row } }), []);
  }
  assertEquals([rejections.count, rejections.isConclusive], [1, false]);
  assertEquals(succeed(rejections).length, 50);
});

Deno.test("RepeatedRejections requires twenty from the start if key, model and parameters have worked", () => {
  const rejections = newRejections({ isTrusted: true });
  addAll(rejections, 19);
  assertEquals(rejections.isConclusive, false);
  addAll(rejections, 1, 19);
  assertEquals(rejections.isConclusive, true);
});

Deno.test("RepeatedRejections fails rows at once if a consumer waits for them, and counts them", () => {
  const rejections = newRejections({ holdsRows: false });
  assertEquals(uids(addAll(rejections, 2)), ["0", "1"]);
  assertEquals([rejections.count, rejections.isConclusive], [2, false]);
  assertEquals(addAll(rejections, 1, 2), []);
  assertEquals(rejections.isConclusive, true);
  assertEquals(rejections.releaseHeld().map(({ work }) => work.row.uid), ["2"]);
});

Deno.test("RepeatedRejections.releaseHeld() returns the rows that are not at fault, once", () => {
  const rejections = newRejections();
  addAll(rejections, 3);
  assertEquals(rejections.releaseHeld().map(({ work }) => work.row.uid), ["0", "1", "2"]);
  assertEquals([rejections.releaseHeld(), rejections.isConclusive], [[], true]);
});
