/** A teacher that asks to be left alone is left alone, as long as it makes sense. @module */

import {
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { errorAnswer } from "../support/ledger_server.ts";
import { type LedgerEntry, serveLimited } from "../support/limited_server.ts";
import { tempDir } from "../support/temp.ts";
import { runLibrary } from "./library_run.ts";

const CONCURRENCY = 20;

Deno.test("after one 429 or 503 with Retry-After: 2 nothing is sent for 2 s, then all goes on", async () => {
  const rows = 400, waitMs = 2_000;
  await Promise.all([429, 503].map(async (status) => {
    await using dir = await tempDir();
    let refused: LedgerEntry | undefined;
    await using server = serveLimited({
      latencyMs: 50,
      answer(_, entry) {
        if (refused !== undefined || entry.n <= rows / 2) return undefined;
        refused = entry;
        return errorAnswer(status, "Slow down", { "retry-after": String(waitMs / 1_000) });
      },
    });
    const options = { rows, concurrency: CONCURRENCY };
    const { summary, snapshots } = await runLibrary(dir, [server], options);
    assertEquals([summary.succeeded, summary.failed, summary.refused_for_load], [rows, 0, 1]);
    const from = refused!.answeredAt!;
    const later = server.ledger.map(({ at }) => at - from).filter((ms) => ms > 0);
    // Calls that were on their way as the refusal was.
    const under = later.filter((ms) => ms < waitMs);
    assertLessOrEqual(under.length, CONCURRENCY);
    assertLess(Math.max(0, ...under), 100);
    assertLess(Math.min(...later.filter((ms) => ms >= waitMs)), waitMs + 1_000);
    const resting = snapshots.find(({ state }) => state === "backing_off");
    assertStringIncludes(resting?.reason ?? "", `${status}: Slow down`);
    assertEquals(resting?.teachers[0].state, "cooling_down");
  }));
});

/** What is no time to wait, and what is longer than anybody means. */
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
Deno.test("a senseless Retry-After neither spins nor sleeps for ever", async () => {
  const rows = 20, refusingMs = 1_500;
  const cases = [429, 503].flatMap((status) => NONSENSE.map((after) => ({ status, after })));
  await Promise.all(cases.map(async ({ status, after }) => {
    await using dir = await tempDir();
    const startedAt = performance.now(), name = `${status} ${after}`;
    await using server = serveLimited({
      latencyMs: 1,
      answer: (_, { at }) =>
        at - startedAt < refusingMs
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
    assertLess(summary.elapsed_ms, 15_000, name);
  }));
});
