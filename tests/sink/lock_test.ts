import {
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { join } from "../../lib/deps/std_path.ts";
import { LockedError, SinkError, UsageError } from "../../lib/errors.ts";
import { Journal } from "../../lib/sink/journal.ts";
import { acquireLock, type RunState, SharedLock } from "../../lib/sink/lock.ts";
import { lockOutput, requireUnlocked } from "../../lib/sink/lock_file.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("acquireLock() refuses a lock that is held, and says by whom", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  using _lock = await acquireLock(path);
  const error = await assertRejects(() => acquireLock(path), LockedError);
  assertStringIncludes(error.message, `"${path}"`);
  assertStringIncludes(error.message, `held by process ${Deno.pid}`);
  assertStringIncludes(error.message, "-o");
  assertEquals(error.path, path);
});

Deno.test("acquireLock() holds the file that the path leads to, whatever happens to it meanwhile", async () => {
  for (const isMadeAnew of [false, true]) {
    await using dir = await tempDir();
    const path = await dir.write("x.lock", "");
    let opened = 0;
    // Removed during the first attempt, as by a user who thinks it is stale.
    const openFile = async () => {
      const file = await Deno.open(path, { read: true, write: true, create: true });
      if (++opened === 1) {
        await Deno.remove(path);
        if (isMadeAnew) await dir.write("x.lock", "");
      }
      return file;
    };
    using lock = await acquireLock(path, { openFile });
    assertEquals([opened, await lock.check()], [2, undefined]);
    await assertRejects(() => acquireLock(path), LockedError);
  }
});

Deno.test("acquireLock() gives up if other programs keep removing the file", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  const openFile = async () => {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    await Deno.remove(path);
    return file;
  };
  const error = await assertRejects(() => acquireLock(path, { openFile }), SinkError);
  assertStringIncludes(error.message, "keep removing or replacing it");
});

Deno.test(
  "requireUnlocked() refuses results that a run appends to, and nothing else",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const path = dir.path("out.jsonl");
    await requireUnlocked(path);
    await requireUnlocked(dir.root);
    const journal = await Journal.open(path);
    await assertRejects(() => requireUnlocked(path), LockedError, `Cannot lock "${path}"`);
    await assertRejects(() => Journal.open(path), LockedError);
    await journal.close();
    await requireUnlocked(path);
  },
);

Deno.test(
  "processes that check results at the same time do not take each other for a run, nor keep one out",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const path = await dir.write("out.jsonl", "");
    await Promise.all(Array.from({ length: 50 }, () => requireUnlocked(path)));
    using check = await Deno.open(path);
    await check.lock(false);
    // The checks of many shards end only after the sixth attempt of the run.
    const { tryLock } = Deno.FsFile.prototype;
    let refused = 0;
    Deno.FsFile.prototype.tryLock = async function (isExclusive) {
      const isLocked = await tryLock.call(this, isExclusive);
      if (!isLocked && ++refused === 6) await check.unlock();
      return isLocked;
    };
    try {
      await (await Journal.open(path)).close();
    } finally {
      Deno.FsFile.prototype.tryLock = tryLock;
    }
    assertEquals(refused, 6);
  },
);

Deno.test("acquireLock() recognizes a held lock even if it keeps other processes from reading the file", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  // As on Windows, where a lock keeps others from reading.
  const openFile = async () => {
    const file = await Deno.open(path, { read: true, write: true });
    const denied = () => Promise.reject(new Error("another process has locked it (os error 33)"));
    return Object.assign(file, { read: denied });
  };
  using _lock = await acquireLock(path);
  const error = await assertRejects(() => acquireLock(path, { openFile }), LockedError);
  assertStringIncludes(error.message, "held by another process");
});

Deno.test("acquireLock() takes a lock again after it was released, and leaves the file", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.lock", "999999999999\n");
  const inode = (await Deno.stat(path)).ino;
  const first = await acquireLock(path);
  first.release();
  first.release();
  using _second = await acquireLock(path);
  assertEquals((await dir.rows("x.lock")).map(({ pid }) => pid), [Deno.pid]);
  assertEquals((await Deno.stat(path)).ino, inode);
});

Deno.test("Lock.note() leaves one line, the last note, for the next run that takes the lock", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  const first = await acquireLock(path);
  assertEquals(first.previous, undefined);
  first.note(noteOf(12_345));
  first.note(noteOf(7));
  const [written] = await dir.rows("x.lock");
  assertEquals(written, { ...noteOf(7), token: first.token });
  first.release();
  first.note(noteOf(8)); // too late: it is the file of another run
  using second = await acquireLock(path);
  assertEquals(second.previous, { ...noteOf(7), token: first.token });
  assertNotEquals(second.token, first.token);
});

Deno.test("acquireLock() keeps the note of a crash until the run has one of its own", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  const crashed = await acquireLock(path);
  crashed.note({ ...noteOf(17), pid: 1 });
  crashed.release();
  (await acquireLock(path)).release();
  const third = await acquireLock(path);
  assertEquals([third.previous!.in_flight, third.previous!.running], [17, true]);
  third.note({ ...noteOf(0), running: false });
  third.release();
  using fourth = await acquireLock(path);
  assertEquals(fourth.previous?.running, false);
});

Deno.test("acquireLock() treats an invalid note as none", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  const texts = ["", "4711\n", "\0".repeat(128), '{"pid":1', '{"pid":1,"running":true}'];
  for (const text of [...texts, JSON.stringify({ ...noteOf(3), in_flight: -3 })]) {
    await dir.write("x.lock", text);
    using lock = await acquireLock(path);
    assertEquals(lock.previous, undefined, text);
    assertEquals((await dir.rows("x.lock")).length, 1, text);
  }
});

Deno.test("acquireLock() leaves a file of the user's as it is", async () => {
  await using dir = await tempDir();
  const path = dir.path("poetry.lock");
  const texts = ["# generated by Poetry\n", "null", "[[package]]\n".repeat(1_000), '{"a":1}'];
  for (const text of [...texts, `{"pid":1}${" ".repeat(900)}.`]) {
    await dir.write("poetry.lock", text);
    const error = await assertRejects(() => acquireLock(path), UsageError);
    assertStringIncludes(error.message, `"${path}": that file is not a lock file of Retort`);
    assertEquals(await dir.read("poetry.lock"), text);
  }
});

Deno.test("acquireLock() follows no link, not even to an empty file", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  await Deno.symlink(await dir.write("mine", ""), path);
  await assertRejects(() => acquireLock(path), UsageError);
  assertEquals(await dir.read("mine"), "");
});

Deno.test("acquireLock() returns the temporary name of a crashed run before it writes its own", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  const crashed = await acquireLock(path);
  crashed.release();
  const tokens: string[] = [];
  const onLeftovers = async (token: string) => {
    tokens.push(token);
    assertEquals((await dir.rows("x.lock"))[0].token, token);
  };
  using lock = await acquireLock(path, { onLeftovers });
  assertEquals(tokens, [crashed.token]);
  assertEquals((await dir.rows("x.lock"))[0].token, lock.token);
});

Deno.test("a lock whose file cannot be written holds anyway", async () => {
  await using dir = await tempDir();
  const openFile = async (path: string) => {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    file.writeSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    return file;
  };
  using lock = await acquireLock(dir.path("x.lock"), { openFile });
  lock.note(noteOf(1));
  await assertRejects(
    () => acquireLock(dir.path("x.lock")),
    LockedError,
    "held by another process",
  );
});

/** The note of an active run. */
function noteOf(inFlight: number): RunState {
  const started = "2026-01-02T03:04:05.678Z";
  return { pid: Deno.pid, started, running: true, in_flight: inFlight };
}

Deno.test("acquireLock() holds against another process", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.lock");
  const script = `import { acquireLock } from ${
    JSON.stringify(import.meta.resolve("../../lib/sink/lock.ts"))
  };
    try { await acquireLock(Deno.args[0]); console.log("taken"); }
    catch (error) { console.log(error.name); }`;
  await dir.write("other.ts", script);
  const other = async () => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-lock", "-A", dir.path("other.ts"), path],
    });
    return new TextDecoder().decode((await command.output()).stdout).trim();
  };
  const lock = await acquireLock(path);
  assertEquals(await other(), "LockedError");
  lock.release();
  assertEquals(await other(), "taken");
});

Deno.test("acquireLock() names --no-lock if the filesystem has no locks", async () => {
  await using dir = await tempDir();
  const openFile = async (path: string) => {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    file.tryLock = () => Promise.reject(new Error("Operation not supported (os error 95)"));
    return file;
  };
  const path = dir.path("x.lock");
  const error = await assertRejects(() => acquireLock(path, { openFile }), SinkError, "--no-lock");
  assertEquals(error.name, "SinkError");
  using _lock = await acquireLock(path, { openFile, required: false });
});

Deno.test("acquireLock() names a file that fails after it was opened, as on network filesystems", async () => {
  await using dir = await tempDir();
  const openFile = async (path: string) => {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    file.stat = () => Promise.reject(new Error("Stale file handle (os error 116)"));
    return file;
  };
  const path = dir.path("x.lock");
  const message = `Cannot write "${path}": Stale file handle`;
  await assertRejects(() => acquireLock(path, { openFile }), SinkError, message);
});

Deno.test("acquireLock() names the file that it cannot open", async () => {
  await using dir = await tempDir();
  const path = dir.path("missing/x.lock");
  await assertRejects(() => acquireLock(path), SinkError, `Cannot write "${path}"`);
});

Deno.test("SharedLock keeps others from every output that was claimed, and from no other", async () => {
  await using dir = await tempDir();
  const paths = ["a.lock", "b.lock"].map((name) => dir.path(name));
  const shared = await SharedLock.acquire(paths);
  for (const path of paths) (await acquireLock(path, { shared })).release();
  for (const path of paths) {
    const error = await assertRejects(() => acquireLock(path), LockedError);
    assertStringIncludes(error.message, `"${path}": it is held by process ${Deno.pid}`);
  }
  await assertRejects(() => SharedLock.acquire(paths.toReversed()), LockedError);
  using _other = await acquireLock(dir.path("c.lock"));
  shared.lock.release();
  using _a = await acquireLock(paths[0]);
  // A holder of the old lock file keeps the output, too.
  using again = await SharedLock.acquire(paths);
  await assertRejects(() => acquireLock(paths[0], { shared: again }), LockedError);
  using _b = await acquireLock(paths[1], { shared: again });
});

Deno.test("earlier versions do not recognize a lock file that names a shared lock as theirs", async () => {
  await using dir = await tempDir();
  const path = dir.path("a.lock");
  // How earlier versions recognize their lock files.
  const isTheirs = async () => (await dir.read("a.lock")).startsWith('{"pid":');
  (await acquireLock(path)).release();
  assertEquals(await isTheirs(), true);
  const shared = await SharedLock.acquire([path]);
  await acquireLock(path, { shared });
  assertEquals(await isTheirs(), false);
  shared.lock.release();
  (await acquireLock(path)).release();
  assertEquals(await isTheirs(), true);
});

Deno.test("SharedLock names the folder that it cannot make", async () => {
  await using dir = await tempDir();
  await dir.write(".retort", "a file");
  const error = await assertRejects(() => SharedLock.acquire([dir.path("a.lock")]), UsageError);
  assertStringIncludes(error.message, `Cannot create the folder "${join(dir.root, ".retort")}"`);
});

Deno.test("a shared lock gives the next holder of each output the calls in flight at a crash, until that sends", async () => {
  await using dir = await tempDir();
  const path = dir.path("a.lock");
  const crashed = await SharedLock.acquire([path]);
  await acquireLock(path, { shared: crashed });
  crashed.lock.note(noteOf(17));
  crashed.lock.release();

  let leftover = "";
  const onLeftovers = (token: string) => Promise.resolve(void (leftover = token));
  (await acquireLock(path, { onLeftovers })).release();
  assertEquals(leftover, crashed.lock.token);

  const second = await SharedLock.acquire([path]);
  assertEquals(second.lock.previous?.in_flight, 17);
  const claimed = await acquireLock(path, { shared: second });
  assertEquals([claimed.previous?.in_flight, claimed.previous?.running], [17, true]);
  second.lock.release(); // The second run ends before it sends anything.

  const third = await SharedLock.acquire([path]);
  assertEquals((await acquireLock(path, { shared: third })).previous?.in_flight, 17);
  third.lock.note({ ...noteOf(0), running: false, started: "2999-01-01T00:00:00.000Z" });
  third.lock.release();
  using fourth = await acquireLock(path);
  assertEquals(fourth.previous?.running, false);
});

Deno.test({
  name: "lockOutput() releases a lock that keeps readers out, and says so",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const path = await dir.write("x.jsonl", "");
    using file = await Deno.open(path, { append: true });
    using other = await Deno.open(path, { append: true });
    const denied = () => Promise.reject(new Error("Permission denied (os error 13)"));
    assertStringIncludes(await lockOutput(file, path, { read: denied }) ?? "", "SMB");
    assertEquals(await lockOutput(other, path, { read: () => Promise.resolve(null) }), undefined);
    await assertRejects(() => lockOutput(file, path), LockedError);
  },
});
