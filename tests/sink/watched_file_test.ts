import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { Journal } from "../../lib/sink/journal.ts";
import { acquireLock } from "../../lib/sink/lock.ts";
import { writeFileDurably } from "../../lib/sink/durable_file.ts";
import { WatchedFile } from "../../lib/sink/watched_file.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { diskError, movedAway, openJournal } from "./faulty_disk.ts";

const line = (uid: string) => `{"uid":"${uid}","prompt_hash":"","response":""}`;

async function open(dir: TempDir, fsync: "always" | "never" = "always") {
  return await openJournal<string>(dir.path("x.jsonl"), { fsync });
}

Deno.test("a journal finds nothing wrong with a file that it writes to, appended to by others or not", async () => {
  await using dir = await tempDir();
  await using journal = await open(dir);
  await journal.append(line("a"), "a");
  await journal.flush();
  assertEquals(await journal.check(), undefined);
  await Deno.writeTextFile(dir.path("x.jsonl"), "\n", { append: true });
  assertEquals([await journal.check(), await movedAway(journal)], [undefined, []]);
});

Deno.test("a journal keeps what it wrote in the minute before the last good check, and continues in a new file", async () => {
  await using dir = await tempDir();
  await using journal = await open(dir);
  await journal.append(line("a"), "a");
  // As in one minute: runs check once a second.
  for (let i = 0; i < 60; i++) await journal.check();
  // Another program may have read the file before this line, and replace it afterwards.
  await journal.append(line("b"), "b");
  await journal.check();
  await dir.write("other", "");
  await Deno.rename(dir.path("other"), dir.path("x.jsonl"));
  await journal.append(line("c"), "c");
  assertStringIncludes((await journal.check())!, "another file has taken its place");
  const [[rescued]] = await Promise.all([movedAway(journal), journal.append(line("d"), "d")]);
  await journal.append(line("e"), "e");
  await journal.flush();
  assertEquals(rescued, dir.path("x.rescued-1.jsonl"));
  assertEquals((await dir.rows("x.rescued-1.jsonl")).map(({ uid }) => uid), ["b", "c", "d", "e"]);
  assertEquals(await dir.read("x.jsonl"), "");
  assertEquals(await journal.check(), undefined);
});

Deno.test("a journal leaves no empty file where no line had to go to it", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", `${line("a")}\n`);
  {
    await using journal = await open(dir);
    await Deno.rename(dir.path("x.jsonl"), dir.path("moved"));
    await journal.check();
    assertEquals(await movedAway(journal), [dir.path("x.rescued-1.jsonl")]);
  }
  assertEquals(await dir.names(), ["moved"]);
});

Deno.test("a journal closes although its empty file cannot be removed", async () => {
  await using dir = await tempDir();
  const { remove } = Deno;
  try {
    await using journal = await open(dir);
    await Deno.rename(dir.path("x.jsonl"), dir.path("moved"));
    await journal.check();
    assertEquals(await movedAway(journal), [dir.path("x.rescued-1.jsonl")]);
    Deno.remove = () => Promise.reject(diskError("EROFS", "Read-only file system"));
    await journal.close();
  } finally {
    Deno.remove = remove;
  }
  assertEquals((await dir.names()).sort(), ["moved", "x.rescued-1.jsonl"]);
});

Deno.test("a journal keeps all lines of a deleted file, also those of earlier runs", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", `${line("a")}\n`);
  await using journal = await open(dir);
  await journal.append(line("b"), "b");
  // Longer than the minute of which the lines are kept otherwise.
  for (let i = 0; i < 70; i++) await journal.check();
  await Deno.remove(dir.path("x.jsonl"));
  await journal.check();
  await movedAway(journal);
  await journal.append(line("c"), "c");
  await journal.flush();
  assertEquals((await dir.rows("x.rescued-1.jsonl")).map(({ uid }) => uid), ["a", "b", "c"]);
});

Deno.test("a journal never reuses the number of existing rescued lines", async () => {
  await using dir = await tempDir();
  await using journal = await open(dir);
  await dir.write("x.rescued-1.jsonl", "mine");
  await Deno.remove(dir.path("x.jsonl"));
  await journal.check();
  assertEquals(await movedAway(journal), [dir.path("x.rescued-2.jsonl")]);
  assertEquals(await dir.read("x.rescued-1.jsonl"), "mine");
});

Deno.test("a journal moves its lines once, however many callers request it", async () => {
  await using dir = await tempDir();
  await using journal = await open(dir);
  await journal.append(line("a"), "a");
  await Deno.remove(dir.path("x.jsonl"));
  await journal.check();
  const asked = await Promise.all([movedAway(journal), movedAway(journal)]);
  assertEquals(asked, [[dir.path("x.rescued-1.jsonl")], []]);
  assertEquals(await movedAway(journal), []);
  assertEquals((await dir.rows("x.rescued-1.jsonl")).map(({ uid }) => uid), ["a"]);
  assertEquals([...Deno.readDirSync(dir.root)].map(({ name }) => name), ["x.rescued-1.jsonl"]);
});

Deno.test("a journal recreates a removed folder", async () => {
  await using dir = await tempDir();
  await dir.write("out/in", "");
  await using journal = await openJournal<string>(dir.path("out/x.jsonl"));
  await journal.append(line("a"), "a");
  await Deno.remove(dir.path("out"), { recursive: true });
  assertStringIncludes((await journal.check())!, "it was removed or renamed");
  await movedAway(journal);
  assertEquals((await dir.rows("out/x.rescued-1.jsonl")).map(({ uid }) => uid), ["a"]);
});

Deno.test("only the loss of acknowledged bytes is reported", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", `${line("a")}\n`);
  await using journal = await open(dir, "never");
  await journal.append(line("b"), "b");
  // On a network filesystem, bytes that are not synced may be missing.
  await Deno.truncate(dir.path("x.jsonl"), line("a").length + 1);
  assertEquals(await journal.check(), undefined);
  await Deno.truncate(dir.path("x.jsonl"), 10);
  assertStringIncludes((await journal.check())!, "it was truncated");
  await journal.append(line("c"), "c");
  await movedAway(journal);
  assertEquals((await dir.rows("x.rescued-1.jsonl")).map(({ uid }) => uid), ["c"]);
  assertEquals(await dir.read("x.jsonl"), "");
});

Deno.test("bytes that the writer itself trimmed are not reported as lost, even if a sync ran during their write", async () => {
  await using dir = await tempDir();
  const file = await WatchedFile.open(dir.path("x.jsonl"));
  try {
    for (const order of ["sync first", "truncation first"]) {
      await file.write(new Uint8Array(10));
      const sync = file.syncData();
      if (order === "sync first") await sync;
      await file.truncate(4);
      await sync;
      assertEquals(await file.check(), undefined, order);
    }
  } finally {
    await file.close();
  }
});

Deno.test("lines move, and are trimmed, where handles for appending cannot truncate", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", "12345678\n");
  const { open } = Deno;
  // As on Windows.
  const truncate = () => Promise.reject(new Deno.errors.PermissionDenied());
  Deno.open = async (path, options) => {
    const file = await open(path, options);
    return options?.append ? Object.assign(file, { truncate }) : file;
  };
  const file = await WatchedFile.open(dir.path("x.jsonl"));
  try {
    await file.write(new TextEncoder().encode("ab"));
    await file.truncate(9);
    await Deno.truncate(dir.path("x.jsonl"), 4);
    await file.check();
    assertEquals(await movedAway(file), [dir.path("x.rescued-1.jsonl")]);
    await file.write(new TextEncoder().encode("ab\ncd"));
    await file.truncate(9 + 3);
    assertEquals([await dir.read("x.jsonl"), await dir.read("x.rescued-1.jsonl")], [
      "1234",
      "ab\n",
    ]);
  } finally {
    Deno.open = open;
    await file.close();
  }
});

Deno.test("a file that replaces the output is noticed where inodes are too large to be exact", async () => {
  await using dir = await tempDir();
  const { stat } = Deno, statOfHandle = Deno.FsFile.prototype.stat;
  // As on Lustre and NTFS: Deno reports the same rounded number for neighbours.
  const rounded = (info: Deno.FileInfo) => ({ ...info, ino: 2 ** 57 });
  Deno.stat = async (path) => rounded(await stat(path));
  Deno.FsFile.prototype.stat = async function () {
    return rounded(await statOfHandle.call(this));
  };
  try {
    await using journal = await open(dir);
    assertEquals(await journal.check(), undefined);
    await dir.write("other", "");
    const birthtime = new Date(Date.now() + 5_000);
    Deno.stat = async (path) => ({ ...rounded(await stat(path)), birthtime });
    await Deno.rename(dir.path("other"), dir.path("x.jsonl"));
    assertStringIncludes((await journal.check())!, "another file has taken its place");
  } finally {
    Deno.stat = stat;
    Deno.FsFile.prototype.stat = statOfHandle;
  }
});

Deno.test("a file whose path and handle have different numbers is taken as the same, even if it cannot be opened again", async () => {
  await using dir = await tempDir();
  const { stat, open: openFile } = Deno;
  // As on some overlays and network drives.
  Deno.stat = async (path) => {
    const info = await stat(path);
    return { ...info, ino: (info.ino ?? 0) + 1 };
  };
  let refused = 0;
  Deno.open = (path, options) => {
    if (path !== dir.path("x.jsonl") || !options?.read || options.write) {
      return openFile(path, options);
    }
    refused++;
    return Promise.reject(diskError("EMFILE", "Too many open files"));
  };
  try {
    await using journal = await open(dir);
    assertEquals([refused, await journal.check()], [1, undefined]);
  } finally {
    Object.assign(Deno, { stat, open: openFile });
  }
});

Deno.test("a file whose number differs at each call is taken as the same", async () => {
  await using dir = await tempDir();
  const { stat } = Deno, statHandle = Deno.FsFile.prototype.stat;
  let ino = 0;
  Deno.stat = async (path) => ({ ...await stat(path), ino: ++ino });
  Deno.FsFile.prototype.stat = async function () {
    return { ...await statHandle.call(this), ino: ++ino };
  };
  try {
    await using journal = await open(dir);
    assertEquals(await journal.check(), undefined);
    using _lock = await acquireLock(dir.path("x.lock"));
  } finally {
    Deno.stat = stat;
    Deno.FsFile.prototype.stat = statHandle;
  }
});

for (
  const [drive, reason] of [
    ["network drive that macOS cannot sync", "Operation not supported (os error 45)"],
    ["FUSE filesystem without fsync", "Invalid argument (os error 22)"],
  ]
) {
  Deno.test(`a ${drive} accepts lines and replaced files, and other failures are reported`, async () => {
    await using dir = await tempDir();
    const { sync, syncData } = Deno.FsFile.prototype;
    let message = reason;
    const fail = () => Promise.reject(new Error(message));
    Object.assign(Deno.FsFile.prototype, { sync: fail, syncData: fail });
    try {
      await using journal = await open(dir);
      await journal.append(line("a"), "a");
      await journal.flush();
      await Deno.remove(dir.path("x.jsonl"));
      await journal.check();
      assertEquals(await movedAway(journal), [dir.path("x.rescued-1.jsonl")]);
      await writeFileDurably(dir.path("x.run.json"), "{}");
      message = "Input/output error (os error 5)";
      await assertRejects(() => writeFileDurably(dir.path("x.run.json"), "[]"), SinkError, message);
      assertEquals(await dir.read("x.run.json"), "{}");
    } finally {
      Object.assign(Deno.FsFile.prototype, { sync, syncData });
    }
  });
}

Deno.test("a journal writes and syncs by two handles, and frees the first if the second cannot be opened", async () => {
  await using dir = await tempDir();
  const used = new Map<string, unknown>();
  const { writeSync, syncData } = Deno.FsFile.prototype;
  const { open: openFile } = Deno;
  try {
    Deno.FsFile.prototype.writeSync = function (bytes) {
      used.set("write", this);
      return writeSync.call(this, bytes);
    };
    Deno.FsFile.prototype.syncData = function () {
      used.set("sync", this);
      return syncData.call(this);
    };
    await using journal = await open(dir);
    await journal.append(line("a"), "a");
    await journal.flush();
    let opened = 0;
    Deno.open = (path, options) =>
      ++opened === 2
        ? Promise.reject(diskError("EROFS", "Read-only file system"))
        : openFile(path, options);
    await assertRejects(
      () => Journal.open(dir.path("y.jsonl")),
      SinkError,
      "Read-only file system",
    );
  } finally {
    Object.assign(Deno.FsFile.prototype, { writeSync, syncData });
    Deno.open = openFile;
  }
  const [written, synced] = [used.get("write"), used.get("sync")];
  assert(written !== undefined && synced !== undefined && written !== synced);
});
