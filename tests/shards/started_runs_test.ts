/** Shards and other runs into one folder that start at the same time. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import type { ResponseGenerator } from "../../lib/response_generator.ts";
import { divide, planFor } from "../../lib/shards/mod.ts";
import { acquireLock } from "../../lib/sink/mod.ts";
import { delay } from "../../lib/timer.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { prompts, runShard, runShards, slowClock } from "./fixture.ts";

for (const delays of [[0, 0, 0, 0], [0, 0, 20, 20], [20, 20, 0, 0], [0, 40, 5, 60]]) {
  Deno.test(`of two divisions whose shards start ${delays.join(", ")} ms after each other, one runs`, async () => {
    using _clock = slowClock();
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 40)), output = dir.path("out/");
    const asked: string[] = [];
    const prepare = (generator: ResponseGenerator) =>
      generator.onOutcomes((rows) => void asked.push(...rows.map(({ row }) => row.uid)));
    const counts = [2, 2, 3, 3];
    const runs = await Promise.allSettled(counts.map(async (count, i) => {
      await delay(delays[i]);
      return await runShard(input, output, { shard: { index: i % 2, count }, prepare });
    }));
    assertEquals(asked.length, new Set(asked).size, "a row was paid for twice");
    const done = counts.filter((_, i) => runs[i].status === "fulfilled");
    assertEquals(new Set(done).size, 1, `shards that ran: ${done}`);
    for (const run of runs) {
      if (run.status === "rejected") assert(run.reason instanceof UsageError, run.reason);
    }
  });
}

Deno.test("shards with answers continue while a run over another file with the name of an input writes there", async () => {
  await using dir = await tempDir();
  const inputs = [
    await dir.write("1/a.jsonl", prompts(0, 4)),
    await dir.write("1/b.jsonl", prompts(4, 8)),
  ];
  const other = await dir.write("2/a.jsonl", prompts(10, 13)), output = dir.path("out/");
  // The shard without answers is not a neighbor of the one with answers.
  await runShard(inputs, output, { shard: { index: 1, count: 8 } });
  const started = Promise.withResolvers<void>(), mayEnd = Promise.withResolvers<void>();
  const validate = async () => {
    started.resolve();
    await mayEnd.promise;
  };
  const whole = runShard(other, output, { generator: { validate } });
  await Promise.race([started.promise, whole]);
  try {
    for (const index of [2, 6]) {
      assertEquals(
        (await runShard(inputs, output, { shard: { index, count: 8 } })).asked.length,
        1,
      );
    }
  } finally {
    mayEnd.resolve();
    await whole;
  }
});

Deno.test("shards with answers are refused while a run writes to their own output", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4)), output = dir.path("out/");
  await runShard(input, output, { shard: { index: 0, count: 2 } });
  using _lock = await acquireLock(dir.path("out/in.lock"), {});
  const next = () => runShard(input, output, { shard: { index: 1, count: 2 } });
  await assertRejects(next, UsageError, "a run without --shard, or a merge, is writing to");
});

for (
  const [what, lock, pollMs] of [
    ["another run", "out/in.lock", 100],
    ["another shard that scans the input", "out/.retort/in.shards-2.lock", 200],
  ] as const
) {
  Deno.test(`a signal ends the wait of a shard for ${what}`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 4)), output = dir.path("out/");
    await Deno.mkdir(dir.path("out/.retort"), { recursive: true });
    using _lock = await acquireLock(dir.path(lock), {});
    const { setTimeout } = globalThis;
    let run: ResponseGenerator | undefined, polls = 0;
    const prepare = (generator: ResponseGenerator) => void (run = generator);
    globalThis.setTimeout = ((callback: () => void, ms?: number) => {
      if (ms === pollMs && ++polls === 1) run!.stop();
      return setTimeout(callback, ms);
    }) as typeof setTimeout;
    try {
      const shard = { index: 0, count: 2 };
      const { summary, asked } = await runShard(input, output, { shard, prepare });
      assertEquals([summary.state, asked, polls], ["interrupted", [], 1]);
    } finally {
      globalThis.setTimeout = setTimeout;
    }
    const status = dir.path("out/.retort/in-00000-of-00002.status.json");
    await assertRejects(() => Deno.stat(status), Deno.errors.NotFound);
  });
}

Deno.test("a signal ends the scan for borders", async () => {
  await using dir = await tempDir();
  for (
    const [name, text] of [["a.jsonl", "{}\n{}\n"], ["a.json", "[{}, {}]"], ["a.csv", "x\n1\n"]]
  ) {
    const input = await dir.write(name, text);
    await assertRejects(() => divide([input], 2, {}, AbortSignal.abort()), DOMException);
  }
});

/** The paths of run files that `work` reads. */
async function runFilesReadBy(dir: TempDir, work: () => Promise<unknown>): Promise<string[]> {
  const { readTextFile } = Deno, read: string[] = [];
  Deno.readTextFile = (path, options) => {
    read.push(String(path));
    return readTextFile(path, options);
  };
  try {
    await work();
  } finally {
    Deno.readTextFile = readTextFile;
  }
  return read.filter((path) => path.startsWith(dir.root) && path.endsWith(".run.json")).toSorted();
}

Deno.test("runs that all continue read only their own run files, beside shards as well", async () => {
  await using dir = await tempDir();
  const names = ["a", "b", "c"], output = dir.path("out/");
  const inputs: string[] = [];
  for (const name of names) inputs.push(await dir.write(`${name}.jsonl`, prompts(0, 2)));
  await runShard(inputs, output, {});
  await runShards(await dir.write("d.jsonl", prompts(4, 8)), output, 2);
  await runShard(await dir.write("e.jsonl", prompts(8, 9)), output, {});
  const read = await runFilesReadBy(dir, () => runShard(inputs, output, {}));
  const own = names.map((name) => dir.path(`out/${name}.run.json`));
  assertEquals([...new Set(read)], own);
});

Deno.test("shards that start at once pin the borders on a filesystem without locks", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 40));
  const output = { stem: dir.path("out/in"), isNamed: false, wholeResults: [] };
  const { tryLock } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.tryLock = () => Promise.reject(new Error("No locks available"));
  try {
    const pin = () => planFor(output, [input], 4, { needsLock: false });
    const plans = await Promise.all(Array.from({ length: 8 }, pin));
    for (const plan of plans) assertEquals(plan, plans[0]);
  } finally {
    Deno.FsFile.prototype.tryLock = tryLock;
  }
});
