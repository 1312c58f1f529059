/** A retry that is interrupted and started again sends no row twice. @module */

import { assertEquals, assertNotEquals } from "../../lib/deps/std_assert.ts";
import { retryIdsOf, retryOf } from "../../lib/run/retry.ts";
import {
  type Completion,
  ResponseGenerator,
  type RunOptions,
  type Summary,
  TeacherError,
  type TeacherRequest,
} from "../../mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const IDS = ["ok", "a", "b", "c", "d"];

interface RetryRun extends Partial<RunOptions> {
  /** Rows that fail. */
  readonly failing: readonly string[];
  /** The row at which the user stops the run. */
  readonly stopAt?: string;
  readonly temperature?: number;
}

/** Runs, and returns the rows that were sent, one after the other, and the notices. */
async function run(
  dir: TempDir,
  { failing, stopAt, temperature = 1, ...options }: RetryRun,
): Promise<{ asked: string; summary: Summary; notices: string[] }> {
  const asked: string[] = [];
  const teacher = {
    model: "test",
    complete({ uid }: TeacherRequest): Promise<Completion> {
      asked.push(uid);
      if (uid === stopAt) generator.stop();
      if (failing.includes(uid)) {
        return Promise.reject(new TeacherError(`not ${uid}`, { status: 400 }));
      }
      return Promise.resolve({ response: uid, finishReason: "stop", usage: null, model: "test" });
    },
  };
  const params = { temperature };
  const generator: ResponseGenerator = new ResponseGenerator({ teacher, concurrency: 1, params });
  const notices: string[] = [];
  generator.on((event) => {
    if (event.type === "notice") notices.push(event.message);
  });
  const files = { input: dir.path("in.jsonl"), output: dir.path("out/") };
  const summary = await generator.run({ ...files, ...options });
  return { asked: asked.join(""), summary, notices };
}

/** Rows of which four have failed, two of them again in a retry that was then stopped. */
async function interruptedRetry(): Promise<TempDir> {
  const dir = await tempDir();
  await dir.write("in.jsonl", IDS.map((id) => ({ id, prompt: id })));
  const failing = ["a", "b", "c", "d"];
  assertEquals((await run(dir, { failing })).asked, "okabcd");
  const stopped = await run(dir, { failing, stopAt: "b", retry: true });
  assertEquals([stopped.asked, stopped.summary.state], ["ab", "interrupted"]);
  return dir;
}

Deno.test("an interrupted retry continues with the rows that it has not sent", async () => {
  await using dir = await interruptedRetry();
  const again = await run(dir, { failing: ["c", "d"], stopAt: "c", retry: true });
  assertEquals([again.asked, again.summary.state], ["c", "interrupted"]);
  const last = await run(dir, { failing: [], retry: true });
  assertEquals([last.asked, last.summary.state], ["d", "done"]);
  assertEquals(last.summary.failuresOnDisk, 3);
  assertEquals(
    last.notices.filter((text) => text.includes("leaves out")),
    [
      "This retry leaves out 3 rows that failed again after it began: once it is done, the same " +
      "command retries such rows",
    ],
  );
  const next = await run(dir, { failing: ["a"], retry: true });
  assertEquals([next.asked, next.summary.failuresOnDisk], ["abc", 1]);
});

Deno.test("an interrupted retry continues with the rows that it has not sent, also if the clock was set back", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", IDS.map((id) => ({ id, prompt: id })));
  const failing = ["a", "b", "c", "d"];
  await run(dir, { failing });
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  const failures = await dir.read("out/in_error.jsonl");
  await dir.write("out/in_error.jsonl", failures.replace(/(?<="created":")[^"]+/g, inAnHour));
  const retry = { retry: true, failing };
  assertEquals((await run(dir, { ...retry, stopAt: "b" })).asked, "ab");
  assertEquals((await run(dir, { ...retry, stopAt: "c" })).asked, "c");
  assertEquals((await run(dir, retry)).asked, "d");
  assertEquals((await run(dir, retry)).asked, "abcd");
});

Deno.test("a run or another retry that sends nothing leaves an interrupted retry to be continued", async () => {
  for (const idle of [{}, { retry: [500] }]) {
    await using dir = await interruptedRetry();
    assertEquals((await run(dir, { failing: [], ...idle })).asked, "");
    const retry = { retry: true, failing: ["c", "d"] };
    assertEquals((await run(dir, retry)).asked, "cd");
    assertEquals((await run(dir, retry)).asked, "abcd");
  }
});

Deno.test("an interrupted retry of answered rows leaves its own answers alone", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", IDS.map((id) => ({ id, prompt: id })));
  await run(dir, { failing: ["d"] });
  const retry = { retry: true, uids: ["a", "b", "c", "d"], reaskAnswered: true, failing: ["a"] };
  assertEquals((await run(dir, { ...retry, stopAt: "b" })).asked, "ab");
  const { asked, notices, summary } = await run(dir, retry);
  assertEquals([asked, summary.state, summary.failuresOnDisk], ["cd", "done", 1]);
  assertEquals(notices.filter((text) => text.includes("--reask-answered")), []);
  assertEquals((await dir.rows("out/in.outdated.jsonl")).map(({ uid }) => uid), ["a", "b", "c"]);
  assertEquals((await run(dir, { ...retry, failing: [] })).asked, "abcd");
});

Deno.test("a retry with other choices, or after a run, sends all failed rows", async () => {
  for (const options of [{ temperature: 0 }, { retry: [400] }, { uids: ["a", "c"] }]) {
    await using dir = await interruptedRetry();
    const { asked } = await run(dir, { failing: [], retry: true, ...options });
    assertEquals(asked, "uids" in options ? "ac" : "abcd", Object.keys(options)[0]);
  }
  await using dir = await interruptedRetry();
  await dir.write("in.jsonl", [...IDS, "e"].map((id) => ({ id, prompt: id })));
  assertEquals((await run(dir, { failing: ["e"] })).asked, "e");
  assertEquals((await run(dir, { failing: [], retry: true })).asked, "abcde");
});

Deno.test("a retry of many inputs hashes its ids once", async () => {
  await using dir = await tempDir();
  const input: string[] = [];
  for (const id of IDS) input.push(await dir.write(`${id}.jsonl`, [{ id, prompt: id }]));
  await run(dir, { failing: ["a", "b"], input });
  let hashed = 0;
  const uids = Object.assign(["a", "b"], { toJSON: () => `ids ${++hashed}` });
  assertEquals((await run(dir, { failing: [], retry: true, uids, input })).asked, "ab");
  assertEquals(hashed, 1);
});

Deno.test("each option that decides which rows are sent, or whether they fail, makes another retry", () => {
  type Arguments = Parameters<typeof retryIdsOf>;
  const run = { retry: true }, generator = { retryPolicy: { maxAttempts: 5 } };
  const idsOf = (runChange: object, generatorChange: object) =>
    retryIdsOf(
      { ...run, ...runChange } as Arguments[0],
      { ...generator, ...generatorChange } as unknown as Arguments[1],
      { model: "m", json_schema: null } as Arguments[2],
    );
  const idOf = (...changes: Parameters<typeof idsOf>) => idsOf(...changes)[0];
  const same = idOf({}, {});
  // An interrupted retry is continued by later versions: else, rows that have failed again are sent
  // once more.
  assertEquals(same, "1e46d0739167dfa7");
  const askedSchema = { name: "answer", schema: {} };
  const withSchema = idsOf({}, { jsonSchema: {}, askedSchema });
  assertEquals(withSchema, ["3cd455b1003a4489", "2a523268d7558827"]);
  for (const id of withSchema) {
    const earlier = { since: "2026-01-01T00:00:00.000Z", id };
    assertEquals(retryOf(withSchema, earlier), { unfinished: earlier, before: earlier.since });
  }
  const runChanges = {
    ...{ retry: ["429"], uids: ["a"], excludeUids: ["a"], limit: 5 },
    ...{ changed: "reask", reaskAnswered: true },
  };
  const generatorChanges = {
    ...{ samples: 2, rowTimeoutMs: 1, onTruncated: "escalate", maxTokensCap: 9 },
    ...{ acceptEndings: ["x"], rejectRefusals: true, requireJson: true },
    ...{ jsonSchema: {}, askedSchema: {}, rejectPattern: /x/, resample: 2 },
    retryPolicy: { maxAttempts: 6 },
  };
  for (const [name, value] of Object.entries(runChanges)) {
    assertNotEquals(idOf({ [name]: value }, {}), same, name);
  }
  for (const [name, value] of Object.entries(generatorChanges)) {
    assertNotEquals(idOf({}, { [name]: value }), same, name);
  }
  assertEquals(idOf({ retry: false }, {}), undefined);
});
