import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { repairTail } from "../../lib/sink/repair.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

const LONG = `{"uid":"${"x".repeat(200_000)}"}`;

/** How a file was repaired, its content afterwards, and what was cut off. */
async function repaired(
  content: string | Uint8Array,
): Promise<[string, string, string | undefined]> {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", content);
  const repair = await repairTail(path);
  const cut = repair.kind === "cut" ? await dir.read("x.tail-1") : undefined;
  if (repair.kind === "cut") assertEquals(repair.keptAt, dir.path("x.tail-1"));
  assertEquals((await repairTail(path)).kind, "clean", "what was repaired is clean");
  return [repair.kind, await dir.read("x.jsonl"), cut];
}

Deno.test("repairTail() leaves complete files unchanged", async () => {
  assertEquals(await repaired(""), ["clean", "", undefined]);
  assertEquals(await repaired('{"a":1}\n'), ["clean", '{"a":1}\n', undefined]);
  assertEquals(await repaired(`{"a":1}\n${LONG}\n`), ["clean", `{"a":1}\n${LONG}\n`, undefined]);
  // A damaged line with a line feed is not cut off: the index reports it.
  assertEquals(await repaired('{"a":1}\n{"b"\n'), ["clean", '{"a":1}\n{"b"\n', undefined]);
  await using dir = await tempDir();
  assertEquals(await repairTail(dir.path("missing.jsonl")), { kind: "clean" });
});

Deno.test("repairTail() completes a last line that is a JSON object", async () => {
  assertEquals(await repaired('{"a":1}\n{"b":2}'), ["completed", '{"a":1}\n{"b":2}\n', undefined]);
  assertEquals(await repaired('{"b":2}'), ["completed", '{"b":2}\n', undefined]);
  assertEquals(await repaired(LONG), ["completed", `${LONG}\n`, undefined]);
});

Deno.test("repairTail() cuts off half a line and keeps it", async () => {
  assertEquals(await repaired('{"a":1}\n{"b":'), ["cut", '{"a":1}\n', '{"b":']);
  assertEquals(await repaired('{"b":'), ["cut", "", '{"b":']);
  assertEquals(await repaired('{"a":1}\n12'), ["cut", '{"a":1}\n', "12"]);
  const half = LONG.slice(0, -1);
  assertEquals(await repaired(`{"a":1}\n${half}`), ["cut", '{"a":1}\n', half]);
});

Deno.test("repairTail() cuts off a last line that is not UTF-8", async () => {
  const bytes = new TextEncoder().encode('{"a":1}\n{"b":"??"}');
  bytes[bytes.length - 4] = 0xff;
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", bytes);
  assertEquals((await repairTail(path)).kind, "cut");
  assertEquals(await Deno.readFile(dir.path("x.tail-1")), bytes.subarray(8));
});

Deno.test("repairTail() treats NUL bytes at the end as damage", async () => {
  const nuls = "\0".repeat(150_000);
  const good = '{"a":1}\n';
  assertEquals(await repaired(good + nuls), ["cut", good, nuls]);
  assertEquals(await repaired(`${good}${nuls}\n`), ["cut", good, `${nuls}\n`]);
  assertEquals(await repaired(nuls), ["cut", "", nuls]);
  assertEquals(await repaired(`${good}{"b":${nuls}`), ["cut", good, `{"b":${nuls}`]);
  assertEquals(await repaired(`${good}{"b":${nuls}}\n`), ["cut", good, `{"b":${nuls}}\n`]);
  assertEquals(await repaired(`${good}${nuls}\n\0\n`), ["cut", good, `${nuls}\n\0\n`]);
});

Deno.test("repairTail() keeps a complete object before NUL bytes", async () => {
  assertEquals(await repaired(`{"a":1}\n{"b":2}${"\0".repeat(70_000)}`), [
    "completed",
    '{"a":1}\n{"b":2}\n',
    undefined,
  ]);
  assertEquals(await repaired('{"b":2}\0\n\0\0'), ["completed", '{"b":2}\n', undefined]);
  // With more text behind it, all of it is kept next to the file.
  assertEquals(await repaired('{"b":2}\0\n{"c":'), ["cut", "", '{"b":2}\0\n{"c":']);
});

Deno.test("repairTail() never overwrites what an earlier crash left", async () => {
  await using dir = await tempDir();
  await dir.write("x.tail-1", "earlier");
  const repair = await repairTail(await dir.write("x.jsonl", "half"));
  assertEquals(repair, { kind: "cut", keptAt: dir.path("x.tail-2") });
  assertEquals(await dir.read("x.tail-1"), "earlier");
});

Deno.test("repairTail() names the file that it cannot read", POSIX, async () => {
  await using dir = await tempDir();
  await assertRejects(() => repairTail(dir.root), SinkError, dir.root);
});
