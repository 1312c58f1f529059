/** A killed process loses no results, and costs at most the calls in flight. @module */

import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import {
  assertExit,
  assertVerified,
  distill,
  numberedRows,
  seededRandom,
  startDistill,
} from "./fixture.ts";
import { KILLED } from "../support/process.ts";

const ROWS = 720;
const KILLS = 6;
const CONCURRENCY = 20;
const SEED = 20_260;

Deno.test("6 × kill -9 at random moments lose no row, double none, and repeat only calls in flight", async () => {
  await using dir = await tempDir();
  const random = seededRandom(SEED);
  await using server = serveLedger(async () => {
    await delay(2 + random() * 6);
    return undefined;
  }, { keep: false });
  const input = await dir.write("in.jsonl", numberedRows(ROWS));
  const args = [input, "-o", dir.path("out/"), "-c", String(CONCURRENCY), "--progress", "none"];

  let done = "";
  for (let kill = 0; kill < KILLS; kill++) {
    const before = server.posts;
    await using child = await startDistill(server, args);
    // Now and then so early that it still reads its files, most often while calls are in flight.
    const moment = kill % 3 === 0
      ? delay(random() * 250)
      : server.untilPosts(before + 1 + Math.floor(random() * 60)).then(() => delay(random() * 10));
    await moment;
    child.kill("SIGKILL");
    const { signal, stderr } = await child.output();
    assertEquals(signal, KILLED, stderr);
    const now = await wholeLines(dir);
    assert(now.startsWith(done), "a done row was taken back");
    done = now;
  }
  assert(done.length > 0, "no run got so far as to write a row");
  assert(done.split("\n").length < ROWS, "the runs were over before they were killed");

  assertExit(await distill(server, args), 0);
  assert((await dir.read("out/in.jsonl")).startsWith(done));
  const results = await dir.rows("out/in.jsonl");
  assertEquals(results.length, ROWS);
  assertEquals(new Set(results.map(({ uid }) => uid)).size, ROWS);
  for (const { prompt, response } of results) assertEquals(response, `answer to ${prompt}`);
  await assertVerified(dir, "in.jsonl", "out/");
  const repeated = server.posts - ROWS;
  assertLessOrEqual(repeated, KILLS * CONCURRENCY);
});

Deno.test("a run that starts after a crash warns at once: a supervisor may kill each of its runs", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const note = { pid: 1, started: "2026-01-01T00:00:00.000Z", running: true, in_flight: 7 };
  await dir.write("out/in.lock", `${JSON.stringify(note)}\n`);
  const args = [input, "-o", dir.path("out/"), "--quiet"];
  const { code, stderr } = await distill(server, args);
  assertEquals(code, 0, stderr);
  assertStringIncludes(
    stderr,
    "Warning: The last run crashed with at most 7 calls in flight.",
  );
  assertEquals((await distill(server, args)).stderr, "", "an orderly end is no crash");
});

/** The results file up to the end of its last whole line. */
async function wholeLines(dir: TempDir): Promise<string> {
  if (!(await dir.exists("out/in.jsonl"))) return "";
  const text = await dir.read("out/in.jsonl");
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
