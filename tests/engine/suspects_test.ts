import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Suspects } from "../../lib/engine/suspects.ts";
import { newWork, outcomeOf } from "../../lib/engine/work.ts";
import type { Failure, Outcome } from "../../lib/row.ts";
import { rowOf } from "./engine_fixture.ts";

function refused(uid: string, message = "No such field", status = 400) {
  const failure: Failure = { type: "request", message, status };
  return { ...outcomeOf(newWork(rowOf(uid), 0, {}), 0, undefined, failure), failure };
}

function uids(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ row }) => row.uid);
}

/** Adds so many with the same words; gives what was settled meanwhile. */
function addAll(suspects: Suspects, count: number): Outcome[] {
  return Array.from({ length: count }, (_, index) => suspects.add(refused(String(index)))).flat();
}

Deno.test("Suspects holds rows back, and knows after three that they are not to blame", () => {
  const suspects = new Suspects();
  assertEquals(addAll(suspects, 2), []);
  assertEquals(suspects.isConclusive, false);
  assertEquals(addAll(suspects, 1), []);
  assertEquals(suspects.isConclusive, true);
  assertEquals(suspects.count, 3);
  assertEquals(suspects.clear(), []);
});

Deno.test("Suspects gives rows back that were refused in other words, or with another status", () => {
  const suspects = new Suspects();
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
  const suspects = new Suspects();
  const ids = ["req_011CSHoEeqs5C35K2UUqR7Fy", "chatcmpl-8f3a2b1c9d0e", "0123456789abcdef"];
  for (const id of ids) suspects.add(refused(id, `max_tokens is not supported (request ${id})`));
  assertEquals(suspects.isConclusive, true);
});

Deno.test("Suspects gives all back once a row has succeeded, and wants twenty from then on", () => {
  const suspects = new Suspects();
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
  const suspects = new Suspects();
  addAll(suspects, 3);
  assertEquals(suspects.succeeded(), []);
  assertEquals(suspects.add(refused("3")), []);
  // This one has another reason: it is to blame itself.
  assertEquals(uids(suspects.add(refused("4", "Too long"))), ["4"]);
  assertEquals(suspects.isConclusive, true);
  assertEquals(suspects.count, 4);
});
