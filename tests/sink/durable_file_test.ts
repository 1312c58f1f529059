import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import {
  modeMadeFrom,
  replaceFile,
  Replacement,
  syncFolderOf,
  temporaryPathOf,
  writeFileDurably,
} from "../../lib/sink/durable_file.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("writeFileDurably() creates a file, and replaces it", async () => {
  await using dir = await tempDir();
  await writeFileDurably(dir.path("x.json"), "one");
  await writeFileDurably(dir.path("x.json"), "zwei é");
  assertEquals(await dir.read("x.json"), "zwei é");
  assertEquals(await dir.names(), ["x.json"]);
});

Deno.test("writeFileDurably() names the file that it cannot write", async () => {
  await using dir = await tempDir();
  const path = dir.path("missing/x.json");
  await assertRejects(() => writeFileDurably(path, ""), SinkError, `Cannot write "${path}`);
});

Deno.test("Replacement leaves the old version if it is not committed", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", "old");
  {
    await using replacement = await Replacement.open(path);
    await replacement.write(new TextEncoder().encode("new"));
  }
  assertEquals(await dir.read("x"), "old");
  assertEquals(await dir.names(), ["x"]);
});

Deno.test("Replacement keeps a link, and replaces its target", async () => {
  await using dir = await tempDir();
  const target = await dir.write("there/x", "old");
  await Deno.symlink(target, dir.path("x"));
  await writeFileDurably(dir.path("x"), "new");
  assertEquals((await Deno.lstat(dir.path("x"))).isSymlink, true);
  assertEquals(await Deno.readTextFile(target), "new");
  assertEquals([await dir.names(), await dir.names("there")], [["there", "x"], ["x"]]);
});

Deno.test("Replacement never writes to an existing file or through an existing link", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", "old");
  const mine = await dir.write("mine", "mine");
  const options = { token: "0123456789abcdef" };
  await Deno.symlink(mine, temporaryPathOf(path, options.token));
  await assertRejects(() => writeFileDurably(path, "new", options), SinkError);
  assertEquals([await dir.read("x"), await dir.read("mine")], ["old", "mine"]);
});

Deno.test({
  name:
    "Replacement keeps the permissions of a file, and gives a new file those that were requested",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const modeOf = async (name: string) => (await Deno.stat(dir.path(name))).mode! & 0o777;
    for (const mode of [0o600, 0o640, 0o664, 0o666]) {
      const path = await dir.write("x", "old");
      await Deno.chmod(path, mode);
      await writeFileDurably(path, "new", { mode: 0o644 });
      assertEquals(await modeOf("x"), mode);
    }
    await writeFileDurably(dir.path("y"), "new", { mode: 0o600 });
    assertEquals(await modeOf("y"), 0o600);
  },
});

Deno.test({
  name: "modeMadeFrom() lets users write who may read all of the read-only sources",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const cases = [
      [[0o444], 0o666],
      [[0o440], 0o660],
      [[0o400], 0o600],
      [[0o644], 0o644],
      [[0o444, 0o640], 0o640],
    ] as const;
    for (const [sources, mode] of cases) {
      const paths = await Promise.all(sources.map(async (source, i) => {
        const path = await dir.write(`${mode}-${i}`, "");
        await Deno.chmod(path, source);
        return path;
      }));
      assertEquals(await modeMadeFrom(paths), mode);
    }
  },
});

Deno.test("replaceFile() tries again on Windows while another program has the file open", async () => {
  const inUse = [
    new Deno.errors.PermissionDenied("Access is denied. (os error 5)"),
    new Error("The process cannot access the file (os error 32)"),
  ];
  const attempt = async (os: typeof Deno.build.os, failures: Error[]) => {
    const left = [...failures], waits: number[] = [];
    let attempts = 0;
    const rename = () => {
      attempts++;
      const failure = left.shift();
      return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    };
    const wait = (ms: number) => Promise.resolve(void waits.push(ms));
    const outcome = await replaceFile("a", "b", { os, rename, wait }).then(() => "", String);
    return { attempts, waited: waits.reduce((sum, ms) => sum + ms, 0), outcome };
  };
  assertEquals(await attempt("windows", inUse), { attempts: 3, waited: 30, outcome: "" });
  assertEquals((await attempt("linux", inUse)).attempts, 1);
  assertEquals((await attempt("windows", [new Deno.errors.NotFound()])).attempts, 1);
  const forever = await attempt("windows", Array(50).fill(inUse[0]));
  assertEquals(forever.outcome, String(inUse[0]));
  assertEquals(forever.waited, 2_550);
});

Deno.test("syncFolderOf() skips folders that cannot be opened", async () => {
  await syncFolderOf("/no such folder/x", "windows");
  await assertRejects(() => syncFolderOf("/no such folder/x", "linux"), Deno.errors.NotFound);
});

Deno.test("writeFileDurably() replaces a link instead of its target if requested", async () => {
  await using dir = await tempDir();
  const path = dir.path("status.json");
  await Deno.symlink(await dir.write("mine", "precious"), path);
  await writeFileDurably(path, "{}", { followsLinks: false });
  assertEquals([await dir.read("mine"), await dir.read("status.json")], ["precious", "{}"]);
  assertEquals((await Deno.lstat(path)).isSymlink, false);
});

Deno.test("Replacement removes what killed processes have left of the same file, and nothing else", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.jsonl");
  const left = `x.jsonl.${"0".repeat(16)}.tmp`;
  const others = [
    `y.jsonl.${"0".repeat(16)}.tmp`,
    "x.jsonl.mine.tmp",
    `x.jsonl.${"0".repeat(16)}.bak`,
  ];
  for (const name of [left, ...others]) await dir.write(name, "half");
  const options = { removesLeftovers: true };
  await using first = await Replacement.open(path, options);
  assertEquals((await dir.names()).includes(left), false);
  {
    // The first version is still being written, so it is no leftover.
    await using second = await Replacement.open(path, options);
    await second.write(new TextEncoder().encode("second"));
    assertEquals((await dir.names()).filter((name) => /[0-9a-f]{16}\.tmp$/.test(name)).length, 3);
  }
  await first.write(new TextEncoder().encode("first"));
  await first.commit();
  assertEquals(await dir.read("x.jsonl"), "first");
  assertEquals(await dir.names(), ["x.jsonl", ...others].toSorted());
});

Deno.test("Replacement takes another name if its file was removed as a leftover before it was locked", async () => {
  await using dir = await tempDir();
  const path = dir.path("x.jsonl");
  const { open } = Deno;
  let removed = 0;
  Deno.open = async (name, options) => {
    const file = await open(name, options);
    // Another process finds it without a lock at this moment.
    if (options?.createNew && ++removed === 1) await Deno.remove(name);
    return file;
  };
  try {
    await writeFileDurably(path, "complete");
  } finally {
    Deno.open = open;
  }
  assertEquals(await dir.read("x.jsonl"), "complete");
  assertEquals(await dir.names(), ["x.jsonl"]);
});
