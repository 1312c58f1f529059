/** After a crash: calls that may have been paid for and are not on disk. @module */

import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import { resultOf } from "../../lib/progress/mod.ts";
import type { RunEnd, Summary } from "../../mod.ts";
import { errorAnswer } from "../support/ledger_server.ts";
import { serveLimited } from "../support/limited_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertVerified, numberedRows, startDistill } from "./fixture.ts";
import { KILLED } from "../support/process.ts";
import { runLibrary } from "./library_run.ts";

const ROWS = 400;
const CONCURRENCY = 20;

/** The summary in `run.json` is the one that was given, and its attempts add up. */
async function assertSums(dir: TempDir, summary: Summary): Promise<void> {
  const noted = JSON.parse(await dir.read("out/in.run.json")).summary as RunEnd;
  assertEquals(JSON.stringify(resultOf(noted)), JSON.stringify(summary));
  const { attempts, succeeded_attempts, failed_attempts, unknown_attempts } = noted;
  assertEquals(attempts, succeeded_attempts + failed_attempts + unknown_attempts);
  assertEquals(noted.total, noted.skipped + noted.succeeded + noted.failed + noted.pending);
}

/** Every tenth attempt fails, so that attempts and rows are not the same. A row fails once at most:
 * by chance, all five attempts of one could be a tenth. */
function everyTenthFault() {
  const failed = new Set<string>();
  return ({ prompt }: { prompt: string }, { n }: { n: number }) => {
    if (n % 10 !== 0 || failed.has(prompt)) return undefined;
    failed.add(prompt);
    return errorAnswer(500);
  };
}

Deno.test("after kill -9 the next summary holds at least what was in flight, and little more", async () => {
  await using dir = await tempDir();
  await using server = serveLimited({
    latencyMs: 100,
    answer: everyTenthFault(),
  });
  const input = await dir.write("in.jsonl", numberedRows(ROWS));
  const args = [input, "-o", dir.path("out/"), "-c", String(CONCURRENCY), "--progress", "none"];
  let unanswered: number;
  {
    await using child = await startDistill(server, args);
    await Promise.race([server.untilPosts(ROWS / 2), child.output()]);
    child.kill("SIGKILL");
    unanswered = server.inFlight;
    const { signal, stderr } = await child.output();
    assertEquals(signal, KILLED, stderr);
  }
  assertGreater(unanswered, 0);
  const before = server.ledger.length;
  const { summary } = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY });
  assertEquals([summary.state, summary.failed, summary.pending], ["done", 0, 0]);
  assertGreater(summary.skipped, 0);
  assertGreaterOrEqual(summary.crashed_in_flight, unanswered);
  assertLessOrEqual(summary.crashed_in_flight, CONCURRENCY);
  assertEquals(summary.attempts, server.ledger.length - before);
  await assertSums(dir, summary);
  // What was answered twice is no more than what may have been in flight.
  const repeated = server.count(200) - ROWS;
  assertLessOrEqual(repeated, summary.crashed_in_flight);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("an aborted run counts the calls that it canceled separately", async () => {
  await using dir = await tempDir();
  await using server = serveLimited({
    latencyMs: 100,
    answer: everyTenthFault(),
  });
  const options = { rows: ROWS, concurrency: CONCURRENCY };
  const { summary } = await runLibrary(dir, [server], {
    ...options,
    onStart: (generator) =>
      void server.untilPosts(ROWS / 2).then(() => generator.abort(new Error("enough"))),
  });
  assertEquals(summary.state, "interrupted");
  // Of the calls that were given up, some may not have reached the server yet.
  assertLessOrEqual(server.ledger.length, summary.attempts);
  assertGreaterOrEqual(server.ledger.length, summary.attempts - summary.unknown_attempts);
  assertGreater(summary.unknown_attempts, 0);
  assertLessOrEqual(summary.unknown_attempts, CONCURRENCY);
  assertLess(summary.succeeded, ROWS);
  await assertSums(dir, summary);
  const rest = (await runLibrary(dir, [server], options)).summary;
  assertEquals([rest.state, rest.pending, rest.crashed_in_flight], ["done", 0, 0]);
  assertEquals(rest.skipped + rest.succeeded, ROWS);
  await assertSums(dir, rest);
});

Deno.test("a halt because of repeated rejections counts as failed what the failures file holds", async () => {
  await using dir = await tempDir();
  await using server = serveLimited({
    latencyMs: 1,
    // Now and then a row is refused by itself, and from the 100th on all are.
    answer: (_, { n }) => n >= 100 || n % 10 === 0 ? errorAnswer(400) : undefined,
  });
  const { summary } = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY });
  assertEquals(summary.state, "halted");
  const lines = (await dir.read("out/in_error.jsonl")).split("\n").length - 1;
  const sum = (action: "failed" | "halted") =>
    summary.errors.reduce((total, { actions }) => total + actions[action], 0);
  assertEquals([summary.failed, sum("failed")], [lines, lines]);
  assertEquals(sum("halted"), summary.failed_attempts - lines);
  assertGreaterOrEqual(sum("halted"), 20);
  await assertSums(dir, summary);
});
