import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import type { RunNotices } from "../../lib/run/notices.ts";
import { DisplacedAnswers, OutputWatch } from "../../lib/run/unwritable_outputs.ts";

/** A watched output; the test sets its problem. */
class TestJob {
  problem: string | undefined;
  looks = 0;
  moves = 0;

  check(): Promise<string | undefined> {
    this.looks++;
    return Promise.resolve(this.problem);
  }

  moveAway(paths: string[]): Promise<void> {
    this.moves++;
    this.problem = undefined;
    paths.push("x.rescued-1.jsonl");
    return Promise.resolve();
  }
}

function setUp() {
  const job = new TestJob();
  const lost: string[] = [];
  const empty = new Set<string>();
  let now = 0;
  const watch = new OutputWatch([job], ({ message }) => lost.push(message), {
    now: () => now,
    delay: (ms) => Promise.resolve(now += ms),
    hasContent: (path) => Promise.resolve(!empty.has(path)),
  });
  /** Advances the time, by a second unless told otherwise, and waits for the check. */
  const second = async (ms = 1_000) => {
    now += ms;
    await watch.tick();
  };
  return { job, lost, empty, watch, second };
}

Deno.test("OutputWatch acts on what it sees twice, a second apart", async () => {
  const { job, lost, watch, second } = setUp();
  await second();
  job.problem = "it was truncated";
  await second();
  await second(100);
  assertEquals([lost.length, job.moves], [0, 0]);
  await second();
  assertEquals([lost.length, job.moves], [1, 1]);
  await second();
  assertEquals([lost.length, job.moves], [1, 1]);
  await assertRejects(() => watch.end(), SinkError, "x.rescued-1.jsonl");
});

Deno.test("OutputWatch moves at once what it finds after the first loss, also at the end", async () => {
  const { job, lost, watch, second } = setUp();
  job.problem = "it was truncated";
  await second();
  await second();
  assertEquals([lost.length, job.moves], [1, 1]);
  job.problem = "another one was cut";
  await second();
  assertEquals([lost.length, job.moves], [1, 2]);
  job.problem = "a third one was cut";
  await assertRejects(() => watch.end(), SinkError, "it was truncated");
  assertEquals(job.problem, undefined);
});

Deno.test("OutputWatch names no file that holds nothing, nor one that got lines later", async () => {
  const { job, lost, empty, watch, second } = setUp();
  empty.add("x.rescued-1.jsonl");
  job.problem = "it was truncated";
  await second();
  await second();
  assertEquals(lost.map((message) => message.includes("rescued")), [false]);
  empty.clear();
  await assertRejects(() => watch.end(), SinkError, "x.rescued-1.jsonl");
});

Deno.test("OutputWatch names a few of many files", async () => {
  const { job, watch } = setUp();
  job.problem = "it was truncated";
  const names = Array.from({ length: 96 }, (_, i) => `${i}.jsonl`);
  job.moveAway = (paths) => Promise.resolve(void paths.push(...names.splice(0)));
  await assertRejects(
    () => watch.end(),
    SinkError,
    '"4.jsonl", and 91 more: run the same command',
  );
});

Deno.test("OutputWatch names the lines that are safe also where others are not", async () => {
  const { job, watch } = setUp();
  job.problem = "it was truncated";
  job.moveAway = (paths) => {
    paths.push("x.rescued-1.jsonl");
    return Promise.reject(new Error("the disk is full"));
  };
  const { message } = await assertRejects(() => watch.end(), SinkError);
  assertStringIncludes(message, "not safe: the disk is full");
  assertStringIncludes(message, 'Other answers are in "x.rescued-1.jsonl"');
});

Deno.test("OutputWatch forgets what was seen once", async () => {
  const { job, lost, watch, second } = setUp();
  for (let i = 0; i < 5; i++) {
    job.problem = "it was truncated";
    await second();
    job.problem = undefined;
    await second();
  }
  await watch.end();
  assertEquals(lost, []);
});

Deno.test("OutputWatch checks once more at the end, and twice if something is wrong", async () => {
  const good = setUp();
  await good.watch.end();
  assertEquals(good.job.looks, 1);
  const bad = setUp();
  bad.job.problem = "it was removed";
  await assertRejects(() => bad.watch.end(), SinkError, "it was removed");
  assertEquals([bad.job.looks, bad.job.problem, bad.lost.length], [2, undefined, 1]);
});

Deno.test("DisplacedAnswers ends a run with what to do first, also after a second Ctrl-C", async () => {
  const answers = new DisplacedAnswers({ add() {} } as unknown as RunNotices);
  const failed = () => Promise.reject(new SinkError("Cannot write"));
  answers.add("out/x.jsonl", "out/x.rescued-1.jsonl", false);
  assertEquals(await answers.after(Promise.resolve("summary")), "summary");
  assertEquals(
    (await assertRejects(() => answers.after(failed())) as Error).message,
    "Cannot write",
  );
  answers.add("out/x.jsonl", "/tmp/r/x.rescued-2.jsonl", true);
  for (const run of [() => Promise.resolve("summary"), failed]) {
    const { message } = await assertRejects(() => answers.after<unknown>(run()), SinkError);
    assertStringIncludes(
      message,
      '\nBefore the next run, move "/tmp/r/x.rescued-2.jsonl" to "out/"',
    );
  }
});
