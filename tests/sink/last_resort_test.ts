/** Tests of `LastResort`. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { LastResort } from "../../lib/sink/rescued.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("LastResort writes to another folder if that of the output accepts no lines", async () => {
  await using dir = await tempDir();
  // Nothing can be written below a file.
  const output = `${await dir.write("full", "")}/x.jsonl`;
  const files: unknown[] = [];
  const lastResort = new LastResort(output, {
    makeFolder: () => Promise.resolve(dir.path("tmp")),
    onFile: (...file) => files.push(file),
  });
  await Promise.all([lastResort.append("1\n"), lastResort.append("2\n3\n")]);
  await lastResort.untilIdle();
  assertEquals(files, [[dir.path("tmp/x.rescued-1.jsonl"), true]]);
  assertEquals(await dir.read("tmp/x.rescued-1.jsonl"), "1\n2\n3\n");
});

Deno.test("LastResort rejects if lines can be kept nowhere", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  const makeFolder = () => Promise.reject(new Deno.errors.PermissionDenied("no"));
  const lastResort = new LastResort(output, { makeFolder });
  await assertRejects(() => lastResort.append("1\n"), SinkError, "permission denied");
  await lastResort.untilIdle();
});

Deno.test("LastResort uses one temporary folder, also after a write there has failed", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  let folders = 0;
  const files: string[] = [];
  const lastResort = new LastResort(output, {
    makeFolder: () => Promise.resolve(dir.path(`tmp${++folders}`)),
    onFile: (path) => files.push(path),
  });
  await lastResort.append("1\n");
  // The file cannot be opened until this is removed.
  await Deno.remove(files[0]);
  await Deno.mkdir(files[0]);
  await assertRejects(() => lastResort.append("2\n"), SinkError);
  await assertRejects(() => lastResort.append("2\n"), SinkError);
  await Deno.remove(files[0]);
  await dir.write("tmp1/x.rescued-1.jsonl", "1\n2");
  await lastResort.append("3\n");
  assertEquals(files, [dir.path("tmp1/x.rescued-1.jsonl")]);
  assertEquals(await dir.read("tmp1/x.rescued-1.jsonl"), "1\n3\n");
});

Deno.test("LastResort names a file only once lines are in it", async () => {
  await using dir = await tempDir();
  const files: string[] = [];
  const lastResort = new LastResort(dir.path("out/x.jsonl"), {
    makeFolder: () => Promise.resolve(dir.path("tmp")),
    onFile: (path) => files.push(path),
  });
  const { sync } = Deno.FsFile.prototype;
  // The folder can be synced, but not the first file.
  Deno.FsFile.prototype.sync = async function () {
    if (!(await this.stat()).isFile) return await sync.call(this);
    Deno.FsFile.prototype.sync = sync;
    throw new Error("full");
  };
  try {
    await lastResort.append("1\n");
  } finally {
    Deno.FsFile.prototype.sync = sync;
  }
  assertEquals(files, [dir.path("tmp/x.rescued-2.jsonl")]);
});

Deno.test("LastResort numbers a file next to the output after its temporary file", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  const files: string[] = [];
  const lastResort = new LastResort(output, {
    makeFolder: () => Promise.resolve(dir.path("tmp")),
    onFile: (path) => files.push(path),
    retries: true,
  });
  await lastResort.append("1\n");
  // The temporary file takes no more; there is space for the output again.
  await Deno.remove(files[0]);
  await Deno.mkdir(files[0]);
  await Deno.remove(dir.path("full"));
  await lastResort.append("2\n");
  assertEquals(files, [dir.path("tmp/x.rescued-1.jsonl"), dir.path("full/x.rescued-2.jsonl")]);
});

Deno.test("LastResort tries again if no disk has room, until it gives up", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  let folders = 0;
  const lastResort = new LastResort(output, {
    makeFolder: () =>
      ++folders < 2 ? Promise.reject(new Error("full")) : Promise.resolve(dir.path("tmp")),
    retries: true,
  });
  await lastResort.append("1\n");
  assertEquals([folders, await dir.read("tmp/x.rescued-1.jsonl")], [2, "1\n"]);
  const makeFolder = () => Promise.reject(new Error("full"));
  const full = new LastResort(output, { makeFolder, retries: true });
  const lost = assertRejects(() => full.append("1\n"), SinkError);
  setTimeout(() => full.giveUp(), 20);
  await lost;
});

Deno.test("LastResort tries the folder of the output again, as space is freed there", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  let folders = 0;
  const makeFolder = async () => {
    if (folders++ > 0) lastResort.giveUp();
    // The next try finds a folder.
    await Deno.remove(dir.path("full"));
    throw new Error("full");
  };
  const lastResort = new LastResort(output, { makeFolder, retries: true });
  await lastResort.append("1\n");
  assertEquals(await dir.read("full/x.rescued-1.jsonl"), "1\n");
});

Deno.test("LastResort gives its temporary file a number that no file next to the output has", async () => {
  await using dir = await tempDir();
  const files: string[] = [];
  const lastResort = new LastResort(dir.path("out/x.jsonl"), {
    makeFolder: () => Promise.resolve(dir.path("tmp")),
    onFile: (path) => files.push(path),
  });
  await lastResort.append("1\n");
  await Deno.remove(files[0]);
  await Deno.mkdir(files[0]);
  await lastResort.append("2\n");
  assertEquals(files, [dir.path("out/x.rescued-1.jsonl"), dir.path("tmp/x.rescued-2.jsonl")]);
});
