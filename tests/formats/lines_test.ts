import { gzipSync } from "node:zlib";
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { SourceError } from "../../lib/errors.ts";
import {
  type Line,
  type LinesOptions,
  oneLine,
  openLines,
  readLines,
} from "../../lib/formats/lines.ts";
import { openBytes } from "../../lib/formats/mod.ts";
import { tempDir } from "../support/temp.ts";

type Short = [number, string | undefined];

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Yields pieces in one reused buffer, like a reader of files. */
async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    buffer.set(piece);
    yield await Promise.resolve(buffer.subarray(0, piece.length));
    buffer.fill(0x2a);
  }
}

async function collect(batches: AsyncIterable<Line[]>): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const batch of batches) lines.push(...batch);
  return lines;
}

function read(bytes: Uint8Array, size = 1e6, options?: LinesOptions): Promise<Line[]> {
  return collect(readLines(inPieces(bytes, size), options));
}

function short(lines: Line[]): Short[] {
  return lines.map(({ number, text }) => [number, text]);
}

Deno.test("readLines() numbers lines wherever chunks are cut", async () => {
  const bytes = bytesOf("\ufeff{a}\r\n\n \t\r\n{é – 😀}\n{last}");
  const expected: Short[] = [[1, "{a}"], [4, "{é – 😀}"], [5, "{last}"]];
  for (let size = 1; size <= bytes.length; size++) {
    assertEquals(short(await read(bytes, size)), expected, `in pieces of ${size}`);
  }
});

Deno.test("readLines() drops only the byte order mark of the file", async () => {
  const lines = await read(bytesOf("\ufeff\ufeffa\n\ufeffb\nc\ufeff\n"));
  assertEquals(short(lines), [[1, "\ufeffa"], [2, "\ufeffb"], [3, "c\ufeff"]]);
  assertEquals(short(await read(bytesOf("\ufeff\n\ufeffa\n"))), [[2, "\ufeffa"]]);
});

Deno.test("readLines() yields nothing for an empty file and for blank lines", async () => {
  for (const text of ["", "\ufeff", "\n\r\n \n", "   "]) {
    assertEquals(await read(bytesOf(text)), []);
  }
});

Deno.test("readLines() keeps carriage returns within a line", async () => {
  assertEquals(short(await read(bytesOf("a\rb\r\r\n"))), [[1, "a\rb\r"]]);
});

Deno.test("readLines() reports invalid UTF-8 with the line's bytes and continues", async () => {
  const bytes = new Uint8Array([...bytesOf("a\nb"), 0xff, 0xfe, 13, 10, ...bytesOf("c\n"), 0xc3]);
  for (const size of [1, 2, 3, 4, 5, 6, 8, 9, 100]) {
    const lines = await read(bytes, size);
    assertEquals(short(lines), [[1, "a"], [2, undefined], [3, "c"], [4, undefined]]);
    assertEquals(lines[1].problem, "invalid UTF-8");
    assertEquals(lines[1].bytes, new Uint8Array([98, 0xff, 0xfe]));
    assertEquals(lines[3].bytes, new Uint8Array([0xc3]));
  }
});

Deno.test("readLines() reports a line that is too long, wherever it ends", async () => {
  const bytes = bytesOf("12345678\n123456789\r\nok\n1234567890");
  for (const size of [1, 4, 9, 100]) {
    const lines = await read(bytes, size, { maxLineBytes: 8 });
    assertEquals(short(lines), [[1, "12345678"], [2, undefined], [3, "ok"], [4, undefined]]);
    assertEquals(lines[1].problem, "longer than 8 B");
    assertEquals(lines[3].bytes, bytesOf("12345678"));
  }
});

Deno.test("readLines() keeps 64 KiB of a line that is too long", async () => {
  const bytes = new Uint8Array(300_000).fill(0x78);
  const [line] = await read(bytes, 1_000, { maxLineBytes: 100_000 });
  assertEquals(line.bytes, bytes.slice(0, 65_536));
  const [whole] = await read(bytes, 1e6, { maxLineBytes: 100_000 });
  assertEquals(whole.bytes, bytes.slice(0, 65_536));
});

Deno.test("readLines() names its own limit of 64 MiB", async () => {
  async function* flood(): AsyncGenerator<Uint8Array> {
    const chunk = new Uint8Array(2 ** 20).fill(0x78);
    for (let i = 0; i < 65; i++) yield await Promise.resolve(chunk);
    yield bytesOf("\nok");
  }
  const lines = await collect(readLines(flood()));
  assertEquals(lines.map(({ problem, text }) => problem ?? text), ["longer than 64 MiB", "ok"]);
});

Deno.test("readLines() reads a line of many chunks in linear time", async () => {
  const chunks = 64_000, startedAt = performance.now();
  const [line] = await read(new Uint8Array(chunks * 64).fill(0x78), 64);
  assertEquals(line.text?.length, chunks * 64);
  // It takes 0.1 s. If each chunk were joined, 130 GB would be copied.
  assertLess(performance.now() - startedAt, 10_000);
});

Deno.test("oneLine() takes linear time, whatever spaces and line breaks a text holds", () => {
  const startedAt = performance.now(), spaces = " ".repeat(200_000);
  assertEquals(oneLine(`{"prompt":\n"${spaces}x"}`), `{"prompt":"${spaces}x"}`);
  assertEquals(oneLine(`[1${"\n".repeat(200_000)},2]`), "[1,2]");
  // It takes milliseconds. A pattern that looks for a line break from each space takes minutes.
  assertLess(performance.now() - startedAt, 10_000);
});

Deno.test("openLines() reads files larger than its buffer", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 3_000 }, (_, i) => `${i} ${"x".repeat(i % 400)}`);
  rows[7] = "y".repeat(700_000);
  const path = await dir.write("in.jsonl", rows.join("\n"));
  assertEquals((await collect(openLines(path))).map(({ text }) => text), rows);
});

Deno.test("openLines() decompresses .gz, also with several members", async () => {
  await using dir = await tempDir();
  const packed = [...gzipSync("a\nb"), ...gzipSync("c\nd\n")];
  const path = await dir.write("in.jsonl.gz", new Uint8Array(packed));
  assertEquals(short(await collect(openLines(path))), [[1, "a"], [2, "bc"], [3, "d"]]);
  const large = "line of text\n".repeat(200_000);
  const largePath = await dir.write("large.ndjson.gz", gzipSync(large));
  assertEquals((await collect(openLines(largePath))).length, 200_000);
});

Deno.test("openLines() decompresses a file that begins like gzip, whatever its name", async () => {
  await using dir = await tempDir();
  const packed = [...gzipSync("a\nb"), ...gzipSync("c\nd\n")];
  const path = await dir.write("in.input", new Uint8Array(packed));
  assertEquals(short(await collect(openLines(path))), [[1, "a"], [2, "bc"], [3, "d"]]);
  const large = await dir.write("large.input", gzipSync("line of text\n".repeat(200_000)));
  assertEquals((await collect(openLines(large))).length, 200_000);
  const [byte] = await collect(openLines(await dir.write("byte.input", new Uint8Array([0x1f]))));
  assertEquals(byte.text, "\x1f");
  assertEquals(await collect(openLines(await dir.write("empty.input", ""))), []);
});

Deno.test("openBytes() uses the given name of a file in its errors", async () => {
  await using dir = await tempDir();
  const cut = await dir.write("in.input", gzipSync("text\n".repeat(1_000)).subarray(0, 25));
  const damaged = await assertRejects(() => collect(readLines(openBytes(cut, "-"))), SourceError);
  assertStringIncludes(damaged.message, 'Cannot read "-": its gzip data is damaged (');
  assertEquals(damaged.path, "-");
  const missing = readLines(openBytes(dir.path("none.input"), "-"));
  const { message } = await assertRejects(() => collect(missing), SourceError);
  assertEquals(message, 'Cannot read "-": no such file');
});

Deno.test("openLines() closes the file when the reader leaves early", async () => {
  await using dir = await tempDir();
  const noise = Array.from(
    { length: 60_000 },
    (_, i) => Math.imul(i, 0x9e3779b1).toString(36).repeat(3),
  );
  const plain = await dir.write("in.jsonl", noise.join("\n"));
  const packed = await dir.write("in.jsonl.gz", gzipSync(noise.join("\n")));
  for (const path of [plain, packed]) {
    for await (const batch of openLines(path)) {
      assertEquals(batch[0].number, 1);
      break;
    }
    // The sanitizer would miss a file that is closed late, but before the end of the test.
    assertEquals(await openHandles(path), 0);
  }
});

Deno.test("openLines() reports a damaged .gz with its path", async () => {
  await using dir = await tempDir();
  const packed = gzipSync("text\n".repeat(1_000));
  const wrongSum = packed.slice();
  wrongSum[wrongSum.length - 6] ^= 1;
  const damaged = {
    empty: new Uint8Array(),
    cut: packed.subarray(0, 25),
    wrongSum,
    garbage: new Uint8Array([0xff, 0, 0x12]),
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    const path = await dir.write(`${name}.jsonl.gz`, bytes);
    const error = await assertRejects(() => collect(openLines(path)), SourceError);
    assertStringIncludes(error.message, `Cannot read "${path}": its gzip data is damaged (`);
    assertEquals(error.path, path);
    assertEquals(await openHandles(path), 0);
  }
});

Deno.test("openLines() says when there is no such file, or when it is a folder", async () => {
  await using dir = await tempDir();
  const missing = dir.path("x.jsonl");
  const error = await assertRejects(() => collect(openLines(missing)), SourceError);
  assertEquals(error.message, `Cannot read "${missing}": no such file`);
  assertEquals(error.path, missing);
  assert(error.cause instanceof Deno.errors.NotFound);
  await Deno.mkdir(dir.path("folder.gz"));
  for (const path of [dir.root, dir.path("folder.gz")]) {
    const folder = await assertRejects(() => collect(openLines(path)), SourceError);
    assertEquals(folder.message, `Cannot read "${path}": it is a folder`);
  }
});

/** Returns the number of this process's descriptors of a file; 0 if the system does not tell. */
async function openHandles(path: string): Promise<number> {
  if (Deno.build.os !== "linux") return 0;
  const real = await Deno.realPath(path);
  let count = 0;
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    if (target === real) count++;
  }
  return count;
}
