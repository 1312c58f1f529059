/** Several teachers share a run: by weight, and without those that are gone. @module */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import type { Snapshot } from "../../mod.ts";
import { type LimitedServer, serveLimited } from "../support/limited_server.ts";
import { runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, numberedRows } from "./fixture.ts";
import { type LibraryRun, runLibrary } from "./library_run.ts";

/** Proves that each answer says whose it is, and that the summary counts it there. */
async function assertWhose(
  dir: TempDir,
  servers: readonly LimitedServer[],
  { summary }: LibraryRun,
): Promise<void> {
  const asked = servers.map(({ ledger }) =>
    new Set(ledger.filter(({ status }) => status === 200).map(({ prompt }) => prompt))
  );
  const answered = servers.map(() => 0);
  for (const { prompt, response, distill } of await dir.rows("out/in.jsonl")) {
    const whose = servers.findIndex(({ url }) => url === distill.teacher);
    assert(asked[whose].has(prompt), `${prompt} was not answered by ${distill.teacher}`);
    assertEquals(response, `answer to ${prompt}`);
    answered[whose]++;
  }
  assertEquals(summary.teachers.map(({ address }) => address), servers.map(({ url }) => url));
  assertEquals(summary.teachers.map((teacher) => teacher.answered), answered);
  assertEquals(summary.teachers.map((teacher) => teacher.completion_tokens), answered.map(tokens));
}

/** Every answer has 11. */
function tokens(answers: number): number {
  return 11 * answers;
}

Deno.test("two teachers of the same speed get rows by their weights", async () => {
  await using dir = await tempDir();
  await using first = serveLimited({ latencyMs: 50 });
  await using second = serveLimited({ latencyMs: 50 });
  const servers = [first, second], rows = 800;
  const run = await runLibrary(dir, servers, { rows, concurrency: 20, weights: [3, 1] });
  assertEquals([run.summary.succeeded, run.summary.failed], [rows, 0]);
  assertAlmostEquals(first.ledger.length, 0.75 * rows, 0.075 * rows);
  assertAlmostEquals(second.ledger.length, 0.25 * rows, 0.025 * rows);
  assertEquals(run.summary.teachers.map(({ weight, state }) => [weight, state]), [
    [3, "up"],
    [1, "up"],
  ]);
  await assertWhose(dir, servers, run);
});

Deno.test("a slow teacher gets what it can take, not its half", async () => {
  await using dir = await tempDir();
  const rows = 600, concurrency = 20;
  // An answer of the slow one takes as long as ten of each lane of the other: counted, because a
  // busy machine makes every answer slow.
  const waiting: { until: number; answer: () => void }[] = [];
  let posts = 0;
  const release = () => {
    const isLast = ++posts >= rows;
    while (waiting.length > 0 && (isLast || waiting[0].until <= quick.ledger.length)) {
      waiting.shift()!.answer();
    }
  };
  await using quick = serveLimited({ latencyMs: 0, answer: release });
  await using slow = serveLimited({
    latencyMs: 0,
    answer() {
      release();
      if (posts >= rows) return undefined;
      const { promise, resolve } = Promise.withResolvers<undefined>();
      waiting.push({
        until: quick.ledger.length + 10 * concurrency / 2,
        answer: () => resolve(undefined),
      });
      return promise;
    },
  });
  const servers = [quick, slow];
  const run = await runLibrary(dir, servers, { rows, concurrency, carefulStart: false });
  assertEquals([run.summary.succeeded, run.summary.failed], [rows, 0]);
  assertGreater(slow.ledger.length, 0);
  assertGreater(quick.ledger.length, 4 * slow.ledger.length);
  await assertWhose(dir, servers, run);
});

Deno.test("a teacher that is killed costs no row, is left alone, and rejoins when it is back", async () => {
  await using dir = await tempDir();
  await using steady = serveLimited({ latencyMs: 100 });
  await using mortal = serveLimited({ latencyMs: 100 });
  const servers = [steady, mortal], rows = 1_000, downMs = 1_500;
  const seen: Snapshot["teachers"] = [];
  let killedAt = 0, revivedAt = 0, postsBefore = 0;
  const fate = (async () => {
    await mortal.untilPosts(100);
    killedAt = performance.now();
    await mortal.kill();
    await new Promise((resolve) => setTimeout(resolve, downMs));
    postsBefore = mortal.ledger.length;
    revivedAt = performance.now();
    mortal.revive();
  })();
  const run = await runLibrary(dir, servers, {
    rows,
    concurrency: 20,
    onStart: (generator) =>
      generator.on((event) => {
        if (event.type === "snapshot" && event.teachers.length > 1) seen.push(event.teachers[1]);
      }),
  });
  await fate;
  assertEquals([run.summary.state, run.summary.succeeded, run.summary.failed], ["done", rows, 0]);
  // While it was gone: what was in flight when it went down, then a probe a second.
  const lost = run.attempts.filter(({ server, startedAt }) =>
    server === 1 && startedAt > killedAt && startedAt < revivedAt
  );
  assertLessOrEqual(lost.length, 20 + (revivedAt - killedAt) / 1_000);
  const down = seen.find(({ state }) => state === "down");
  assertStringIncludes(down?.reason ?? "", "connection refused");
  assertGreater(Date.parse(down?.until ?? ""), 0);
  // It is back, and does its share.
  assertEquals(run.summary.teachers[1].state, "up");
  assertGreater(mortal.ledger.length - postsBefore, 50);
  await assertWhose(dir, servers, run);
});

Deno.test("the wait for an empty list of teachers ends after the time of --deadline", async () => {
  await using dir = await tempDir();
  const list = await dir.write("list.txt", "# no pod yet\n");
  const input = await dir.write("in.jsonl", numberedRows(1));
  const args = [input, "-o", dir.path("out/"), "--base-url", `@${list}`, "-m", "m", "--wait"];
  const result = await runCli([...args, "--deadline", "500ms"]);
  assertExit(result, 2);
  assertStringIncludes(result.stderr, "it contains no address (0.5 s at most)");
});
