import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { LockedError, SinkError } from "../../lib/errors.ts";
import { acquireLock } from "../../lib/sink/lock.ts";
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

Deno.test("acquireLock() takes a lock again once it was released, and leaves the file", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.lock", "999999999999\n");
  const inode = (await Deno.stat(path)).ino;
  const first = await acquireLock(path);
  first.release();
  first.release();
  using _second = await acquireLock(path);
  assertEquals(await dir.read("x.lock"), `${Deno.pid}\n`);
  assertEquals((await Deno.stat(path)).ino, inode);
});

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

Deno.test("acquireLock() names --no-lock where the filesystem has no locks", async () => {
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

Deno.test("acquireLock() names the file that it cannot open", async () => {
  await using dir = await tempDir();
  const path = dir.path("missing/x.lock");
  await assertRejects(() => acquireLock(path), SinkError, `Cannot write "${path}"`);
});
