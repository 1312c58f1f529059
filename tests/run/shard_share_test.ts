/** Tests of lib/run/shard_run.ts: how shards divide limits that they share. @module */

import { shardStem } from "../../lib/files.ts";
import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { RateLimiter } from "../../lib/engine/flow/rate.ts";
import { OtherShards } from "../../lib/run/shard_run.ts";
import { type RunStatus, runStatuses } from "../../lib/run/mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const COUNT = 8;

/** The shards of one output, each with its own view of the others. */
class Shards {
  readonly #dir: TempDir;
  readonly #others: OtherShards[];
  readonly #beats = new Array(COUNT).fill(0);
  #now = 0;
  readonly ended = new Set<number>();
  readonly dead = new Set<number>();
  /** Shards whose status does not reach the others, as on a silent file server. */
  readonly unseen = new Set<number>();
  readonly interrupted = new Set<number>();

  constructor(dir: TempDir, parallel = COUNT) {
    this.#dir = dir;
    this.#others = Array.from({ length: COUNT }, (_, index) => this.#othersOf(index, parallel));
  }

  #othersOf(index: number, parallel = COUNT): OtherShards {
    const shard = { index, count: COUNT, parallel };
    return new OtherShards(this.#dir.path("out/x"), shard, () => this.#now);
  }

  restart(index: number): void {
    this.dead.delete(index);
    this.interrupted.delete(index);
    this.#others[index] = this.#othersOf(index);
  }

  tick(index: number): void {
    this.#others[index].tick();
  }

  /** Each shard writes its status and reads those of the others; returns the shares. */
  async beat(running: readonly number[] = [...Array(COUNT).keys()]): Promise<number[]> {
    const living = running.filter((index) => !this.dead.has(index));
    this.#now += 5_000;
    for (const index of living) this.tick(index);
    for (const index of living) if (!this.unseen.has(index)) await this.#write(index);
    for (const index of living) await this.#others[index].poll();
    return this.shares(living);
  }

  shares(indexes: readonly number[]): number[] {
    return indexes.map((index) => this.ended.has(index) ? 0 : this.#others[index].share);
  }

  async #write(index: number): Promise<void> {
    await this.#dir.write(
      `out/.retort/x-0000${index}-of-0000${COUNT}.status.json`,
      JSON.stringify({
        retort: "0",
        beat: ++this.#beats[index],
        started: "",
        ended: this.ended.has(index) || this.interrupted.has(index),
        state: this.ended.has(index) ? "done" : "interrupted",
        share: this.ended.has(index) ? 0 : this.#others[index].share,
        errors: [],
        teachers: [],
      }),
    );
  }
}

function sum(shares: readonly number[]): number {
  return shares.reduce((total, share) => total + share, 0);
}

for (const end of ["dead", "interrupted"] as const) {
  Deno.test(`shards that run share the limit, and what one leaves that is ${end} is taken after three silent beats`, () =>
    takeOver(end));
}

async function takeOver(end: "dead" | "interrupted") {
  await using dir = await tempDir();
  const shards = new Shards(dir);
  for (let beat = 0; beat < 4; beat++) assertAlmostEquals(sum(await shards.beat()), 1, 1e-9);
  if (end === "interrupted") {
    shards.interrupted.add(3);
    await shards.beat([3]);
  }
  shards.dead.add(3);
  const totals: number[] = [];
  for (let beat = 0; beat < 6; beat++) totals.push(sum(await shards.beat()));
  assertAlmostEquals(totals[0], 7 / 8, 1e-9);
  assertAlmostEquals(totals.at(-1)!, 1, 1e-9);
  assertEquals(totals.every((total) => total <= 1 + 1e-9), true);
  // A shard that is started again waits until the others have made room.
  shards.restart(3);
  const after: number[] = [];
  for (let beat = 0; beat < 6; beat++) after.push(sum(await shards.beat()));
  assertEquals(after.every((total) => total <= 1 + 1e-9), true, String(after));
  assertAlmostEquals(after.at(-1)!, 1, 1e-9);
  assertAlmostEquals(shards.shares([3])[0], 1 / 8, 1e-9);
}

Deno.test("a process that was stopped reads shards again that were done, in case they run again", async () => {
  await using dir = await tempDir();
  const count = 500;
  const write = (index: number, beat: number, share: number, state: string) =>
    dir.write(
      `out/.retort/${shardStem("x", { index, count })}.status.json`,
      JSON.stringify({
        ...{ retort: "0", beat, started: "", ended: state === "done", state, share },
        ...{ errors: [], teachers: [] },
      }),
    );
  for (let index = 1; index < count; index++) await write(index, 1, 0, "done");
  let now = 0;
  const others = new OtherShards(dir.path("out/x"), { index: 0, count }, () => now);
  for (let poll = 0; poll < 3; poll++) await others.poll();
  assertEquals(others.share, 1);
  // While it was stopped, a shard was started again and has taken its share.
  now += 60_000;
  await write(1, 1, 1, "running");
  others.tick();
  assertEquals(await others.poll(), 0);
});

Deno.test("a process that was stopped gets its share back, while the limit is neither exceeded nor unused", async () => {
  await using dir = await tempDir();
  const shards = new Shards(dir);
  await shards.beat();
  shards.dead.add(3);
  for (let beat = 0; beat < 5; beat++) await shards.beat();
  shards.dead.delete(3);
  shards.tick(3);
  const totals = [sum(shards.shares([...Array(COUNT).keys()]))];
  for (let beat = 0; beat < 3; beat++) totals.push(sum(await shards.beat()));
  assertEquals(totals.every((total) => total >= 0.85 && total <= 1 + 1e-9), true, `${totals}`);
  assertAlmostEquals(shards.shares([3])[0], 1 / 8, 1e-9);
});

Deno.test("if the others did not see a shard, all together give back only what is too much", async () => {
  await using dir = await tempDir();
  const shards = new Shards(dir);
  await shards.beat();
  shards.unseen.add(3);
  for (let beat = 0; beat < 5; beat++) await shards.beat();
  shards.unseen.delete(3);
  for (let beat = 0; beat < 3; beat++) assertAlmostEquals(sum(await shards.beat()), 1, 1e-9);
});

Deno.test("a limit that four share at a time is divided by four until fewer are left", async () => {
  await using dir = await tempDir();
  const shards = new Shards(dir, 4);
  assertEquals(await shards.beat([0, 1, 2, 3]), [0.25, 0.25, 0.25, 0.25]);
  for (const index of [0, 1, 2, 3]) shards.ended.add(index);
  await shards.beat([0, 1, 2, 3]);
  await shards.beat([4, 5, 6, 7]);
  assertEquals(await shards.beat([4, 5, 6, 7]), [0.25, 0.25, 0.25, 0.25]);
  shards.ended.add(4).add(5);
  await shards.beat([4, 5, 6, 7]);
  await shards.beat([6, 7]);
  assertEquals(await shards.beat([6, 7]), [0.5, 0.5]);
});

Deno.test("the last of many shards take what others leave at the next beat, and see one that runs again", async () => {
  await using dir = await tempDir();
  const count = 350;
  const write = (index: number, fields: Partial<RunStatus>) => {
    const stem = shardStem("x", { index, count });
    const status = { retort: "0", started: "", beat: 0, errors: [], teachers: [], ...fields };
    return dir.write(`out/.retort/${stem}.status.json`, JSON.stringify(status));
  };
  const done = { ended: true, state: "done" };
  for (let index = 2; index < count; index++) await write(index, done);
  await write(1, { ended: false, state: "running", share: 0.5 });
  // On a slow file system, reading these files takes longer than a stop that counts.
  let now = 0;
  const slow = () => now += 20_000;
  const others = new OtherShards(dir.path("out/x"), { index: 0, count, parallel: 2 }, slow);
  assertEquals(await others.poll(), 0.5);
  await write(1, done);
  assertEquals(await others.poll(), 1);
  await write(200, { ended: false, state: "running", share: 0 });
  for (let beat = 0; beat < 4; beat++) await others.poll();
  assertEquals(others.share, 0.5);
});

Deno.test("a share of 0 leaves a teacher without rpm and tpm unlimited", () => {
  const [limited, unlimited] = [600, undefined].map((rpm) =>
    new RateLimiter({ rpm, now: () => 0 })
  );
  for (const limiter of [limited, unlimited]) limiter.setShare(0);
  assertEquals([limited.maxPerSecond, unlimited.maxPerSecond], [0, Infinity]);
});

Deno.test("shards that do not send in step stay below the limit in every minute", async () => {
  await using dir = await tempDir();
  let now = 0;
  const others = new OtherShards(dir.path("out/x"), { index: 0, count: COUNT });
  await others.poll();
  const limiters = Array.from({ length: COUNT }, () => {
    const limiter = new RateLimiter({ rpm: 600, now: () => now });
    limiter.setShare(others.rateShare);
    return limiter;
  });
  const sent: number[] = [];
  // Each begins at another time within its pause of 800 ms.
  for (; now < 150_000; now++) {
    for (const [index, limiter] of limiters.entries()) {
      if (now < index * 93 || limiter.delayMs() > 0) continue;
      limiter.sent();
      sent.push(now);
    }
  }
  assertEquals(sent.length > 1_000, true);
  const inMinutes = sent.filter((time) => time < 90_000)
    .map((start) => sent.filter((time) => time >= start && time <= start + 60_000).length);
  assertEquals(Math.max(...inMinutes) <= 600, true, `${Math.max(...inMinutes)}`);
  assertEquals(Math.min(...inMinutes) >= 540, true, `${Math.min(...inMinutes)}`);
});

Deno.test({
  name: "what is not a status file is ignored: a pipe, a folder, one of 1 MB, half of one",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const shards = new Shards(dir);
    await shards.beat([0]);
    const status = await dir.read("out/.retort/x-00000-of-00008.status.json");
    await dir.write("out/.retort/large.status.json", `${status}${" ".repeat(1 << 20)}`);
    await dir.write("out/.retort/half.status.json", status.slice(0, 40));
    await Deno.mkdir(dir.path("out/.retort/folder.status.json"));
    const pipe = dir.path("out/.retort/pipe.status.json");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const found = await runStatuses(dir.path("out"));
    assertEquals(found.map(({ name }) => name), ["x-00000-of-00008"]);
  },
});
