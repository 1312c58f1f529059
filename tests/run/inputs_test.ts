/** Tests of lib/run/inputs.ts: folders and patterns instead of files. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { resolve } from "../../lib/deps/std_path.ts";
import { SourceError } from "../../lib/errors.ts";
import { isUnchanged, stampOf } from "../../lib/run/input_files.ts";
import { findInputs } from "../../lib/run/inputs.ts";
import { tempDir } from "../support/temp.ts";

async function folder() {
  const dir = await tempDir();
  const names = [
    "part-10.jsonl",
    "part-2.jsonl",
    "t.csv.zst",
    ".hidden.jsonl",
    "notes.md",
    "old.jsonl",
    "old.run.json",
    "old_error.jsonl",
    "deep/x.parquet",
    "empty/readme.md",
  ];
  for (const name of names) {
    await Deno.mkdir(dir.path(name.includes("/") ? name.split("/")[0] : "."), { recursive: true });
    await Deno.writeTextFile(dir.path(name), "");
  }
  return dir;
}

/** On Windows, the paths may differ in their separators. */
function assertPaths(actual: readonly string[], expected: readonly string[]): void {
  assertEquals(actual.map((path) => resolve(path)), expected.map((path) => resolve(path)));
}

Deno.test("a folder gives its files in natural order, without hidden, other and own ones", async () => {
  await using dir = await folder();
  const { files, notes } = await findInputs([dir.root]);
  const names = ["part-2.jsonl", "part-10.jsonl", "t.csv.zst"];
  assertPaths(files, names.map((name) => dir.path(name)));
  assertEquals(notes, [
    `${dir.root}: 3 files read, 5 left out (hidden, of other formats, or written by Retort)`,
  ]);
});

Deno.test({
  name:
    "links to other files of a folder or pattern are left out, links to files elsewhere are not",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = await tempDir();
    await dir.write("in/b.jsonl", "");
    await dir.write("blobs/1", "");
    const links = { "a.jsonl": "b.jsonl", "c.jsonl": "../blobs/1", "d.jsonl": "../blobs/1" };
    for (const [name, target] of Object.entries(links)) {
      await Deno.symlink(target, dir.path(`in/${name}`));
    }
    for (const input of ["in", "in/*.jsonl"].map((name) => dir.path(name))) {
      const { files, notes } = await findInputs([input]);
      assertEquals(files, ["b.jsonl", "c.jsonl"].map((name) => dir.path(`in/${name}`)));
      assertEquals(notes, [`${input}: 2 links to other files left out`]);
    }
    // As the shell expands `in/*.jsonl`.
    const named = ["a", "b", "c", "d"].map((name) => dir.path(`in/${name}.jsonl`));
    const { files, notes } = await findInputs(named);
    assertEquals([files, notes], [[named[1], named[2]], ["2 links to other files left out"]]);
    assertEquals((await findInputs([named[0]])).files, [named[0]]);
  },
});

Deno.test("the files of a folder are found even if it forbids to look at them: the run names them", async () => {
  await using dir = await folder();
  const { lstat, lstatSync } = Deno;
  const denied = new Deno.errors.PermissionDenied("no");
  Deno.lstat = () => Promise.reject(denied);
  Deno.lstatSync = () => {
    throw denied;
  };
  try {
    assertEquals((await findInputs([dir.root])).files.length, 3);
    assertEquals((await findInputs([dir.path("*.jsonl")])).files.length, 2);
  } finally {
    Object.assign(Deno, { lstat, lstatSync });
  }
});

Deno.test("compressed results are left out, a compressed input beside its results is not", async () => {
  await using dir = await tempDir();
  const outputs = ["a.jsonl.gz", "a_error.jsonl.gz", "a.outdated.jsonl.zst", "a.run.json"];
  for (const name of [...outputs, "b.jsonl.gz", "b.jsonl", "b.run.json"]) await dir.write(name, "");
  for (const name of ["c.jsonl.gz", "c_error.jsonl.gz", "c.run.json.gz"]) await dir.write(name, "");
  // Backups beside the files that they are copies of.
  for (const name of ["b_error.jsonl.gz", "b_error.jsonl", "b.outdated.jsonl.gz"]) {
    await dir.write(name, "");
  }
  for (const name of ["b.outdated.jsonl", "b_error.rescued-1.jsonl.gz"]) await dir.write(name, "");
  // Another program's data of errors.
  await dir.write("math_error.jsonl.gz", "");
  const inputs = ["b.jsonl.gz", "math_error.jsonl.gz"].map((name) => dir.path(name));
  assertPaths((await findInputs([dir.root])).files, inputs);
  assertPaths((await findInputs([dir.path("*.gz")])).files, inputs);
});

Deno.test("patterns match in one folder, and with ** in all below", async () => {
  await using dir = await folder();
  const parts = await findInputs([dir.path("part-*.jsonl")]);
  assertPaths(parts.files, [dir.path("part-2.jsonl"), dir.path("part-10.jsonl")]);
  assertPaths((await findInputs([dir.path("**/*.parquet")])).files, [dir.path("deep/x.parquet")]);
});

Deno.test("files are returned as they were named, as are folders and patterns without files", async () => {
  await using dir = await folder();
  const names = ["-", "a.jsonl", dir.path("empty"), dir.path("*.parquet")];
  assertEquals(await findInputs(names), { files: names, notes: [] });
});

Deno.test({
  name: "an input whose folder cannot be reached for a moment does not count as changed",
  ignore: Deno.build.os === "windows", // links need a privilege there
  async fn() {
    await using dir = await tempDir();
    const path = await dir.write("in/x.jsonl", "a"), stamp = await stampOf(path);
    await Deno.rename(dir.path("in"), dir.path("away"));
    assert(!isUnchanged(path, stamp));
    // A link to itself stands for a silent file server: both fail without "not found".
    await Deno.symlink("in", dir.path("in"));
    assert(isUnchanged(path, stamp));
  },
});

Deno.test("findInputs() ends when it is aborted while it walks through folders", async () => {
  await using dir = await tempDir();
  await dir.write("deep/deeper/x.jsonl", "");
  const { readDir } = Deno;
  const stop = new AbortController();
  let reads = 0;
  Deno.readDir = (path) => {
    if (++reads === 2) stop.abort();
    return readDir(path);
  };
  try {
    const search = findInputs([dir.path("**/*.jsonl")], stop.signal);
    await assertRejects(() => search, DOMException);
    assertEquals(reads, 2);
  } finally {
    Deno.readDir = readDir;
  }
});

Deno.test("findInputs() reads each folder below a pattern once", async () => {
  await using dir = await tempDir();
  for (const name of ["a", "m", "z"]) {
    await dir.write(`${name}.jsonl`, "");
    await dir.write(`${name}/x.jsonl`, "");
  }
  const { readDir } = Deno;
  let reads = 0;
  Deno.readDir = (path) => {
    reads++;
    return readDir(path);
  };
  try {
    assertEquals((await findInputs([dir.path("**/*.jsonl")])).files.length, 6);
    assertEquals(reads, 4);
  } finally {
    Deno.readDir = readDir;
  }
});

Deno.test("findInputs() names a subfolder of a pattern that cannot be read", async () => {
  await using dir = await tempDir();
  await dir.write("deep/x.jsonl", "");
  const { readDir } = Deno;
  Deno.readDir = (path) => {
    if (String(path).endsWith("deep")) throw new Deno.errors.PermissionDenied("os error 13");
    return readDir(path);
  };
  try {
    const search = findInputs([dir.path("**/*.jsonl")]);
    await assertRejects(() => search, SourceError, 'Cannot read the folder "');
  } finally {
    Deno.readDir = readDir;
  }
});

Deno.test("findInputs() finds a name whose accents are characters of their own, as macOS writes them", async () => {
  await using dir = await tempDir();
  const path = await dir.write("cafe\u0301-1.jsonl", "{}\n");
  const { files } = await findInputs([dir.path("caf\u00e9-*.jsonl")]);
  assertPaths(files.map((file) => file.normalize()), [path.normalize()]);
});
