/** Locks that hold on one machine only: what keeps the runs of two machines apart. @module */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "../../lib/deps/std_assert.ts";
import { LockedError } from "../../lib/errors.ts";
import { distillFiles } from "../../mod.ts";
import { acquireLock } from "../../lib/sink/lock.ts";
import { mayHoldHereOnly, noteLine, refuseElsewhere } from "../../lib/sink/lock_file.ts";
import { WatchedFile } from "../../lib/sink/watched_file.ts";
import { tempDir } from "../support/temp.ts";

const TOKEN = "0123456789abcdef";
const ACTIVE = { pid: 7, started: "2026-01-01T00:00:00.000Z", running: true, in_flight: 3 };

/** Waits for the silence of `out/x`, during which `meanwhile` happens. Returns how often it waited. */
async function waitsFor(note: string, meanwhile: (path: string) => Promise<unknown>) {
  await using dir = await tempDir();
  const lock = await dir.write("x.lock", note);
  const status = await dir.write("status.json", "{}");
  let waits = 0;
  const delay = () => Promise.resolve(void waits++).then(() => meanwhile(status));
  const mayHoldHereOnly = () => Promise.resolve(true);
  await refuseElsewhere([lock], [status, dir.path("x.jsonl")], { delay, mayHoldHereOnly });
  return waits;
}

Deno.test("an output is refused if the run of another machine writes to it, and only then", async () => {
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
    assertMatch(error.message, /x\.lock": a run on another machine .* with -o$/);
  }
  const isSilent = () => Promise.resolve();
  assertEquals(await waitsFor(note, isSilent), 1);
  // That run has ended, or has sent nothing yet.
  assertEquals(await waitsFor(noteLine({ ...ACTIVE, running: false }, TOKEN), writes[0]), 0);
});

Deno.test("a run of this machine is refused at once", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  using lock = await acquireLock(path);
  lock.note(ACTIVE);
  const options = {
    mayHoldHereOnly: () => Promise.resolve(true),
    delay: () => new Promise(() => {}),
  };
  await assertRejects(() => refuseElsewhere([path], [], options), LockedError, "another process");
});

Deno.test({
  name: "the locks of disks, and of what / and /tmp are on, hold for all processes that see them",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const path of ["/", "/tmp"]) assert(!(await mayHoldHereOnly(await Deno.stat(path))));
    // Device numbers of an NVMe disk, and of a network filesystem.
    assertEquals(await mayHoldHereOnly({ dev: 0x10302 }), false);
    assertEquals(await mayHoldHereOnly({ dev: 0xff0fe }), false);
    assertEquals(await mayHoldHereOnly({ dev: 0xfff000fe }), true);
  },
});

const hasOtherDevice = Deno.build.os === "linux" &&
  await Deno.stat("/dev/shm").then(mayHoldHereOnly, () => false);

Deno.test({
  name: "a run waits before it takes the lock of a run that may be active on another machine",
  ignore: !hasOtherDevice,
  async fn() {
    const folder = await Deno.makeTempDir({ dir: "/dev/shm" });
    try {
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
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "an output without a disk is tried before the first call, and may get another inode",
  ignore: !hasOtherDevice,
  async fn() {
    const folder = await Deno.makeTempDir({ dir: "/dev/shm" });
    try {
      const path = `${folder}/x.jsonl`, text = '{"uid":"a"}\n';
      await Deno.writeTextFile(path, text, { mode: 0o644 });
      await Deno.utime(path, 1, 1);
      const file = await WatchedFile.open(path);
      assertEquals([await file.stat(), await Deno.readTextFile(path)], [
        { size: text.length },
        text,
      ]);
      assertNotEquals((await Deno.stat(path)).mtime?.getTime(), 1000);
      file.close();
      // FUSE numbers files anew, as sshfs does once it has forgotten them.
      await Deno.rename(path, `${path}.old`);
      await Deno.copyFile(`${path}.old`, path);
      const again = await WatchedFile.open(path, { closedFile: file.closedFile });
      assertEquals(await again.check(), undefined);
      await Deno.remove(path);
      assertMatch(await again.check() ?? "", /removed or renamed/);
      again.close();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a lock notices that another machine has taken it, but not an old note",
  ignore: !hasOtherDevice,
  async fn() {
    const folder = await Deno.makeTempDir({ dir: "/dev/shm" });
    try {
      const path = `${folder}/x.lock`, before = noteLine({ ...ACTIVE, running: false }, TOKEN);
      await Deno.writeTextFile(path, before);
      using lock = await acquireLock(path);
      assertEquals(await lock.check(), undefined);
      await Deno.writeTextFile(path, before);
      assertEquals(await lock.check(), undefined);
      await lock.requireOwn();
      await Deno.writeTextFile(path, noteLine(ACTIVE, "f".repeat(16)));
      assertMatch(await lock.check() ?? "", /another machine has taken it/);
      await assertRejects(() => lock.requireOwn(), LockedError, "on another machine");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
