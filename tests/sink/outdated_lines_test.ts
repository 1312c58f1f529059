import { assertEquals, assertLessOrEqual, assertRejects } from "../../lib/deps/std_assert.ts";
import { DamagedFileError, SinkError, UsageError } from "../../lib/errors.ts";
import { moveJoinedLines, moveOutdatedLines } from "../../lib/sink/repair.ts";
import { mergeRescued } from "../../lib/sink/rescued.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("moveOutdatedLines() moves the lines of these uids, and keeps every byte of them", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", '{"uid":"x","n":1.0}\n{"n":2.0, "uid":"y"}\n');
  const keptAt = await moveOutdatedLines(path, new Set(["y"]));
  assertEquals(keptAt, dir.path("a.outdated.jsonl"));
  assertEquals(await dir.read("a.jsonl"), '{"uid":"x","n":1.0}\n');
  assertEquals(await dir.read("a.outdated.jsonl"), '{"n":2.0, "uid":"y"}\n');
  assertEquals((await dir.names()).filter((name) => name.endsWith(".tmp")), []);
});

Deno.test("moveOutdatedLines() continues after a crash that left half a line there", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", [{ uid: "x", response: "paid" }]);
  await dir.write("a.outdated.jsonl", '{"uid":"x","respo');
  await moveOutdatedLines(path, new Set(["x"]));
  assertEquals(await dir.rows("a.outdated.jsonl"), [{ uid: "x", response: "paid" }]);
});

Deno.test("moveOutdatedLines() leaves blank lines, and skips a byte order mark", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", '\ufeff{"uid":"x"}\n\n \r\n{"uid":"y"}\n');
  await moveOutdatedLines(path, new Set(["x"]));
  assertEquals(await dir.read("a.jsonl"), '\n \r\n{"uid":"y"}\n');
  assertEquals(await dir.read("a.outdated.jsonl"), '{"uid":"x"}\n');
});

Deno.test("moveOutdatedLines() and mergeRescued() write many lines at once: one by one, a million took 20 s more", async () => {
  await using dir = await tempDir();
  const uids = Array.from({ length: 5_000 }, (_, i) => `x${i}`);
  const lines = uids.map((uid) => ({ uid, prompt_hash: "", response: "" }));
  const path = await dir.write("a.jsonl", lines);
  await dir.write("b.rescued-1.jsonl", lines);
  const { write } = Deno.FsFile.prototype;
  let writes = 0;
  Deno.FsFile.prototype.write = function (bytes) {
    writes++;
    return write.call(this, bytes);
  };
  try {
    await moveOutdatedLines(path, new Set(uids));
    await mergeRescued(dir.path("b.jsonl"), "results");
  } finally {
    Deno.FsFile.prototype.write = write;
  }
  assertLessOrEqual(writes, 50);
  for (const name of ["a.outdated.jsonl", "b.jsonl"]) assertEquals(await dir.rows(name), lines);
});

Deno.test("moveJoinedLines() does not replace a file for blank lines", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", '{"uid":"x"}\n\n');
  const { ino } = await Deno.stat(path);
  using to = await Deno.open(dir.path("to"), { append: true, create: true });
  await moveJoinedLines(path, to);
  assertEquals([(await Deno.stat(path)).ino, await dir.read("to")], [ino, ""]);
});

Deno.test("moveOutdatedLines() refuses to add to a file of the user's", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", '{"uid":"x"}\n');
  await dir.write("a.outdated.jsonl", '{"note":"mine"}\nhalf');
  await assertRejects(
    () => moveOutdatedLines(path, new Set(["x"])),
    UsageError,
    "a.outdated.jsonl",
  );
  assertEquals(await dir.read("a.outdated.jsonl"), '{"note":"mine"}\nhalf');
});

Deno.test("moveOutdatedLines() leaves the results as they are if a line is damaged", async () => {
  await using dir = await tempDir();
  const text = '{"uid":"x"}\nhalf a li\n';
  const path = await dir.write("a.jsonl", text);
  await assertRejects(() => moveOutdatedLines(path, new Set(["x"])), DamagedFileError, "line 2");
  assertEquals(await dir.read("a.jsonl"), text);
  assertEquals((await dir.names()).filter((name) => name.endsWith(".tmp")), []);
});

Deno.test("moveOutdatedLines() leaves the results as they are if a quota is full at fsync", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", [{ uid: "x" }]);
  const { sync } = Deno.FsFile.prototype;
  try {
    Deno.FsFile.prototype.sync = () => Promise.reject(new Error("Disk quota exceeded"));
    const move = () => moveOutdatedLines(path, new Set(["x"]));
    await assertRejects(move, SinkError, `Cannot write "${dir.path("a.outdated.jsonl")}"`);
  } finally {
    Deno.FsFile.prototype.sync = sync;
  }
  assertEquals(await dir.rows("a.jsonl"), [{ uid: "x" }]);
});

Deno.test("moveOutdatedLines() loses no line that another program appends meanwhile", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", [{ uid: "x" }, { uid: "y" }]);
  const { sync } = Deno.FsFile.prototype;
  try {
    Deno.FsFile.prototype.sync = async function () {
      Deno.FsFile.prototype.sync = sync;
      await Deno.writeTextFile(path, '{"uid":"z"}\n', { append: true });
    };
    const move = () => moveOutdatedLines(path, new Set(["x"]));
    await assertRejects(move, SinkError, "it was changed");
  } finally {
    Deno.FsFile.prototype.sync = sync;
  }
  assertEquals(await dir.rows("a.jsonl"), [{ uid: "x" }, { uid: "y" }, { uid: "z" }]);
});
