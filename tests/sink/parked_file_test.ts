import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { delay } from "../../lib/timer.ts";
import { Journal } from "../../lib/sink/journal.ts";
import { OpenFiles } from "../../lib/sink/open_files.ts";
import type { JournalOptions } from "../../lib/sink/appender.ts";
import { ParkedFile } from "../../lib/sink/parked_file.ts";
import { WatchedFile } from "../../lib/sink/watched_file.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { diskError, FaultyDisk, movedAway } from "./faulty_disk.ts";

/** A journal whose file exists, and is open only while lines come. */
async function parked<T>(
  path: string,
  { openFile, ...options }: JournalOptions<T>,
  openFiles: OpenFiles,
) {
  const file = new ParkedFile(path, { ...options, openFile }, openFiles);
  const journal = await Journal.open<T>(path, {
    ...options,
    openFile: () => Promise.resolve(file),
  });
  return { file, journal };
}

/** Journals of `count` files, of which `most` may be open at once. */
async function journalsIn(dir: TempDir, count: number, most: number) {
  const openFiles = new OpenFiles(most);
  const durable: number[] = [];
  const onDurable = (records: readonly number[]) => durable.push(...records);
  const opened = Array.from(
    { length: count },
    (_, i) => parked<number>(dir.path(`${i}.jsonl`), { onDurable }, openFiles),
  );
  const all = await Promise.all(opened);
  const journals = all.map(({ journal }) => journal), files = all.map(({ file }) => file);
  return { openFiles, journals, files, durable };
}

Deno.test("ParkedFile: 300 lines into 20 files of which 2 are open, in their order, all durable", async () => {
  await using dir = await tempDir();
  const { journals, durable } = await journalsIn(dir, 20, 2);
  let open = 0, most = 0;
  const realOpen = WatchedFile.open, realClose = WatchedFile.prototype.close;
  WatchedFile.open = async (...args) => {
    most = Math.max(most, ++open);
    return await realOpen.apply(WatchedFile, args);
  };
  WatchedFile.prototype.close = async function () {
    await realClose.call(this);
    open--;
  };
  try {
    await Promise.all(
      Array.from({ length: 300 }, (_, i) => journals[i * 7 % 20].append(String(i), i)),
    );
    for (const journal of journals) await journal.close();
  } finally {
    WatchedFile.open = realOpen;
    WatchedFile.prototype.close = realClose;
  }
  assertEquals([open, most], [0, 2]);
  assertEquals(durable.length, 300);
  for (const [index, journal] of journals.entries()) {
    const lines = Array.from({ length: 300 }, (_, i) => i).filter((i) => i * 7 % 20 === index);
    assertEquals(await dir.read(`${index}.jsonl`), `${lines.join("\n")}\n`);
    assertEquals([journal.appendedRows, journal.missingRows], [15, 0]);
  }
});

Deno.test("ParkedFile: a file that is replaced while it is closed is found, and its lines are saved", async () => {
  await using dir = await tempDir();
  const { openFiles, journals: [first, second] } = await journalsIn(dir, 2, 1);
  await first.append("1", 1);
  await second.append("a", 1);
  await Deno.rename(dir.path("0.jsonl"), dir.path("before.jsonl"));
  await dir.write("0.jsonl", "another, not ended");
  await first.append("2", 2);
  assertStringIncludes(await openFiles.check() ?? "", "another file has taken its place");
  const paths = [1, 2].map((number) => dir.path(`0.rescued-${number}.jsonl`));
  assertEquals(await movedAway(openFiles), paths);
  await first.append("3", 3);
  // The first journal stays open, but no longer counts.
  await second.append("b", 2);
  await first.append("4", 4);
  await first.close();
  await second.close();
  // The line from before it was closed may not be in the file that replaced the old one.
  assertEquals(await dir.read("0.rescued-1.jsonl"), "1\n");
  assertEquals(await dir.read("0.rescued-2.jsonl"), "2\n3\n4\n");
  assertEquals(await dir.read("1.jsonl"), "a\nb\n");
});

Deno.test("ParkedFile: a file with a problem is not closed even if nothing more is written to it", async () => {
  await using dir = await tempDir();
  const { openFiles, journals: [first, second], files: [file] } = await journalsIn(dir, 2, 1);
  await first.append("1", 1);
  await first.flush();
  await Deno.remove(dir.path("0.jsonl"));
  while (await openFiles.check() === undefined);
  file.giveUp(new Error("the run must end"));
  const waiting = second.append("a", 1);
  assert(!file.isIdle);
  assertEquals(await movedAway(openFiles), [dir.path("0.rescued-1.jsonl")]);
  await waiting;
  for (const journal of [first, second]) await journal.close();
  assertEquals(await dir.read("0.rescued-1.jsonl"), "1\n");
});

Deno.test("ParkedFile: a file that was replaced while it was open is not closed", async () => {
  await using dir = await tempDir();
  const { openFiles, journals: [first, second] } = await journalsIn(dir, 2, 1);
  await first.append("1", 1);
  await Deno.remove(dir.path("0.jsonl"));
  const waiting = second.append("a", 1);
  while (await openFiles.check() === undefined);
  await movedAway(openFiles);
  await waiting;
  await first.close();
  await second.close();
  assertEquals(await dir.read("0.rescued-1.jsonl"), "1\n");
});

Deno.test("ParkedFile: files that were replaced use no slot", async () => {
  await using dir = await tempDir();
  const { openFiles, journals } = await journalsIn(dir, 3, 1);
  const [first, second, third] = journals;
  await first.append("1", 1);
  await second.append("a", 1);
  for (const name of ["0.jsonl", "1.jsonl"]) {
    await Deno.rename(dir.path(name), dir.path(`before-${name}`));
    await dir.write(name, "");
  }
  assertStringIncludes(await openFiles.check() ?? "", "another file has taken its place");
  const paths = [1, 0].map((number) => dir.path(`${number}.rescued-1.jsonl`));
  assertEquals(await movedAway(openFiles), paths);
  await first.append("2", 2);
  await third.append("x", 1);
  await first.append("3", 3);
  // Also reports the file to which `park` has redirected lines.
  assertEquals(await movedAway(openFiles), [dir.path("0.rescued-2.jsonl")]);
  for (const journal of journals) await journal.close();
  assertEquals(await dir.read("0.rescued-1.jsonl"), "1\n");
  assertEquals(await dir.read("0.rescued-2.jsonl"), "2\n3\n");
  assertEquals(await dir.read("2.jsonl"), "x\n");
});

Deno.test("ParkedFile: files that others add to the list meanwhile are not taken for its own", async () => {
  await using dir = await tempDir();
  const { journals: [first], files: [file] } = await journalsIn(dir, 1, 1);
  await first.append("1", 1);
  assertEquals(await first.check(), undefined);
  const paths: string[] = [];
  const moving = first.moveAway(paths);
  paths.push("of another file");
  await moving;
  assert(file.isIdle);
  await Deno.remove(dir.path("0.jsonl"));
  while (await first.check() === undefined);
  const moved = first.moveAway(paths);
  paths.length = 0;
  await moved;
  assertEquals(paths, [dir.path("0.rescued-1.jsonl")]);
  assertEquals(await first.check(), undefined);
  assert(!file.isIdle);
  await first.close();
});

Deno.test("ParkedFile: a line is saved that comes between the reading and the renaming of sed -i", async () => {
  await using dir = await tempDir();
  const { openFiles, journals: [first, second] } = await journalsIn(dir, 2, 1);
  await dir.write("0.jsonl", "read by sed\n");
  await first.append("1", 1);
  await dir.write("by sed", "read by sed\n");
  await second.append("a", 1);
  assertEquals(await openFiles.check(), undefined);
  await Deno.rename(dir.path("by sed"), dir.path("0.jsonl"));
  assertStringIncludes(await openFiles.check() ?? "", "another file has taken its place");
  assertEquals(await movedAway(openFiles), [dir.path("0.rescued-1.jsonl")]);
  for (const journal of [first, second]) await journal.close();
  assertEquals(await dir.read("0.rescued-1.jsonl"), "1\n");
});

Deno.test("ParkedFile: lines of a closed file are kept until they could be saved", async () => {
  await using dir = await tempDir();
  const openFiles = new OpenFiles(1);
  await Deno.mkdir(dir.path("out"));
  const opened = ["out/0.jsonl", "1.jsonl"].map((name) =>
    parked<number>(dir.path(name), {}, openFiles)
  );
  const [{ journal: first }, { journal: second }] = await Promise.all(opened);
  await first.append("1", 1);
  await second.append("a", 1);
  await Deno.rename(dir.path("out"), dir.path("before"));
  assertStringIncludes(await openFiles.check() ?? "", "it was removed");
  await dir.write("out", "no folder can be made here");
  await assertRejects(() => movedAway(openFiles));
  await Deno.remove(dir.path("out"));
  assertEquals(await movedAway(openFiles), [dir.path("out/0.rescued-1.jsonl")]);
  for (const journal of [first, second]) await journal.close();
  assertEquals(await dir.read("out/0.rescued-1.jsonl"), "1\n");
});

Deno.test("ParkedFile: while the disk is full, attempts to save lines leave one file, not one each", async () => {
  await using dir = await tempDir();
  const { openFiles, journals: [first, second] } = await journalsIn(dir, 2, 1);
  await first.append("10", 1);
  await second.append("a", 1);
  await Deno.remove(dir.path("0.jsonl"));
  assertStringIncludes(await openFiles.check() ?? "", "it was removed");
  const { write } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.write = async function (bytes) {
    await write.call(this, bytes.subarray(0, 1));
    throw diskError("ENOSPC", "No space left on device");
  };
  try {
    for (let attempt = 1; attempt <= 3; attempt++) await assertRejects(() => movedAway(openFiles));
  } finally {
    Deno.FsFile.prototype.write = write;
  }
  const rescued = (names: string[]) => names.filter((name) => name.includes("rescued"));
  assertEquals(rescued(await dir.names()), ["0.rescued-1.jsonl"]);
  assertEquals(await movedAway(openFiles), [dir.path("0.rescued-1.jsonl")]);
  assertEquals(await dir.read("0.rescued-1.jsonl"), "10\n");
  assertEquals(rescued(await dir.names()), ["0.rescued-1.jsonl"]);
  for (const journal of [first, second]) await journal.close();
});

Deno.test("ParkedFile: the last check looks at files that were closed long ago", async () => {
  await using dir = await tempDir();
  const { openFiles, journals } = await journalsIn(dir, 3, 1);
  for (const [index, journal] of journals.entries()) await journal.append(String(index), index);
  for (let i = 0; i < 3; i++) assertEquals(await openFiles.check(), undefined);
  await Deno.remove(dir.path("1.jsonl"));
  assertEquals(await openFiles.check(), undefined);
  assertStringIncludes(await openFiles.check(true) ?? "", '1.jsonl": it was removed');
  // All lines are older than the last check, so the removed file held them.
  assertEquals(await movedAway(openFiles), []);
  for (const journal of journals) await journal.close();
});

Deno.test("ParkedFile: a file that cannot be opened is tried again, and given up only with abandon()", async () => {
  await using dir = await tempDir();
  const stalls: string[] = [];
  const path = dir.path("none/x.jsonl");
  const rescued: string[] = [];
  const options = {
    onStall: (error: Error) => void stalls.push(error.message),
    onRescue: (path: string) => void rescued.push(path),
  };
  const { journal } = await parked(path, options, new OpenFiles(1));
  const written = journal.append("1", undefined);
  while (stalls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assertStringIncludes(stalls[0], "Cannot write");
  journal.abandon();
  await written;
  // As with an open file: the user has ended the run, which has lost nothing.
  await journal.close();
  assertEquals([rescued, journal.missingRows], [[dir.path("none/x.rescued-1.jsonl")], 0]);
});

Deno.test("Journal.rescue() moves what waits for a file that cannot be opened", async () => {
  await using dir = await tempDir();
  const stalled = Promise.withResolvers<void>();
  const options = { onStall: () => stalled.resolve() };
  const path = `${await dir.write("full", "")}/x.jsonl`;
  const { journal } = await parked(path, options, new OpenFiles(1));
  const written = journal.append("1", undefined);
  await stalled.promise;
  await Deno.remove(dir.path("full"));
  journal.rescue();
  await Promise.all([written, journal.append("2", undefined)]);
  const lines = (await dir.read("full/x.rescued-1.jsonl")).trimEnd().split("\n");
  assertEquals(lines.toSorted(), ["1", "2"]);
  await assertRejects(() => journal.close(), SinkError, "Cannot write");
  assertEquals(journal.missingRows, 0);
});

Deno.test({
  name: "Journal.rescue() moves what waits for a file that another process has locked",
  // On Windows, outputs are not locked.
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const path = await dir.write("x.jsonl", "");
    using other = await Deno.open(path);
    await other.lock(true);
    const stalled = Promise.withResolvers<Error>();
    const options = { onStall: stalled.resolve };
    const { journal } = await parked(path, options, new OpenFiles(1));
    const written = journal.append("1", undefined);
    assertStringIncludes((await stalled.promise).message, "Cannot lock");
    journal.rescue();
    await written;
    assertEquals(await dir.read("x.rescued-1.jsonl"), "1\n");
    await assertRejects(() => journal.close(), SinkError, "Cannot lock");
  },
});

Deno.test("ParkedFile: lines that wait for a slot go to another file if the run must end", async () => {
  await using dir = await tempDir();
  const { openFiles, journals: [first, second], files } = await journalsIn(dir, 2, 1);
  await first.append("1", 1);
  // A file with a problem stays open.
  await Deno.remove(dir.path("0.jsonl"));
  while (await openFiles.check() === undefined);
  const written = second.append("a", 1);
  while (!files[1].isWaiting) await delay(1);
  second.abandon();
  await written;
  assertEquals([await dir.read("1.rescued-1.jsonl"), second.missingRows], ["a\n", 0]);
  await second.close();
  await movedAway(openFiles);
  await first.close();
});

Deno.test("ParkedFile: after a failed sync, lines go to another file, even once the file was closed", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk(), broken: string[] = [], durable: string[] = [];
  const rescued: unknown[] = [];
  const openFiles = new OpenFiles(1);
  const opened = ["a", "b"].map((name) =>
    parked<string>(dir.path(name), {
      openFile: disk.openFile,
      onBroken: ({ message }) => broken.push(message),
      onRescue: (...file) => rescued.push(file),
      onDurable: (records) => durable.push(...records),
    }, openFiles)
  );
  const [{ journal: failing }, { journal: whole }] = await Promise.all(opened);
  disk.beforeSync = () => {
    if (failing.appendedRows === 2 && broken.length === 0) throw diskError("EIO", "I/O error");
  };
  await failing.append("a 1", "a 1");
  while (durable.length === 0) await delay(1);
  await failing.append("a 2", "a 2");
  // The first file is closed, because only one may be open.
  await whole.append("b 1", "b 1");
  await Promise.all([failing.append("a 3", "a 3"), failing.append("a 4", "a 4")]);
  await whole.close();
  const error = await failing.close().then(() => undefined, (error) => error);
  assertStringIncludes(String(error), "Cannot sync");
  assertEquals([broken.length, durable], [1, ["a 1", "b 1"]]);
  assertEquals(rescued, [[dir.path("a.rescued-1.jsonl"), false]]);
  assertEquals(await dir.read("a.rescued-1.jsonl"), "a 3\na 4\n");
  assertEquals([failing.missingRows, whole.missingRows], [1, 0]);
});
