/**
 * `Retry-After` is respected as long as it makes sense. `tests/engine/engine_cool_down_test.ts`
 * tests this to the millisecond in simulated time; this file tests the parts that do not depend on
 * a busy machine.
 *
 * @module
 */

import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { errorAnswer } from "../support/ledger_server.ts";
import { type LedgerEntry, serveLimited } from "../support/limited_server.ts";
import { tempDir } from "../support/temp.ts";
import { runLibrary } from "./library_run.ts";

const CONCURRENCY = 20;

/** How a teacher refuses some of 400 rows. */
interface Refusals {
  /** The first requests that are refused: from the 201st on. */
  readonly count: number;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A run with refusals in its middle; returns the times of requests after the last of them, in ms.
 */
async function runPast(status: number, { count, headers }: Refusals) {
  const rows = 400;
  await using dir = await tempDir();
  const refused: LedgerEntry[] = [];
  await using server = serveLimited({
    latencyMs: 50,
    answer(_, entry) {
      if (entry.n <= rows / 2 || refused.length === count) return undefined;
      refused.push(entry);
      return errorAnswer(status, "Slow down", headers);
    },
  });
  const options = { rows, concurrency: CONCURRENCY };
  const { summary, snapshots } = await runLibrary(dir, [server], options);
  assertEquals([summary.succeeded, summary.failed, summary.refused_for_load], [rows, 0, count]);
  const from = refused.at(-1)!.answeredAt!;
  const later = server.ledger.map(({ at, prompt }) => ({ ms: at - from, prompt }))
    .filter(({ ms }) => ms > 0);
  return { later, prompts: refused.map(({ prompt }) => prompt), snapshots };
}

const RESTS: readonly [name: string, Refusals][] = [
  ["one refusal that says that nothing is left of a limit", {
    count: 1,
    headers: { "retry-after": "2", "x-ratelimit-remaining-requests": "0" },
  }],
  ["three refusals in a row", { count: 3, headers: { "retry-after": "2" } }],
];
for (const [name, refusals] of RESTS) {
  Deno.test(`after ${name} nothing is sent until Retry-After is over, then all continues`, async () => {
    await Promise.all([429, 503].map(async (status) => {
      const { later, snapshots } = await runPast(status, refusals);
      const laterMs = later.map(({ ms }) => ms);
      const waitMs = 2_000;
      // Calls that were in flight at the refusal, each from a lane of its own.
      const under = laterMs.filter((ms) => ms < waitMs - 100);
      assertLessOrEqual(under.length, CONCURRENCY);
      assertLess(Math.max(0, ...under), waitMs / 2);
      assertGreater(laterMs.length, under.length);
      const backingOff = snapshots.find(({ state }) => state === "backing_off");
      assertStringIncludes(backingOff?.reason ?? "", `${status}: Slow down`);
      assertEquals(backingOff?.teachers[0].state, "cooling_down");
    }));
  });
}

Deno.test("one refusal with Retry-After holds back its row and no other", async () => {
  await Promise.all([429, 503].map(async (status) => {
    const headers = { "retry-after": "2" };
    const { later, prompts, snapshots } = await runPast(status, { count: 1, headers });
    const row = later.filter(({ prompt }) => prompt === prompts[0]);
    assertEquals(row.length, 1);
    assertGreaterOrEqual(row[0].ms, 1_900);
    // More than what was on its way.
    assertGreater(later.filter(({ ms }) => ms < 1_900).length, 2 * CONCURRENCY);
    const states = snapshots.flatMap(({ teachers }) => teachers.map(({ state }) => state));
    assertEquals(states.includes("cooling_down"), false);
  }));
});

/** Invalid waits, and waits that are too long to be meant. */
const NONSENSE = [
  "-5",
  "NaN",
  "soon",
  "Infinity",
  "99999999999",
  "1e300",
  "Wed, 21 Oct 2015 07:28:00 GMT",
  "Fri, 21 Oct 2095 07:28:00 GMT",
];
Deno.test("a nonsensical Retry-After causes neither a busy loop nor an endless wait", async () => {
  const rows = 20, refusingMs = 1_500;
  const cases = [429, 503].flatMap((status) => NONSENSE.map((after) => ({ status, after })));
  await Promise.all(cases.map(async ({ status, after }) => {
    await using dir = await tempDir();
    const name = `${status} ${after}`;
    let firstAt: number | undefined;
    await using server = serveLimited({
      latencyMs: 1,
      answer: (_, { at }) =>
        at - (firstAt ??= at) < refusingMs
          ? errorAnswer(status, "Slow down", { "retry-after": after })
          : undefined,
    });
    const { summary } = await runLibrary(dir, [server], { rows, concurrency: CONCURRENCY });
    assertEquals([summary.succeeded, summary.failed], [rows, 0], name);
    const refusals = server.count(status);
    assertGreater(refusals, 0, name);
    // As often as a row is tried in that time where its waits double from half a second.
    assertLessOrEqual(refusals, 4 * rows, name);
    assertEquals(server.ledger.length, rows + refusals, name);
    assertLess(summary.elapsed_ms, 60_000, name);
  }));
});
