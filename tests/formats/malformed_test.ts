/** Files that are not what they should be: a clear message with the place, no request, nothing written. @module */

import { gzipSync, zstdCompressSync } from "node:zlib";
import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SourceError, UsageError } from "../../lib/errors.ts";
import { convertFiles } from "../../lib/export/mod.ts";
import { distillFiles, type Teacher } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";

const LINES = Array.from({ length: 200 }, (_, i) => `{"prompt":"question ${i}"}\n`).join("");
const ROWS = '[{"prompt":"a"},\n{"prompt":"b"}]';
const encoder = new TextEncoder();
const here = (name: string) => Deno.readFileSync(new URL(name, import.meta.url));

/** UTF-16, little endian, with its byte order mark: what "Unicode text" of a spreadsheet is. */
function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 + text.length * 2);
  bytes.set([0xff, 0xfe]);
  for (let i = 0; i < text.length; i++) bytes[2 + i * 2] = text.charCodeAt(i);
  return bytes;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function cut(bytes: Uint8Array, share = 0.6): Uint8Array {
  return bytes.slice(0, Math.floor(bytes.length * share));
}

/** The pages of a Parquet file without meaning, after a complete footer. */
function withoutPages(bytes: Uint8Array): Uint8Array {
  const damaged = bytes.slice();
  damaged.fill(0xff, 4, 600);
  return damaged;
}

/** A Parquet file whose codec is one that there is not: LZO. The footer holds it once for each column. */
function packedWithLzo(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  // Thrift's compact protocol: field 4 of a column, an i32 in zigzag. 6 is ZSTD, 3 is LZO.
  for (let i = changed.length - 1; i > 0; i--) {
    if (changed[i - 1] === 0x15 && changed[i] === 12 && changed[i + 1] === 0x16) changed[i] = 6;
  }
  return changed;
}

function withByte(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] ^= 0xff;
  return changed;
}

const PARQUET = here("values.parquet");
const GZIP = new Uint8Array(gzipSync(LINES)), ZSTD = new Uint8Array(zstdCompressSync(LINES));
const TAIL = encoder.encode("tail");

const CASES: readonly [name: string, content: string | Uint8Array, message: RegExp][] = [
  ["cut.parquet", cut(PARQUET), /it is not a complete Parquet file: its end is missing/],
  ["pages.parquet", withoutPages(PARQUET), /column "id" is damaged in row 1 or after it/],
  ["footer.parquet", withByte(PARQUET, PARQUET.length - 7), /its footer is damaged/],
  [
    "lzo.parquet",
    packedWithLzo(PARQUET),
    /column "\w+" is compressed with LZO, which is not supported/,
  ],
  ["encrypted.parquet", here("encrypted.parquet"), /it is encrypted/],
  ["bytes.parquet", here("bytes.parquet"), /column "image" holds bytes.*--binary-columns image/],
  ["text.parquet", LINES, /it is not a Parquet file. Name its format with --input-format/],
  ["empty.parquet", "", /it is empty/],
  ["parquet.csv", PARQUET, /it is a Parquet file. Add --input-format parquet/],
  ["empty.jsonl", "", /no rows|no row\b/],
  ["blank.jsonl", "\n \r\n\n", /no rows|no row\b/],
  ["none.json", " [ ]\n", /no rows|no row\b/],
  ["header.csv", "prompt,id\n", /no rows|no row\b/],
  [
    "trailing.json",
    '[{"prompt":"a"},\n{"prompt":"b"},\n]',
    /a comma before the closing "]", after element 1/,
  ],
  [
    "double.json",
    '[{"prompt":"a"},,{"prompt":"b"}]',
    /a comma without an element before it, after element 0/,
  ],
  ["comma.json", '[{"prompt":"a"}\n{"prompt":"b"}]', /comma\.json\[0\]: not JSON/],
  ["cut.json", ROWS.slice(0, -6), /it ends in the middle of element 1/],
  ["two.json", `${ROWS}\n${ROWS}`, /there is text after the closing "]"/],
  ["mismatched.json", '[{"prompt":"a"]}', /mismatched\.json": it ends in the middle of element 1/],
  ["numbers.json", "[1, 2]", /numbers\.json\[1\]: must be an object/],
  ["python.json", "[{'prompt': 'a'}]", /python\.json\[0\]: not JSON.*written as Python/],
  ["remark.json", '[{"prompt":"a"}, // b\n{"prompt":"b"}]', /remark\.json\[1\]: not JSON/],
  [
    "deep.json",
    `[${"[".repeat(50_000)}${"]".repeat(50_000)}]`,
    /deep\.json\[0\]: nested too deeply/,
  ],
  [
    "deep.jsonl",
    `{"prompt":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
    /deep\.jsonl:1: nested too deeply/,
  ],
  ["nan.jsonl", '{"prompt":"a","x":NaN}', /nan\.jsonl:1: not JSON.*NaN and Infinity are not JSON/],
  ["commas.jsonl", '{"prompt":"a"},\n', /commas\.jsonl:1: not JSON.*must not end with a comma/],
  ["cut.jsonl", `${LINES}{"prompt":"que`, /cut\.jsonl:201: not JSON/],
  ["zeros.jsonl", LINES + "\0".repeat(90), /zeros\.jsonl:201: not JSON.*NUL bytes/],
  [
    "mixed.jsonl",
    new Uint8Array([...encoder.encode('{"prompt":"é"}\n'), ...latin1('{"prompt":"é"}\n')]),
    /mixed\.jsonl:2: invalid UTF-8: convert the file/,
  ],
  ["utf16.jsonl", utf16(LINES), /it is UTF-16 text.*iconv -f UTF-16 -t UTF-8/],
  ["utf16.csv", utf16("prompt\tid\na\t1\n"), /it is UTF-16 text/],
  ["page.jsonl", "<!DOCTYPE html>\n<html>404</html>", /it is a web page/],
  ["csv.jsonl", "prompt,id\na,1\nb,2\n", /it is a CSV file. Add --input-format csv/],
  ["jsonl.csv", LINES, /its first row is JSON. Add --input-format jsonl/],
  ["ragged.csv", "prompt,id\na,1\nb\n", /ragged\.csv:3: has 1 cell where the header has 2/],
  ["wide.tsv", "prompt\tid\na\t1\t2\n", /wide\.tsv:2: has 3 cells where the header has 2/],
  ["twice.csv", "prompt,prompt\na,b\n", /two columns are called "prompt"/],
  ["open.csv", 'prompt,id\n"a,1\nb,2\n', /row 2: a quote is opened and never closed/],
  ["quotes.csv", 'prompt,id\n"x"y,2\n', /row 2: a cell that is not quoted holds a quote/],
  ["latin1.csv", latin1("prompt,id\na,1\ncafé,2\n"), /line 3: invalid UTF-8/],
  ["zeros.csv", "prompt,id\na\0,1\n", /zeros\.csv:2: holds NUL bytes/],
  ["zeros.txt", "a\nb\0\n", /zeros\.txt:2: holds NUL bytes/],
  ["book.csv", new Uint8Array([0x50, 0x4b, 3, 4, ...new Uint8Array(60)]), /it is a zip archive/],
  ["cut.jsonl.gz", cut(GZIP), /its gzip data is damaged \(unexpected end of file\)/],
  ["flipped.jsonl.gz", withByte(GZIP, 30), /its gzip data is damaged/],
  ["cut.jsonl.zst", cut(ZSTD), /its zstd data is damaged \(unexpected end of file\)/],
  ["flipped.jsonl.zst", withByte(ZSTD, 20), /its zstd data is damaged/],
  [
    "tail.jsonl.zst",
    new Uint8Array([...ZSTD, ...TAIL]),
    /its zstd data is damaged \(other bytes after/,
  ],
];

for (const [name, content, message] of CASES) {
  Deno.test(`${name} is refused with its place`, async () => {
    await using dir = await tempDir();
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    const input = await dir.write(`in/${name}`, bytes);
    let requests = 0;
    const teacher: Teacher = {
      model: "m",
      complete: () => {
        requests++;
        return Promise.resolve({ response: "a", finishReason: "stop", usage: null, model: "m" });
      },
    };
    const isExpected = (error: unknown) =>
      assert(
        (error instanceof SourceError || error instanceof UsageError) &&
          message.test(error.message) && error.message.includes(input),
        String(error),
      );
    isExpected(await assertRejects(() => distillFiles(input, dir.path("out/"), { teacher })));
    assertEquals(requests, 0);
    const output = dir.path("converted.jsonl");
    isExpected(await assertRejects(() => convertFiles({ input, output, format: "messages" })));
    assertEquals(await dir.names("in"), [name]);
    for (const made of await dir.names()) {
      const names = made === "out" ? await dir.names("out") : [];
      assert(
        made === "in" || made === "out" && names.every((name) => name.endsWith(".lock")),
        made,
      );
    }
  });
}
