/**
 * Tests of lib/formats/parquet.ts. The files were written by pyarrow 26: `values.parquet` has
 * integers past 2^53, decimals, timestamps in microseconds, lists of structs and a map;
 * `times.parquet` has times of all kinds; `bytes.parquet` has a binary column. `kinds.parquet` and
 * the rows next to it come from `tests/trainers/parquet_kinds.py`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Buffer } from "node:buffer";
import { zstdCompressSync } from "node:zlib";
import { assertEquals, assertGreater, assertRejects } from "../../lib/deps/std_assert.ts";
import { SourceError } from "../../lib/errors.ts";
import { type InputOptions, openInput, placeOf } from "../../lib/formats/mod.ts";
import { CODECS } from "../../lib/formats/parquet_pages.ts";
import { convertFiles } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

async function texts(path: string, options?: InputOptions): Promise<(string | undefined)[]> {
  const input = await openInput(path, "part-0.parquet", options);
  assertEquals(input.format, "parquet");
  assertEquals(placeOf("part-0.parquet", input.format, 17), "part-0.parquet:17");
  const found: (string | undefined)[] = [];
  for await (const batch of input.rows()) found.push(...batch.map(({ text }) => text));
  return found;
}

Deno.test("Parquet values keep all their digits", async () => {
  assertEquals(await texts(here("values.parquet")), [
    '{"id":9007199254740993,"prompt":"hi","price":12.340,"small":1.50,' +
    '"at":"2024-01-02T03:04:05.678901","day":"2024-01-02",' +
    '"messages":[{"role":"user","content":"a","n":1.10}],"f":0.1,"m":{"k":1},"s":{"a":true}}',
    '{"id":-5,"prompt":"ü \\"q\\"","price":-0.005,"small":null,' +
    '"at":"1969-12-31T23:59:59.000001","day":null,' +
    '"messages":[{"role":"user","content":null,"n":null}],"f":null,"m":{},"s":{"a":null}}',
  ]);
});

/** Columns of bytes in `kinds.parquet`. */
const BINARY = ["binary", "fixed", "large_binary", "binary_list"];

Deno.test("values of every kind become natural JSON, at any depth", async () => {
  const rows = (await Deno.readTextFile(here("kinds.jsonl"))).trimEnd().split("\n");
  assertEquals(await texts(here("kinds.parquet"), { binaryColumns: BINARY }), rows);
});

Deno.test("timestamps with a time zone are in UTC, those without one have none", async () => {
  assertEquals(await texts(here("times.parquet")), [
    '{"prompt":"a","local":"2024-01-02T03:04:05.678901","utc":"2024-01-02T03:04:05.678901Z",' +
    '"nano":"2024-01-02T03:04:05.678901007","milli":"2024-01-02T03:04:05.678Z",' +
    '"time":"01:02:03.000001"}',
  ]);
});

Deno.test("a Parquet column of bytes is refused unless it is named", async () => {
  await assertRejects(
    () => texts(here("bytes.parquet")),
    SourceError,
    'column "image" contains bytes, not text. Add --binary-columns image',
  );
  assertEquals(await texts(here("bytes.parquet"), { binaryColumns: ["image"] }), [
    '{"prompt":"a","image":"AQI="}',
  ]);
});

Deno.test("a truncated Parquet file is reported as such", async () => {
  await using dir = await tempDir();
  const bytes = await Deno.readFile(here("values.parquet"));
  for (const length of [4, 100, bytes.length - 1]) {
    const path = dir.path(`cut-${length}.parquet`);
    await Deno.writeFile(path, bytes.subarray(0, length));
    await assertRejects(
      () => texts(path),
      SourceError,
      "it is not a complete Parquet file: its end is missing",
    );
  }
});

Deno.test("a Parquet file with a damaged footer is reported as such, wherever the damage is", async () => {
  await using dir = await tempDir();
  const bytes = await Deno.readFile(here("values.parquet"));
  const start = bytes.length - 8 - new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
  const path = dir.path("damaged.parquet");
  const isRead = async (damage: readonly number[], at: number) => {
    const damaged = bytes.slice();
    damaged.set(damage, at);
    await Deno.writeFile(path, damaged);
    return await texts(path).then(() => true, (error) => error instanceof SourceError);
  };
  // The length of a text as a negative number of 32 bits: the text would end before its beginning.
  const negative = [0xe0, 0xff, 0xff, 0xff, 0x0f];
  for (let at = start; at < bytes.length - 13; at += 11) {
    assertEquals(await isRead([0xff], at), true, `byte ${at}`);
    assertEquals(await isRead(negative, at), true, `length ${at}`);
  }
});

Deno.test("a page of a negative size does not lead back to its own header", async () => {
  await using dir = await tempDir();
  const bytes = await Deno.readFile(here("values.parquet"));
  // The sizes of the first page are the second and third field of its header, each with a type and
  // a number.
  assertEquals([bytes[4], bytes[6], bytes[8]], [0x15, 0x15, 0x15]);
  const path = dir.path("negative.parquet");
  // An index page is skipped. Odd numbers in zigzag encoding are negative.
  bytes[5] = 2;
  for (let size = 1; size < 128; size += 2) {
    bytes[9] = size;
    await Deno.writeFile(path, bytes);
    await assertRejects(() => texts(path), SourceError, "damaged");
  }
});

Deno.test("pages of several frames are decompressed whole", () => {
  const frames = ["one, ", "two"].map((text) => zstdCompressSync(new TextEncoder().encode(text)));
  const packed = new Uint8Array(Buffer.concat(frames));
  assertEquals(new TextDecoder().decode(CODECS.ZSTD!(packed, 8)), "one, two");
});

Deno.test("Parquet to Parquet keeps the types of decimals, dates and times", async () => {
  await using dir = await tempDir();
  for (const name of ["values.parquet", "times.parquet", "kinds.parquet"]) {
    const output = dir.path(name);
    await convertFiles({ input: here(name), output, binaryColumns: BINARY });
    const typesOf = async (path: string) => await (await openInput(path, path)).exactTypes!();
    const types = await typesOf(here(name));
    assertGreater(types.size, 0);
    const written = await typesOf(output);
    for (const [column, type] of types) assertEquals(written.get(column), type);
    const columns = [...types.keys()];
    const rowsOf = async (input: string) => {
      const rows = dir.path(`${crypto.randomUUID()}.jsonl`);
      await convertFiles({ input, output: rows, columns, binaryColumns: BINARY });
      return await Deno.readTextFile(rows);
    };
    assertEquals(await rowsOf(output), await rowsOf(here(name)));
    // A column of two types still becomes text.
    const both = dir.path(`both-${name}`);
    const lines = await dir.write("rows.jsonl", `${(await texts(output))[0]}\n`);
    await convertFiles({ input: [output, lines], output: both });
    const left = JSON.stringify([...(await typesOf(both)).values()]);
    assertEquals(/"kind":"(decimal|instant|time|date)"/.exec(left), null);
  }
});

Deno.test("an error of the disk is not reported as damage of a Parquet file", async () => {
  const { open } = Deno;
  using _restore = { [Symbol.dispose]: () => void (Deno.open = open) };
  // The start and the end of the file, its footer, and its rows are read one after the other.
  for (let good = 0;; good++) {
    let reads = 0;
    Deno.open = async (path, options) => {
      const file = await open(path, options);
      file.read = (target) => {
        if (reads++ < good) return Deno.FsFile.prototype.read.call(file, target);
        return Promise.reject(new Error("Input/output error (os error 5)"));
      };
      return file;
    };
    const outcome = await texts(here("values.parquet")).catch((error: Error) => error.message);
    if (typeof outcome !== "string") {
      assertGreater(good, 4);
      break;
    }
    assertEquals(outcome, 'Cannot read "part-0.parquet": Input/output error (os error 5)');
  }
});
