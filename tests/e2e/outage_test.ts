/** A temporary outage of a teacher costs no row, and almost no calls. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { type ResponseGenerator, TeacherError } from "../../mod.ts";
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

/** Records when the first teacher was first reported as down. */
function watchDown(): { at: number; onStart: (generator: ResponseGenerator) => void } {
  const down = {
    at: Infinity,
    onStart: (generator: ResponseGenerator) =>
      generator.on((event) => {
        if (event.type !== "snapshot" || event.teachers[0].state !== "down") return;
        down.at = Math.min(down.at, performance.now());
      }),
  };
  return down;
}

/** Proves that a teacher that was down was sent a probe a second at most. Returns the probes. */
function assertProbes({ attempts }: LibraryRun, downAt: number, until: number): number {
  const probes = attempts.filter(({ startedAt }) => startedAt > downAt && startedAt < until).length;
  assert(downAt < Infinity, "it was never down");
  assertLessOrEqual(probes, 1 + Math.max(0, seconds(downAt, until)));
  return probes;
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
  const watched = watchDown();
  let backAt = 0;
  const fate = (async () => {
    await server.untilPosts(ROWS / 2);
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    backAt = performance.now();
    server.revive();
  })();
  const { onStart } = watched;
  const run = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY, onStart });
  await fate;
  const { summary, snapshots } = run;
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", ROWS, 0]);
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  assertAccounts(run, server.ledger.length);

  const backingOff = snapshots.filter(({ state }) => state === "backing_off");
  assertGreater(backingOff.length, 0);
  for (const { backing_off_until, reason, teachers } of backingOff) {
    assert(Date.parse(backing_off_until!) > 0, `until ${backing_off_until}`);
    assert(reason !== null && reason !== "", "no reason");
    assertEquals(teachers.length, 1);
  }
  const down = backingOff.filter(({ teachers }) => teachers[0].state === "down");
  assertGreater(down.length, 0);
  assertStringIncludes(down.at(-1)!.reason!, "connection refused");

  // What was about to be sent as it went, then probes.
  const probes = assertProbes(run, watched.at, backAt);
  assertGreater(probes, 0);
  assertLessOrEqual(broken(run).refused, 2 * CONCURRENCY + probes);
});

Deno.test("a server that answers nothing but 500 for a while fails no row either", async () => {
  await using dir = await tempDir();
  let brokenAt = Infinity;
  const downMs = 4_000, watched = watchDown();
  await using server = serveLimited({
    latencyMs: 20,
    answer(_, { n, at }) {
      if (n === ROWS / 2) brokenAt = at;
      const isBroken = at >= brokenAt && at <= brokenAt + downMs;
      return isBroken ? errorAnswer(500, "The database is gone") : undefined;
    },
  });
  const { onStart } = watched;
  const run = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY, onStart });
  const { summary, snapshots } = run;
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", ROWS, 0]);
  assertAccounts(run, server.ledger.length);
  assertProbes(run, watched.at, brokenAt + downMs);
  assert(
    snapshots.some(({ state, reason }) =>
      state === "backing_off" && reason?.includes("The database is gone")
    ),
  );
});
