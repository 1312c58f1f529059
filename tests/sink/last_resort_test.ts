/** Tests of `LastResort`. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { LastResort } from "../../lib/sink/rescued.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("LastResort goes to another folder if that of the output takes no more", async () => {
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
    onFile: (path) => {
      files.push(path);
      // The file cannot be opened until this is removed.
      Deno.removeSync(path);
      Deno.mkdirSync(path);
    },
  });
  await assertRejects(() => lastResort.append("1\n"), SinkError);
  await assertRejects(() => lastResort.append("2\n"), SinkError);
  await Deno.remove(files[0]);
  await dir.write("tmp1/x.rescued-1.jsonl", "1\n2");
  await lastResort.append("3\n");
  assertEquals(files, [dir.path("tmp1/x.rescued-1.jsonl")]);
  assertEquals(await dir.read("tmp1/x.rescued-1.jsonl"), "1\n3\n");
});

Deno.test("LastResort tries again if no disk has room, until its signal is aborted", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  const abandoned = new AbortController();
  let folders = 0;
  const lastResort = new LastResort(output, {
    makeFolder: () =>
      ++folders < 2 ? Promise.reject(new Error("full")) : Promise.resolve(dir.path("tmp")),
    retrying: abandoned.signal,
  });
  await lastResort.append("1\n");
  assertEquals([folders, await dir.read("tmp/x.rescued-1.jsonl")], [2, "1\n"]);
  const makeFolder = () => Promise.reject(new Error("full"));
  const full = new LastResort(output, { makeFolder, retrying: abandoned.signal });
  const lost = assertRejects(() => full.append("1\n"), SinkError);
  setTimeout(() => abandoned.abort(), 20);
  await lost;
});
