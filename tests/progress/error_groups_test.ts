import { assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { ErrorGroups, type FailedAttempt, normalizeMessage } from "../../lib/progress/counters.ts";
import type { Failure } from "../../lib/row.ts";
import { makeFailedAttempt } from "./fixtures.ts";

/** Groups that are fed only the failure of an attempt. */
class FailureGroups extends ErrorGroups {
  addFailure(failure: Failure, nowMs: number): void {
    this.add(makeFailedAttempt({ failure }), nowMs);
  }
}

const MESSAGES: readonly [name: string, message: string, expected: string][] = [
  ["replaces numbers", "Wait 3.25s, used 1,200 of 2000", "Wait #s, used # of #"],
  [
    "replaces UUIDs",
    "job 123e4567-E89B-12d3-a456-426614174000 died",
    "job <id> died",
  ],
  ["replaces hex ids", "trace 9f86d081884c7d65 at 0x7ffe", "trace <id> at <id>"],
  ["replaces long ids", "request req_011CabcXYZdef failed", "request <id> failed"],
  ["replaces quoted ids", "row \"row-17\" of 'b_2'", "row \"<id>\" of '<id>'"],
  ["keeps quoted words", 'Unknown field "max_tokens"', 'Unknown field "max_tokens"'],
  ["keeps words that look like hex", "defaced facade added", "defaced facade added"],
  ["makes one printable line", "a\x1b[31m\nb", "a b"],
];

for (const [name, message, expected] of MESSAGES) {
  Deno.test(`normalizeMessage() ${name}`, () => assertEquals(normalizeMessage(message), expected));
}

Deno.test("normalizeMessage() cuts long messages without splitting a character", () => {
  assertEquals(normalizeMessage("x".repeat(5000)), "x".repeat(199) + "…");
  for (const offset of [0, 1]) {
    const message = normalizeMessage("x".repeat(offset) + "👍".repeat(300));
    assertLessOrEqual(message.length, 200);
    assertEquals(message.isWellFormed(), true);
    assertEquals(message.includes("\ufffd"), false);
  }
});

Deno.test("ErrorGroups counts equal causes together, most frequent first", () => {
  const groups = new FailureGroups();
  groups.addFailure({ type: "timeout", status: null, message: "No answer in 5 s" }, 1000);
  for (let i = 0; i < 3; i++) {
    groups.addFailure(
      { type: "rate_limit", status: 429, message: `Try again in ${i} s` },
      2000 + i,
    );
  }
  groups.addFailure({ type: "rate_limit", status: 503, message: "Try again in 9 s" }, 3000);
  assertEquals(groups.list(), [
    {
      type: "rate_limit",
      status: 429,
      message: "Try again in 0 s",
      count: 3,
      action: "retried",
      actions: { retried: 3, failed: 0, halted: 0 },
      uids: ["1"],
      first_seen: "1970-01-01T00:00:02.000Z",
      last_seen: "1970-01-01T00:00:02.002Z",
    },
    {
      type: "timeout",
      status: null,
      message: "No answer in 5 s",
      count: 1,
      action: "retried",
      actions: { retried: 1, failed: 0, halted: 0 },
      uids: ["1"],
      first_seen: "1970-01-01T00:00:01.000Z",
      last_seen: "1970-01-01T00:00:01.000Z",
    },
    {
      type: "rate_limit",
      status: 503,
      message: "Try again in 9 s",
      count: 1,
      action: "retried",
      actions: { retried: 1, failed: 0, halted: 0 },
      uids: ["1"],
      first_seen: "1970-01-01T00:00:03.000Z",
      last_seen: "1970-01-01T00:00:03.000Z",
    },
  ]);
});

Deno.test("ErrorGroups counts attempts of rows that were released by what follows instead", () => {
  const groups = new FailureGroups();
  const failure: Failure = { type: "request", status: 400, message: "Row 1 is too long" };
  for (let i = 0; i < 3; i++) groups.add(makeFailedAttempt({ failure, action: "failed" }), i);
  const another = { ...failure, message: "Row 2 is too long" };
  groups.release({ failure: another, action: "halted" }, 5);
  groups.release({ failure, action: "retried" }, 6);
  const [{ count, action, actions }] = groups.list();
  assertEquals([count, action], [3, "retried"]);
  assertEquals(actions, { retried: 1, failed: 1, halted: 1 });
});

Deno.test("ErrorGroups shows the first message of a group as it is", () => {
  const groups = new FailureGroups();
  const add = (message: string) => groups.addFailure({ type: "network", status: null, message }, 0);
  for (let i = 0; i < 2; i++) add("Cannot connect to 127.0.0.1:9: connection refused");
  assertEquals(groups.list()[0].message, "Cannot connect to 127.0.0.1:9: connection refused");
  add("Cannot connect to 127.0.0.1:10: connection refused");
  add("Cannot connect to 127.0.0.1:9: connection refused");
  assertEquals(groups.list().map(({ message, count }) => [message, count]), [
    ["Cannot connect to 127.0.0.1:9: connection refused", 4],
  ]);
});

Deno.test("ErrorGroups distinguishes the same message by type and status", () => {
  const groups = new FailureGroups();
  groups.addFailure({ type: "server", status: 500, message: "Oops" }, 0);
  groups.addFailure({ type: "server", status: 502, message: "Oops" }, 0);
  groups.addFailure({ type: "request", status: 502, message: "Oops" }, 0);
  groups.addFailure({ type: "request", status: 502, message: "Oops" }, 0);
  assertEquals(groups.list().map(({ count }) => count), [2, 1, 1]);
});

Deno.test('ErrorGroups keeps 50 groups and counts the rest as "other", last', () => {
  const groups = new FailureGroups();
  const letters = "abcdefghijklmnopqrstuvwxyz";
  for (let i = 0; i < 200; i++) {
    const message = `cause ${letters[i % 26]}${letters[Math.floor(i / 26)]}`;
    groups.addFailure({ type: "server", status: 500, message }, i);
  }
  const list = groups.list();
  assertEquals(list.length, 51);
  assertEquals(list[50].type, "other");
  assertEquals(list[50].count, 150);
  assertEquals(list[50].last_seen, new Date(199).toISOString());
});

Deno.test("ErrorGroups gives the same frozen list until a failure is added", () => {
  const groups = new FailureGroups();
  assertEquals(groups.list(), []);
  groups.addFailure({ type: "server", status: 500, message: "Oops" }, 0);
  const list = groups.list();
  assertEquals(groups.list() === list, true);
  assertEquals(Object.isFrozen(list) && Object.isFrozen(list[0]), true);
  groups.addFailure({ type: "server", status: 500, message: "Oops" }, 0);
  assertEquals(groups.list()[0].count, 2);
  assertEquals(list[0].count, 1);
});

Deno.test("ErrorGroups records when a cause first and last occurred, and the last action", () => {
  const groups = new ErrorGroups();
  groups.add(makeFailedAttempt({ action: "retried" }), 1000);
  groups.add(makeFailedAttempt({ action: "halted" }), 2000);
  groups.add(makeFailedAttempt({ action: "failed" }), 9000);
  const [{ first_seen, last_seen, action, actions }] = groups.list();
  assertEquals(actions, { retried: 1, halted: 1, failed: 1 });
  assertEquals([first_seen, last_seen, action], [
    "1970-01-01T00:00:01.000Z",
    "1970-01-01T00:00:09.000Z",
    "failed",
  ]);
});

Deno.test("ErrorGroups names up to three rows of a cause, each once, short and printable", () => {
  const groups = new ErrorGroups();
  const add = (changes: Partial<FailedAttempt>) => groups.add(makeFailedAttempt(changes), 0);
  const other = { type: "timeout", status: null, message: "No answer" } as const;
  for (const uid of ["a\x1b[2J", "a", "b".repeat(100_000), "c", "d", "e"]) add({ uid });
  add({ uid: "f", failure: other });
  assertEquals(groups.list().map(({ uids }) => uids), [["a", "b".repeat(99) + "…", "c"], ["f"]]);
});
