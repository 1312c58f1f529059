/** Tests of lib/export/row_order.ts, and of the hash set in lib/export/selection.ts. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RowOrder, RowSpool } from "../../lib/export/row_order.ts";
import { HashSet } from "../../lib/export/selection.ts";
import { xxHash64Hex } from "../../lib/hash.ts";
import { tempDir } from "../support/temp.ts";

function offsets(order: RowOrder): number[] {
  return [...order.inInputOrder()].map((index) => order.position(index).offset);
}

Deno.test("RowOrder sorts by line within a file, and files by their first appearance", () => {
  const order = new RowOrder();
  order.add(0, 1, { file: "b", line: 3, sample: 0 });
  order.add(1, 1, { file: "a", line: 2, sample: 0 });
  order.add(2, 1, { file: "b", line: 1, sample: 0 });
  order.add(3, 1, { file: "a", line: 1, sample: 0 });
  order.add(4, 1, { file: "b", line: 1, sample: 0 });
  assertEquals(offsets(order), [2, 4, 0, 3, 1]);
});

Deno.test("RowOrder keeps the answers to one line together", () => {
  const order = new RowOrder();
  const add = (line: number, sample: number) =>
    order.add(order.length, 1, { file: "a", line, sample });
  add(2, 999);
  add(2, 0);
  add(9_999_999_999, 1);
  add(1, 1);
  add(9_999_999_999, 0);
  add(2, 1);
  add(1, 0);
  assertEquals(offsets(order), [6, 3, 1, 5, 0, 4, 2]);
});

Deno.test("RowOrder keeps inputs, lines and answers apart up to 900 inputs", () => {
  const order = new RowOrder();
  for (let file = 0; file < 900; file++) {
    order.add(file, 1, { file: `${file}`, line: 1, sample: 0 });
  }
  const last = { file: "899", line: 9_999_999_999 };
  order.add(901, 1, { ...last, sample: 999 });
  order.add(900, 1, { ...last, sample: 998 });
  assertEquals(offsets(order).slice(-3), [899, 900, 901]);
});

Deno.test("RowOrder holds many lines, far into a large file", () => {
  const order = new RowOrder();
  const count = 5_000;
  for (let i = 0; i < count; i++) {
    order.add(i * 2 ** 35, i, { file: "a", line: (i * 1_999) % count + 1, sample: 0 });
  }
  const lines = offsets(order).map((offset) => (offset / 2 ** 35 * 1_999) % count + 1);
  assertEquals(lines, Array.from({ length: count }, (_, i) => i + 1));
});

Deno.test("RowOrder sorts more lines than one block holds", () => {
  const order = new RowOrder();
  const count = 140_000;
  for (let i = 0; i < count; i++) {
    order.add(i, i % 7, { file: "a", line: (i * 99_991) % count + 1, sample: 0 });
  }
  const places = order.inInputOrder();
  const lines = Array.from(places, (index) => (index * 99_991) % count + 1);
  assertEquals(lines.length, count);
  assertEquals(lines.findIndex((line, index) => line !== index + 1), -1);
  assertEquals(order.position(139_999), { offset: 139_999, byteLength: 139_999 % 7 });
});

Deno.test("RowSpool uses the folder for temporary files if the folder of the output accepts no file", async () => {
  await using spool = await RowSpool.open("/dev/fd/");
  spool.add("row", "file", 3);
  await spool.flush();
  const rows = spool.shuffled(1, (text, file, line) => [text, file, line]);
  assertEquals([...rows], [["row", "file", 3]]);
});

Deno.test("HashSet knows every hash that it was given, and no other", () => {
  const hashes = new HashSet();
  const hashOf = (i: number) => xxHash64Hex(`${i}`);
  const zero = "0".repeat(16);
  assertEquals([hashes.add(zero), hashes.add(zero)], [true, false]);
  let added = 0;
  for (let i = 0; i < 60_000; i++) added += Number(hashes.add(hashOf(i % 40_000)));
  assertEquals(added, 40_000);
});

Deno.test("RowSpool leaves no file behind, however the process ends", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = await tempDir();
  await using spool = await RowSpool.open(dir.root);
  assertEquals(await Array.fromAsync(Deno.readDir(dir.root)), []);
  spool.add("one", "a", 1);
  spool.add("two", "a", 2);
  await spool.flush();
  assertEquals([...spool.shuffled(1, (text) => text)].sort(), ["one", "two"]);
});
