/**
 * Tests of lib/formats/borders.ts: the parts of an input have the same rows as the whole. @module
 */

import { assert, assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import { divisibleOf, findBorders } from "../../lib/formats/borders.ts";
import {
  type Border,
  type InputFormat,
  type InputOptions,
  type InputPart,
  type Line,
  openInput,
  START,
} from "../../lib/formats/mod.ts";
import { tempDir } from "../support/temp.ts";

const LONG = "long ".repeat(60_000);

/** Files whose borders are easily missed, by name. */
const FILES: Readonly<Record<string, string>> = {
  "plain.jsonl": '{"a":1}\n{"a":2}\n{"a":3}\n{"a":4}',
  "blank.jsonl": '\ufeff\n{"a":1}\r\n \t\r\n\n{"a":"\u00e9\u4e16\u{1f600}"}\n   \n{"a":3}\n\n',
  "long.jsonl": `{"a":"${LONG}"}\n{"a":2}\n{"a":"${LONG}"}\n\n{"a":4}\n`,
  "lines.txt": "first\nsecond \u00e9\n\n  \nthird",
  "array.json": '\ufeff [ {"a":"]},[\\"\\\\"}\n,{"a":[1,{"b":2}]} , 3,\n"x,y", {"a":5}\n ] \n',
  "empty.json": "[]",
  "one.json": '[{"a":1}]',
  "quoted.csv": 'id,"text, long"\r\n1,"a\r\nb ""c"", d"\r\n\r\n2, x"y \n3,""\n4,"é\n\n" \n5,last',
  "one.csv": 'text\n"a\nb"\n""\n\nc\n"""d"""\n',
  "semicolon.csv": '\ufeff"a;b";c\n1;"x;\n2"\n3;4\n',
  "tabs.tsv": 'a\tb\n1\t"x\ty"\n2\t"z\nz"\n',
  "empty_cells.tsv": 'a\tb\n1\tx\n\t\n\t \n""\t\n \n2\ty\n',
  // Spaces of two and three bytes, after closing quotes and alone.
  "wide_space.csv": 'text\n"a"\u00a0\n\u3000\n"b"\u3000\n\u4e16\n"\u3000"\n\u00e9\n',
  "long.csv": `id,text\n1,"${LONG}\n${LONG}"\n2,x\n3,"${LONG}"\n`,
};

async function rowsOf(path: string, name: string, options: InputOptions, part?: InputPart) {
  const input = await openInput(path, name, options, part);
  return (await Array.fromAsync(input.rows())).flat();
}

/** Shortens a row for the message of a failed test. */
function brief({ number, text, problem }: Line) {
  return `${number}: ${text === undefined ? problem : text.slice(0, 40) + text.length}`;
}

/** Reads a file in `count` parts. */
async function inParts(path: string, name: string, count: number): Promise<Line[][]> {
  const { format, size, jsonColumns } = await divisibleOf(path, name);
  assert(format !== "parquet");
  const targets = Array.from({ length: count - 1 }, (_, i) => size * (i + 1) / count);
  const { borders, end, header } = await findBorders(path, name, format, targets);
  const all: Border[] = [START, ...borders, end];
  const options = { inputFormat: format, jsonColumns };
  return await Promise.all(
    all.slice(1).map((to, i) => rowsOf(path, name, options, { from: all[i], to, header, size })),
  );
}

for (const [name, text] of Object.entries(FILES)) {
  Deno.test(`parts of ${name} give its rows with their numbers`, async () => {
    await using dir = await tempDir();
    const path = dir.path(name);
    await Deno.writeTextFile(path, text);
    const whole = await rowsOf(path, name, {});
    for (const count of [1, 2, 3, 4, 7, 50]) {
      const parts = await inParts(path, name, count);
      assertEquals(parts.flat().map(brief), whole.map(brief), `${count} parts`);
    }
    const { format } = await openInput(path, name);
    const { end } = await findBorders(path, name, format as Exclude<InputFormat, "parquet">, []);
    assertEquals(end.rows, whole.length);
  });
}

Deno.test("the parts of an input have about the same size", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", Array.from({ length: 1_000 }, (_, id) => ({ id })));
  const sizes = (await inParts(path, "in.jsonl", 8)).map((part) => part.length);
  assertEquals(sizes.every((size) => Math.abs(size - 125) < 15), true, String(sizes));
});

Deno.test("a Parquet file is divided between its row groups, a compressed one not at all", async () => {
  await using dir = await tempDir();
  const path = dir.path("in.parquet");
  const data = Array.from({ length: 100 }, (_, i) => `prompt ${i}`);
  await writeParquet(path, data, { rowGroupSize: 30 });
  const { pieces = [], size } = await divisibleOf(path, "in.parquet");
  assertEquals(pieces.map(({ rows }) => rows), [0, 30, 60, 90]);
  const part = { from: pieces[1], to: pieces[3], header: 0, size };
  const rows = await rowsOf(path, "in.parquet", { inputFormat: "parquet" }, part);
  assertEquals(rows.map(({ number }) => number), Array.from({ length: 60 }, (_, i) => i + 31));
  assertEquals(rows[0].text, '{"prompt":"prompt 30"}');
  const packed = dir.path("in.jsonl.gz");
  const stream = new Blob(['{"prompt":"p"}\n']).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(packed, stream);
  assertEquals((await divisibleOf(packed, "in.jsonl.gz")).pieces, [START]);
});

Deno.test("the parts of a Parquet file with large pages read each byte of it once", async () => {
  await using dir = await tempDir();
  const path = dir.path("in.parquet");
  const data = Array.from({ length: 1_200 }, (_, i) => `${i}`.padEnd(10_000, "."));
  await writeParquet(path, data, { rowGroupSize: 300, codec: "UNCOMPRESSED" });
  const { pieces = [], size, rows } = await divisibleOf(path, "in.parquet");
  const ends = [...pieces.slice(1), { byte: size, number: rows!, rows: rows! }];
  let found = 0;
  const bytes = await bytesReadBy(async () => {
    for (const [i, from] of pieces.entries()) {
      const part = { from, to: ends[i], header: 0, size };
      found += (await rowsOf(path, "in.parquet", { inputFormat: "parquet" }, part)).length;
    }
  });
  assertEquals(found, 1_200);
  assertLess(bytes, 1.02 * (await Deno.stat(path)).size);
});

/** The bytes that are read from files meanwhile, in this isolate. */
async function bytesReadBy(read: () => Promise<void>): Promise<number> {
  const { prototype } = Deno.FsFile;
  const original = prototype.read;
  let bytes = 0;
  prototype.read = async function (into) {
    const count = await original.call(this, into);
    bytes += count ?? 0;
    return count;
  };
  try {
    await read();
  } finally {
    prototype.read = original;
  }
  return bytes;
}

/** Writes a file with one column of texts. */
async function writeParquet(
  path: string,
  data: string[],
  { rowGroupSize, codec }: { rowGroupSize: number; codec?: "UNCOMPRESSED" },
): Promise<void> {
  const { ByteWriter, ParquetWriter } = await import("../../lib/deps/hyparquet_writer.ts");
  const schema = [{ name: "root", num_children: 1 }, {
    name: "prompt",
    type: "BYTE_ARRAY" as const,
    converted_type: "UTF8" as const,
  }];
  const writer = new ByteWriter();
  const table = new ParquetWriter({ writer, schema, codec });
  table.write({ columnData: [{ name: "prompt", data }], rowGroupSize });
  table.finish();
  await Deno.writeFile(path, new Uint8Array(writer.getBuffer()));
}
