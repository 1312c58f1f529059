/** A temporary outage of a teacher costs no row, and almost no calls. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../mod.ts";
import { errorAnswer } from "../support/ledger_server.ts";
import { serveLimited } from "../support/limited_server.ts";
import { tempDir } from "../support/temp.ts";
import { type LibraryRun, runLibrary } from "./library_run.ts";

const ROWS = 300;
const CONCURRENCY = 10;

/** The parts of a second that lie between two times. */
function seconds(from: number, to: number): number {
  return (to - from) / 1_000;
}

/** How many attempts made no connection, and how many lost theirs. */
function broken({ attempts }: LibraryRun): { refused: number; cut: number } {
  const errors = attempts.map(({ error }) => error)
    .filter((error) => error instanceof TeacherError && error.type === "network") as TeacherError[];
  const refused = errors.filter(({ isUnreachable }) => isUnreachable).length;
  return { refused, cut: errors.length - refused };
}

/** Proves that every attempt is accounted for, against what was seen of it from outside. */
function assertAccounts(run: LibraryRun, posts: number): void {
  const { summary, attempts } = run;
  const { refused, cut } = broken(run);
  assertEquals(summary.attempts, attempts.length);
  assertGreaterOrEqual(summary.attempts, posts + refused);
  // A connection may be cut before the server has read from it.
  assertLessOrEqual(summary.attempts, posts + refused + cut);
  assertEquals(
    summary.attempts,
    summary.succeeded_attempts + summary.failed_attempts + summary.unknown_attempts,
  );
  assertEquals(summary.succeeded_attempts, summary.succeeded);
  assertEquals(summary.unknown_attempts, 0);
  assertEquals(summary.retries, summary.attempts - summary.total);
  assertEquals(
    summary.errors.reduce((sum, { count }) => sum + count, 0),
    summary.failed_attempts,
  );
}

Deno.test("a server that is down for 6 s: no row fails, one probe a second at most, and it continues by itself", async () => {
  await using dir = await tempDir();
  await using server = serveLimited({ latencyMs: 50 });
  let goneAt = 0, backAt = 0;
  const fate = (async () => {
    await server.untilPosts(ROWS / 2);
    await server.kill();
    goneAt = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    backAt = performance.now();
    server.revive();
  })();
  const run = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY });
  await fate;
  const { summary, snapshots, attempts } = run;
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", ROWS, 0]);
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  assertAccounts(run, server.ledger.length);

  const resting = snapshots.filter(({ state }) => state === "backing_off");
  // The listener is called at least once a second.
  assertGreaterOrEqual(resting.length, 5);
  for (const { backing_off_until, reason, teachers } of resting) {
    assert(Date.parse(backing_off_until!) > 0, `until ${backing_off_until}`);
    assert(reason !== null && reason !== "", "no reason");
    assertEquals(teachers.length, 1);
  }
  const down = resting.filter(({ teachers }) => teachers[0].state === "down");
  assertGreaterOrEqual(down.length, 4);
  assertStringIncludes(down.at(-1)!.reason!, "connection refused");

  // What was about to be sent as it went, then probes.
  const probes = attempts.filter(({ startedAt }) =>
    startedAt > goneAt + 1_000 && startedAt < backAt
  );
  assertGreater(probes.length, 0);
  assertLessOrEqual(probes.length, seconds(goneAt + 1_000, backAt));
  assertLessOrEqual(broken(run).refused, 2 * CONCURRENCY + probes.length);
  const next = attempts.find(({ startedAt, error }) => startedAt > backAt && error === undefined);
  assertLess(seconds(backAt, next!.startedAt), 6);
});

Deno.test("a server that answers nothing but 500 for a while fails no row either", async () => {
  await using dir = await tempDir();
  let brokenAt = Infinity, posts = 0;
  const downMs = 4_000;
  await using server = serveLimited({
    latencyMs: 20,
    answer(_, { n, at }) {
      if (n === ROWS / 2) brokenAt = at;
      if (at < brokenAt || at > brokenAt + downMs) return undefined;
      if (at > brokenAt + 1_000) posts++;
      return errorAnswer(500, "The database is gone");
    },
  });
  const run = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY });
  const { summary, snapshots } = run;
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", ROWS, 0]);
  assertAccounts(run, server.ledger.length);
  assertLessOrEqual(posts, (downMs - 1_000) / 1_000);
  assert(
    snapshots.some(({ state, reason }) =>
      state === "backing_off" && reason?.includes("The database is gone")
    ),
  );
});
