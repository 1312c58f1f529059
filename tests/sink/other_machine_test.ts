/** Locks that hold on one machine only: what keeps the runs of two machines apart. @module */

import { assert, assertEquals, assertMatch, assertRejects } from "../../lib/deps/std_assert.ts";
import { LockedError, SinkError } from "../../lib/errors.ts";
import { exists } from "../../lib/files.ts";
import { distillFiles, mergeRuns, ResponseGenerator } from "../../mod.ts";
import { acquireLock, type Lock, SharedLock } from "../../lib/sink/lock.ts";
import { mayBeRemote, noteLine, refuseRunElsewhere } from "../../lib/sink/lock_file.ts";
import { WatchedFile } from "../../lib/sink/watched_file.ts";
import { prompts, runShards } from "../shards/fixture.ts";
import { tempDir } from "../support/temp.ts";

const TOKEN = "0123456789abcdef";
const ACTIVE = { pid: 7, started: "2026-01-01T00:00:00.000Z", running: true, in_flight: 3 };

/** Waits for the silence of `out/x` while `meanwhile` happens. Returns how often it waited. */
async function waitsFor(note: string, meanwhile: (path: string) => Promise<unknown>) {
  await using dir = await tempDir();
  const lock = await dir.write("x.lock", note);
  const status = await dir.write("status.json", "{}");
  let waits = 0;
  const delay = () => Promise.resolve(void waits++).then(() => meanwhile(status));
  const mayBeRemote = () => Promise.resolve(true);
  const options = { delay, mayBeRemote };
  // An input may be new, without a lock file.
  const locks = [dir.path("new.lock"), lock];
  const hasWaited = await refuseRunElsewhere(locks, [status, dir.path("x.jsonl")], options);
  assertEquals(hasWaited, waits === 1);
  return waits;
}

Deno.test("an output is refused if a run on another machine writes to it, and only then", async () => {
  const note = noteLine(ACTIVE, TOKEN);
  const writes: Array<(path: string) => Promise<unknown>> = [
    (path) => Deno.writeTextFile(path, "{} "),
    (path) => Deno.writeTextFile(path.replace("status.json", "x.jsonl"), "{}\n"),
    // sshfs shows the old size and time, but the new text.
    async (path) => {
      const { atime, mtime } = await Deno.stat(path);
      await Deno.writeTextFile(path, "[]");
      await Deno.utime(path, atime!, mtime!);
    },
    // Another file of the same size takes its place.
    async (path) => {
      await Deno.writeTextFile(`${path}.tmp`, "[]");
      await Deno.rename(`${path}.tmp`, path);
    },
  ];
  for (const write of writes) {
    const error = await assertRejects(() => waitsFor(note, write), LockedError);
    assertMatch(error.message, /\.lock": a run on another machine .* with -o$/);
  }
  const isSilent = () => Promise.resolve();
  assertEquals(await waitsFor(note, isSilent), 1);
  // Some filesystems report another inode at each call.
  const { stat } = Deno.FsFile.prototype;
  let ino = 0;
  Deno.FsFile.prototype.stat = async function () {
    return { ...await stat.call(this), ino: ++ino };
  };
  try {
    assertEquals(await waitsFor(note, isSilent), 1);
    Deno.FsFile.prototype.stat = () =>
      Promise.reject(new Error("Stale file handle (os error 116)"));
    await assertRejects(() => waitsFor(note, isSilent), SinkError, "Cannot read");
  } finally {
    Deno.FsFile.prototype.stat = stat;
  }
  // That run has ended, or has sent nothing yet.
  assertEquals(await waitsFor(noteLine({ ...ACTIVE, running: false }, TOKEN), writes[0]), 0);
});

Deno.test("a run is refused at once while another one on this machine runs, or if that starts during the wait", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.lock", noteLine(ACTIVE, TOKEN));
  let lock: Lock | undefined;
  const start = async () => lock = await acquireLock(path);
  const options = { mayBeRemote: () => Promise.resolve(true), delay: start };
  const refusal = () =>
    assertRejects(() => refuseRunElsewhere([path], [], options), LockedError, "another process");
  await refusal();
  lock!.note(ACTIVE);
  options.delay = () => new Promise(() => {});
  await refusal();
  lock!.release();
});

Deno.test({
  name: "only network filesystems may be remote, not disks nor the filesystems of / and /tmp",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const path of ["/", "/tmp"]) assert(!(await mayBeRemote(await Deno.stat(path))));
    // Device numbers of an NVMe disk, and of a network filesystem.
    assertEquals(await mayBeRemote({ dev: 0x10302 }), false);
    assertEquals(await mayBeRemote({ dev: 0xff0fe }), false);
    assertEquals(await mayBeRemote({ dev: 0xfff000fe }), true);
  },
});

const hasOtherDevice = Deno.build.os === "linux" &&
  await Deno.stat("/dev/shm").then(mayBeRemote, () => false);

/** Defines a test in a folder that is not on a disk. What it replaces, it restores by `stack`. */
function testWithoutDisk(
  name: string,
  fn: (folder: string, stack: DisposableStack) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !hasOtherDevice,
    async fn() {
      const folder = await Deno.makeTempDir({ dir: "/dev/shm" });
      try {
        using stack = new DisposableStack();
        await fn(folder, stack);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

testWithoutDisk(
  "a run waits before it takes the lock of a run that may be active on another machine",
  async (folder) => {
    const lock = `${folder}/x.lock`, note = noteLine(ACTIVE, TOKEN);
    await Deno.writeTextFile(lock, note);
    await Deno.writeTextFile(`${folder}/in.jsonl`, '{"prompt": "a"}\n');
    let calls = 0;
    const teacher = { model: "m", complete: () => Promise.reject(new Error(`call ${++calls}`)) };
    const signal = AbortSignal.timeout(100);
    const output = `${folder}/x.jsonl`;
    const run = () => distillFiles(`${folder}/in.jsonl`, output, { teacher, signal });
    await assertRejects(run, DOMException);
    assertEquals([calls, await Deno.readTextFile(lock)], [0, note]);
  },
);

testWithoutDisk(
  "a run says that it has waited, and tries the output before the first call",
  async (folder, stack) => {
    const { setTimeout } = globalThis, { truncate } = Deno.FsFile.prototype;
    stack.defer(() => void (globalThis.setTimeout = setTimeout));
    stack.defer(() => void (Deno.FsFile.prototype.truncate = truncate));
    const output = `${folder}/x.jsonl`, input = `${folder}/in.jsonl`;
    await Deno.writeTextFile(`${folder}/x.lock`, noteLine(ACTIVE, TOKEN));
    await Deno.writeTextFile(input, '{"prompt": "a"}\n');
    let calls = 0;
    const complete = () => Promise.reject(new Error(`call ${++calls}`));
    const generator = new ResponseGenerator({ teacher: { model: "m", complete } });
    const events: string[] = [];
    generator.on((event) => events.push(event.type === "notice" ? event.message : event.type));
    // The 8 s take no time.
    globalThis.setTimeout =
      ((callback: () => void, ms?: number) =>
        setTimeout(callback, ms === 8_000 ? 0 : ms)) as typeof setTimeout;
    Deno.FsFile.prototype.truncate = () =>
      Promise.reject(Object.assign(new Error("no"), { code: "ENOTSUP" }));
    await assertRejects(
      () => generator.run({ input, output }),
      SinkError,
      "cannot append",
    );
    Deno.FsFile.prototype.truncate = truncate;
    assertEquals(calls, 0);
    assertMatch(events.join(), /^Waited 8 s to see whether the last run/);
    events.length = 0;
    await generator.run({ input, output });
    assertEquals([calls, events[0]], [1, "run-start"]);
    assertMatch(events[1], /^Waited 8 s/);
  },
);

testWithoutDisk(
  "an output whose filesystem cannot replace files is refused before the first call",
  async (folder, stack) => {
    const { rename } = Deno;
    stack.defer(() => void (Deno.rename = rename));
    Deno.rename = async (from, to) => {
      if (!(await exists(`${to}`))) return await rename(from, to);
      throw new Deno.errors.AlreadyExists("File exists (os error 17): rename 'a' -> 'b'");
    };
    await Deno.writeTextFile(`${folder}/in.jsonl`, '{"prompt": "a"}\n');
    let calls = 0;
    const teacher = { model: "m", complete: () => Promise.reject(new Error(`call ${++calls}`)) };
    await assertRejects(
      () => distillFiles(`${folder}/in.jsonl`, `${folder}/x.jsonl`, { teacher }),
      SinkError,
      "'b'. Its filesystem cannot do that: name an output on another disk",
    );
    assertEquals(calls, 0);
  },
);

testWithoutDisk(
  "a merge that waits does so once more if the results of shards that are done seem too short",
  async (folder, stack) => {
    const { setTimeout } = globalThis;
    stack.defer(() => void (globalThis.setTimeout = setTimeout));
    const rows = prompts(0, 20).map((row) => `${JSON.stringify(row)}\n`);
    await Deno.writeTextFile(`${folder}/in.jsonl`, rows.join(""));
    await runShards(`${folder}/in.jsonl`, `${folder}/out/`, 2);
    const results = `${folder}/out/in-00001-of-00002.jsonl`, whole = await Deno.readFile(results);
    await Deno.truncate(results, whole.length / 2);
    const options = { outputs: `${folder}/out`, output: `${folder}/all/in.jsonl` };
    assertEquals((await mergeRuns(options)).problems.length, 1);
    globalThis.setTimeout = ((callback: () => void, ms?: number) => {
      if (ms === 25_000) Deno.writeFileSync(results, whole);
      return setTimeout(callback, ms === 25_000 ? 0 : ms);
    }) as typeof setTimeout;
    const { problems, succeeded } = await mergeRuns({ ...options, waitMs: 60_000 });
    assertEquals([problems, succeeded], [[], 20]);
  },
);

testWithoutDisk(
  "an output without a disk may get another inode while it is closed",
  async (folder) => {
    const path = `${folder}/x.jsonl`;
    await Deno.writeTextFile(path, '{"uid":"a"}\n');
    const file = await WatchedFile.open(path);
    await file.close();
    // FUSE numbers files anew, as sshfs does once it has forgotten them.
    await Deno.rename(path, `${path}.old`);
    await Deno.copyFile(`${path}.old`, path);
    const again = await WatchedFile.open(path, { closedFile: file.closedFile });
    assertEquals(await again.check(), undefined);
    await Deno.remove(path);
    assertMatch(await again.check() ?? "", /removed or renamed/);
    await again.close();
  },
);

testWithoutDisk(
  "a lock notices that another machine has taken it, but not an old note",
  async (folder, stack) => {
    const { syncDataSync } = Deno.FsFile.prototype;
    stack.defer(() => void (Deno.FsFile.prototype.syncDataSync = syncDataSync));
    const path = `${folder}/x.lock`, before = noteLine({ ...ACTIVE, running: false }, TOKEN);
    await Deno.writeTextFile(path, before);
    let syncs = 0;
    Deno.FsFile.prototype.syncDataSync = () => void syncs++;
    using lock = await acquireLock(path);
    assertEquals(await lock.check(), undefined);
    // Other machines see only what is synced: the first note of each run.
    for (const in_flight of [1, 2]) lock.note({ ...ACTIVE, started: "later", in_flight });
    assertEquals(syncs, 2);
    await Deno.writeTextFile(path, before);
    assertEquals(await lock.check(), undefined);
    await lock.requireNotTaken();
    await Deno.writeTextFile(path, noteLine(ACTIVE, "f".repeat(16)));
    assertMatch(await lock.check() ?? "", /another machine has taken it/);
    await assertRejects(() => lock.requireNotTaken(), LockedError, "on another machine");
  },
);

testWithoutDisk(
  "of many outputs without a disk, only the shared lock is synced",
  async (folder, stack) => {
    const { syncDataSync } = Deno.FsFile.prototype;
    stack.defer(() => void (Deno.FsFile.prototype.syncDataSync = syncDataSync));
    let syncs = 0;
    Deno.FsFile.prototype.syncDataSync = () => void syncs++;
    const paths = ["x.lock", "y.lock"].map((name) => `${folder}/${name}`);
    using shared = await SharedLock.acquire(paths);
    for (const path of paths) (await acquireLock(path, { shared })).release();
    assertEquals(syncs, 1);
  },
);

// Once the run holds its lock, and once it has opened its outputs.
for (const [name, isAppended] of [["in.jsonl", undefined], ["x.jsonl", true]] as const) {
  testWithoutDisk(
    `a run sends nothing if another machine takes its lock while it opens ${name}`,
    async (folder, stack) => {
      const { open } = Deno;
      stack.defer(() => void (Deno.open = open));
      const input = `${folder}/in.jsonl`, output = `${folder}/x.jsonl`;
      let calls = 0;
      const answer = { response: "yes", finishReason: "stop", usage: null, model: "m" };
      const complete = () => Promise.resolve(++calls).then(() => answer);
      const teacher = { model: "m", complete };
      await Deno.writeTextFile(input, '{"prompt": "a"}\n');
      await distillFiles(input, output, { teacher });
      const before = await Deno.readTextFile(output);
      await Deno.writeTextFile(input, '{"prompt": "a"}\n{"prompt": "b"}\n');
      Deno.open = async (path, options) => {
        if (path === `${folder}/${name}` && options?.append === isAppended) {
          await Deno.writeTextFile(`${folder}/x.lock`, noteLine(ACTIVE, "f".repeat(16)));
        }
        return await open(path, options);
      };
      const options = isAppended ? {} : { resume: false, overwrite: true };
      const run = () => distillFiles(input, output, { teacher, ...options });
      await assertRejects(run, LockedError, "on another machine");
      assertEquals(await Deno.readTextFile(output), before);
      assertEquals(calls, 1);
    },
  );
}
