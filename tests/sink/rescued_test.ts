import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RecentLines, RecentMemory } from "../../lib/sink/open_files.ts";
import {
  createRescuedFile,
  mergeRescued,
  rescuedFilesOf,
  rescueLines,
} from "../../lib/sink/rescued.ts";
import { tempDir } from "../support/temp.ts";

const result = (uid: string) => ({ uid, prompt_hash: "", response: `to ${uid}` });
const failure = (uid: string, final: boolean) => ({ uid, prompt_hash: "", error: { final } });

Deno.test("mergeRescued() adds the results that are missing, and removes their files", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", ["a", "b"].map(result));
  await dir.write("x.rescued-2.jsonl", ["c", "d", "c"].map(result));
  await dir.write("x.rescued-5.jsonl", ["d", "e"].map(result));
  await dir.write("x.rescued-3.jsonl", `${JSON.stringify(result("b"))}\n{"uid":"half`);
  const merged = await mergeRescued(path, "results");
  assertEquals(merged.map(({ count }) => count), [2, 0, 1]);
  assertEquals((await dir.rows("x.jsonl")).map(({ uid }) => uid), ["a", "b", "c", "d", "e"]);
  assertEquals((await dir.names()).filter((name) => name.includes("rescued")), [
    "x.rescued-3.tail-1",
  ]);
});

Deno.test("mergeRescued() removes empty files, and none of a gap hides the next ones", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", ["a"].map(result));
  for (const number of [1, 2, 3, 4]) await dir.write(`x.rescued-${number}.jsonl`, "");
  await dir.write("x.rescued-5.jsonl", ["b"].map(result));
  assertEquals((await mergeRescued(path, "results")).map(({ count }) => count), [1]);
  assertEquals(await dir.names(), ["x.jsonl"]);
});

Deno.test("mergeRescued() adds every line of several files again where it was killed before it removed them", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", ["a"].map(result));
  for (const number of [1, 2, 3, 4, 5]) {
    await dir.write(`x.rescued-${number}.jsonl`, [result(String(number))]);
  }
  const { remove } = Deno;
  let removed = 0;
  Deno.remove = (name) => ++removed === 5 ? Promise.reject(new Error("killed")) : remove(name);
  try {
    await mergeRescued(path, "results").catch(() => {});
  } finally {
    Deno.remove = remove;
  }
  await mergeRescued(path, "results");
  assertEquals((await dir.rows("x.jsonl")).map(({ uid }) => uid), ["a", "1", "2", "3", "4", "5"]);
  assertEquals(await dir.names(), ["x.jsonl"]);
});

Deno.test("mergeRescued() creates the output file if it is gone", async () => {
  await using dir = await tempDir();
  await dir.write("x.rescued-1.jsonl", ["a"].map(result));
  await mergeRescued(dir.path("x.jsonl"), "results");
  assertEquals(await dir.rows("x.jsonl"), ["a"].map(result));
});

Deno.test("mergeRescued() adds the failures whose lines are missing, also of rows that have failed before", async () => {
  await using dir = await tempDir();
  const before = [failure("a", false), failure("b", true)], more = [failure("a", true)];
  const path = await dir.write("x_error.jsonl", before);
  // A run that was killed while it merged left both files.
  await dir.write("x_error.rescued-1.jsonl", [...before, ...more]);
  assertEquals((await mergeRescued(path, "failures")).map(({ count }) => count), [1]);
  assertEquals(await dir.rows("x_error.jsonl"), [...before, ...more]);
});

Deno.test({
  name: "rescueLines() makes the name and the lines of its file durable",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const { sync } = Deno.FsFile.prototype;
    const synced: string[] = [];
    Deno.FsFile.prototype.sync = async function () {
      const { isDirectory, size } = await this.stat();
      synced.push(isDirectory ? "folder" : `${size} bytes`);
      return await sync.call(this);
    };
    try {
      const path = await createRescuedFile(dir.path("x.jsonl"), undefined);
      await rescueLines(path, ["a\n", "b\n"].map((line) => new TextEncoder().encode(line)));
      assertEquals(path, dir.path("x.rescued-1.jsonl"));
    } finally {
      Deno.FsFile.prototype.sync = sync;
    }
    assertEquals(synced, ["folder", "4 bytes"]);
    assertEquals(await dir.read("x.rescued-1.jsonl"), "a\nb\n");
  },
});

Deno.test("rescuedFilesOf() does not rely on the name alone", async () => {
  await using dir = await tempDir();
  await dir.write("x.rescued-1.jsonl", [{ uid: "a", prompt: "mine" }]);
  await dir.write("x.rescued-two.jsonl", ["a"].map(result));
  await dir.write("y.rescued-1.jsonl", ["a"].map(result));
  await Deno.symlink(dir.path("y.rescued-1.jsonl"), dir.path("x.rescued-4.jsonl"));
  assertEquals(await rescuedFilesOf(dir.path("x.jsonl"), "results"), []);
  assertEquals(await mergeRescued(dir.path("x.jsonl"), "results"), []);
  assertEquals(await dir.exists("x.jsonl"), false);
});

Deno.test("RecentLines of many outputs share a bounded memory, and give it back", () => {
  const memory = new RecentMemory(10);
  const bytes = (text: string) => new TextEncoder().encode(text);
  const takeAll = (lines: RecentLines) =>
    lines.takeAll().map((bytes) => new TextDecoder().decode(bytes));
  const [a, b] = [new RecentLines(memory), new RecentLines(memory)];
  a.add(bytes("12345"));
  b.add(bytes("6789"));
  b.add(bytes("too long"));
  assertEquals(takeAll(a), ["12345"]);
  b.add(bytes("abcde"));
  assertEquals(takeAll(b), ["6789", "abcde"]);
  // Older lines make room for new ones.
  a.add(bytes("1234567"));
  a.age();
  a.add(bytes("abcdefg"));
  assertEquals(takeAll(a), ["abcdefg"]);
  b.add(bytes("0123456789"));
  b.age();
  b.age();
  a.add(bytes("0123456789"));
  b.takeOver(a);
  assertEquals([a.isEmpty, takeAll(b)], [true, ["0123456789"]]);
});
