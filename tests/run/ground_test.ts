import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { Ground } from "../../lib/run/heartbeat.ts";

/** Files that the test changes. */
class TestJob {
  problem: string | undefined;
  looks = 0;
  moves = 0;

  checkGround(): Promise<string | undefined> {
    this.looks++;
    return Promise.resolve(this.problem);
  }

  moveAway(): Promise<string[]> {
    this.moves++;
    this.problem = undefined;
    return Promise.resolve(["x.rescued-1.jsonl"]);
  }
}

function setUp() {
  const job = new TestJob();
  const lost: string[] = [];
  const empty = new Set<string>();
  let now = 0;
  const ground = new Ground([job], ({ message }) => lost.push(message), {
    now: () => now,
    delay: (ms) => Promise.resolve(now += ms),
    hasContent: (path) => Promise.resolve(!empty.has(path)),
  });
  /** Advances the time by a second. */
  const second = async (ms = 1_000) => {
    now += ms;
    ground.tick();
    while (ground.isLooking) await Promise.resolve();
  };
  return { job, lost, empty, ground, second };
}

Deno.test("Ground acts on what it sees twice, a second apart", async () => {
  const { job, lost, ground, second } = setUp();
  await second();
  job.problem = "it was cut";
  await second();
  await second(100);
  assertEquals([lost.length, job.moves], [0, 0]);
  await second();
  assertEquals([lost.length, job.moves], [1, 1]);
  await second();
  assertEquals([lost.length, job.moves], [1, 1]);
  await assertRejects(() => ground.end(), SinkError, "x.rescued-1.jsonl");
});

Deno.test("Ground moves at once what it finds after the first loss, also at the end", async () => {
  const { job, lost, ground, second } = setUp();
  job.problem = "it was cut";
  await second();
  await second();
  assertEquals([lost.length, job.moves], [1, 1]);
  job.problem = "another one was cut";
  await second();
  assertEquals([lost.length, job.moves], [1, 2]);
  job.problem = "a third one was cut";
  await assertRejects(() => ground.end(), SinkError, "it was cut");
  assertEquals(job.moves, 3);
});

Deno.test("Ground names no file that holds nothing, and one that lines have come to later", async () => {
  const { job, lost, empty, ground, second } = setUp();
  empty.add("x.rescued-1.jsonl");
  job.problem = "it was cut";
  await second();
  await second();
  assertEquals(lost.map((message) => message.includes("rescued")), [false]);
  empty.clear();
  await assertRejects(() => ground.end(), SinkError, "x.rescued-1.jsonl");
});

Deno.test("Ground names a few of many files", async () => {
  const { job, ground } = setUp();
  job.problem = "it was cut";
  job.moveAway = () => Promise.resolve(Array.from({ length: 96 }, (_, i) => `${i}.jsonl`));
  await assertRejects(
    () => ground.end(),
    SinkError,
    '"4.jsonl", and 91 more: run the same command',
  );
});

Deno.test("Ground forgets what was seen once", async () => {
  const { job, lost, ground, second } = setUp();
  for (let i = 0; i < 5; i++) {
    job.problem = "it was cut";
    await second();
    job.problem = undefined;
    await second();
  }
  await ground.end();
  assertEquals(lost, []);
});

Deno.test("Ground checks once more at the end, and twice if something is wrong", async () => {
  const good = setUp();
  await good.ground.end();
  assertEquals(good.job.looks, 1);
  const bad = setUp();
  bad.job.problem = "it was removed";
  await assertRejects(() => bad.ground.end(), SinkError, "it was removed");
  assertEquals([bad.job.looks, bad.job.moves, bad.lost.length], [2, 1, 1]);
});
