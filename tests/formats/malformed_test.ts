/** Malformed files: a clear message with the path, no request, nothing written. @module */

import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { SourceError, UsageError } from "../../lib/errors.ts";
import { readCsv } from "../../lib/formats/csv.ts";
import { unicodeAdvice } from "../../lib/formats/conversion_advice.ts";
import { foreignText } from "../../lib/formats/foreign_format.ts";
import { openInput } from "../../lib/formats/mod.ts";
import { convertFiles } from "../../lib/export/mod.ts";
import { distillFiles, type Teacher } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";

const LINES = Array.from({ length: 200 }, (_, i) => `{"prompt":"question ${i}"}\n`).join("");
const ROWS = '[{"prompt":"a"},\n{"prompt":"b"}]';
const encoder = new TextEncoder();
const here = (name: string) => Deno.readFileSync(new URL(name, import.meta.url));

/** Encodes UTF-16, little endian, with a byte order mark, as spreadsheets save "Unicode text". */
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

/** Fills the first pages of a Parquet file with 0xff, and keeps its footer. */
function withoutPages(bytes: Uint8Array): Uint8Array {
  const damaged = bytes.slice();
  damaged.fill(0xff, 4, 600);
  return damaged;
}

/**
 * Makes a Parquet file with an unsupported codec, LZO. The footer holds the codec once per column.
 */
function packedWithLzo(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  // Thrift's compact protocol: field 4 of a column, an i32 in zigzag. 6 is ZSTD, 3 is LZO.
  for (let i = changed.length - 1; i > 0; i--) {
    if (changed[i - 1] === 0x15 && changed[i] === 12 && changed[i + 1] === 0x16) changed[i] = 6;
  }
  return changed;
}

function cutOut(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array([...bytes.subarray(0, from), ...bytes.subarray(to)]);
}

/** Changes the length of the footer. */
function withFooterOf(bytes: Uint8Array, length: number): Uint8Array {
  const changed = bytes.slice();
  new DataView(changed.buffer).setUint32(changed.length - 8, length, true);
  return changed;
}

/** Makes a page repeat a value 2^31 times, which would take minutes to decode. It has no checksum. */
function withEndlessRun(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  changed.set([0xa8, 0xfc, 0xff, 0xfe, 0xff], 696);
  return changed;
}

function withByte(bytes: Uint8Array, at: number, byte = bytes[at] ^ 0xff): Uint8Array {
  const changed = bytes.slice();
  changed[at] = byte;
  return changed;
}

const PARQUET = here("values.parquet");
const GZIP = new Uint8Array(gzipSync(LINES)), ZSTD = new Uint8Array(zstdCompressSync(LINES));
/** Two rows, compressed with a dictionary. */
const ZSTD_OF_DICTIONARY = Uint8Array.fromBase64(
  "KLUv/SMljkgkMpUAAEggMCJ9CjEifQoCzDwDuPhTRQ==",
);
const TAIL = encoder.encode("tail");

const ROW_TEXT = '{"prompt":"a"}';

const CASES: readonly [name: string, content: string | Uint8Array, message: RegExp][] = [
  ["cut.parquet", cut(PARQUET), /it is not a complete Parquet file: its end is missing/],
  ["pages.parquet", withoutPages(PARQUET), /column "id" is damaged in row 1 or later/],
  ["run.parquet", withEndlessRun(PARQUET), /is damaged.*repeated beyond the end of its page/],
  // The header of the page then has both versions, with bytes where the second has lengths.
  [
    "versions.parquet",
    withByte(here("times.parquet"), 490, 0xe1),
    /column "time" is damaged in row 1/,
  ],
  ["footer.parquet", withByte(PARQUET, PARQUET.length - 7), /its footer is damaged/],
  [
    "lzo.parquet",
    packedWithLzo(PARQUET),
    /column "\w+" is compressed with LZO, which is not supported/,
  ],
  ["encrypted.parquet", here("encrypted.parquet"), /it is encrypted/],
  ["bytes.parquet", here("bytes.parquet"), /column "image" contains bytes.*--binary-columns image/],
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
  ["lines.json", '[{"prompt":"a","n":[1\n2]}]', /lines\.json\[0\]: not JSON/],
  ["text.json", '[{"prompt":"a\nb"}]', /text\.json\[0\]: .*not JSON/],
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
  ["utf16.jsonl", utf16(LINES), /it is UTF-16 text.*(iconv -f UTF-16 -t UTF-8|-Encoding Unicode)/],
  ["utf16.csv", utf16("prompt\tid\na\t1\n"), /it is UTF-16 text/],
  ["page.jsonl", "<!DOCTYPE html>\n<html>404</html>", /it is a web page/],
  ["csv.jsonl", "prompt,id\na,1\nb,2\n", /it is a CSV file. Add --input-format csv/],
  ["jsonl.csv", LINES, /its first row is JSON. Add --input-format jsonl/],
  ["ragged.csv", "prompt,id\na,1\nb\n", /ragged\.csv:3: has 1 cell where the header has 2/],
  ["wide.tsv", "prompt\tid\na\t1\t2\n", /wide\.tsv:2: has 3 cells where the header has 2/],
  ["twice.csv", "prompt,prompt\na,b\n", /two columns are called "prompt"/],
  ["open.csv", 'prompt,id\n"a,1\nb,2\n', /row 2: a quote is opened and never closed/],
  ["quotes.csv", 'prompt,id\n"x"y,2\n', /row 2: text follows the closing quote of a cell/],
  ["latin1.csv", latin1("prompt,id\na,1\ncafé,2\n"), /line 3: invalid UTF-8/],
  ["zeros.csv", "prompt,id\na\0,1\n", /zeros\.csv:2: contains NUL bytes/],
  ["zeros.txt", "a\nb\0\n", /zeros\.txt:2: contains NUL bytes/],
  ["carriage.csv", "prompt,id\ra,1\rb,2\r", /a carriage return alone.*tr '\\r' '\\n' </],
  ["carriage.jsonl", LINES.replaceAll("\n", "\r"), /a carriage return alone.*carriage\.2\.jsonl/],
  ["carriage.txt", "one\rtwo\r", /a carriage return alone/],
  ["excel.csv", "sep=;\nprompt;id\na;1\n", /its first row is a directive for Excel/],
  ["backslash.csv", 'prompt\n"a \\"b\\" c"\n', /row 2: /],
  ["names.csv", "prompt,,\na,,\n", /two columns are called ""/],
  ["trailing.csv", "prompt,id\na,1,\n", /trailing\.csv:2: has 3 cells where the header has 2/],
  ["marks.csv", new Uint8Array([0xfe, 0xff, 0, 0x61]), /UTF-16 text.*marks\.csv.*marks\.2\.csv/],
  [
    "none.csv",
    "prompt,id\n".replaceAll(/./gs, "$&\0"),
    /UTF-16 text.*-f UTF-16LE|-Encoding Unicode/,
  ],
  [
    "big.csv",
    "prompt,id\n".replaceAll(/./gs, "\0$&"),
    /it is UTF-16 text.*(-f UTF-16BE|-Encoding BigEndianUnicode)/,
  ],
  [
    "utf32.jsonl",
    new Uint8Array([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0]),
    /it is UTF-32 text.*(-f UTF-32|-Encoding UTF32)/,
  ],
  ["remark.jsonc", '// a\n[{"prompt":"a"}]', /it is JSON with comments/],
  ["remarks.json", '/* a */ [{"prompt":"a"}]', /it is JSON with comments/],
  ["columns.json", '{"prompt":["a","b"],"id":[1,2]}', /it is a table in one JSON object.*jq -c/],
  ["list.jsonl", '{"id":[1],"prompt":"hi"}', /"id" must be a string or a number/],
  [
    "images.jsonl",
    '{"images":["a","b"],"messages":[{"role":"user","content":"<image>?"},{"role":"user"}]}',
    /images\.jsonl:1: "messages\[1\]\.content" must be a string/,
  ],
  ["pandas.json", '{"prompt":{"0":"a","1":"b"}}', /it is a table in one JSON object.*jq -c/],
  [
    "split.json",
    '{"columns":["prompt"],"index":[0],"data":[["a"]]}',
    /a table.*jq -c '\.columns as/,
  ],
  ["index.json", '{"0":{"prompt":"a"},"1":{"prompt":"b"}}', /a table.*jq -c '\.\[\]'/],
  ["lines.txt", LINES, /lines\.txt": it is JSON Lines\. Add --input-format jsonl, or .* txt/],
  ["one.txt", '{"id":1,"prompt":"a"}', /one\.txt": it is JSON Lines/],
  ["long.txt", `{"prompt":"${"a".repeat(200_000)}"}\n`, /long\.txt": it is JSON Lines/],
  ["turns.txt", '[{"role":"user","content":"a"}]\n'.repeat(3), /turns\.txt": it is JSON Lines/],
  ["from.txt", '[{"from":"human","value":"a"}]\n'.repeat(3), /from\.txt": it is JSON Lines/],
  [
    "from.txt",
    `[{"from":"human","value":"${"a".repeat(200_000)}"}]`,
    /from\.txt": it is JSON Lines/,
  ],
  [
    "array.txt",
    `[${ROW_TEXT},\n${ROW_TEXT}]`,
    /array\.txt": it is a JSON array\. Add --input-format json,/,
  ],
  ["array.txt", `[\n  {\n    "prompt": "a"\n  }\n]\n`, /array\.txt": it is a JSON array/],
  [
    "table.txt",
    'id,prompt\n1,"a, or\nb"\n2,c\n',
    /table\.txt": it is a CSV file\. Add --input-format csv,/,
  ],
  ["table.txt", "id\tprompt\n1\ta\n", /table\.txt": it is a TSV file\. Add --input-format tsv,/],
  ["data.json", '{"data":[{"prompt":"a"}]}', /the rows are in "data".*jq -c|"data"/],
  ["pretty.json", '{\n  "prompt": "a"\n}\n', /JSON over several lines.*jq -c \./],
  ["SHOUT.JSONL", '{\n  "prompt": "a"\n}\n', /jq -c \. \S+SHOUT\.JSONL'? > \S+SHOUT\.2\.jsonl'?$/],
  ["arrays.json", '[{"prompt":"a"}][{"prompt":"b"}]', /text after the closing "\]"/],
  ["text.jsonl.gz", LINES, /it is not compressed, but .*\. Rename it without "\.gz"/],
  ["member.jsonl.gz", new Uint8Array([...GZIP, ...GZIP.subarray(0, 20)]), /unexpected end of file/],
  ["twice.jsonl.gz", new Uint8Array(gzipSync(ZSTD)), /it is compressed twice.*: gzip -dc/],
  ["twice.jsonl.zst", new Uint8Array(zstdCompressSync(GZIP)), /it is compressed twice.*: zstd -dc/],
  [
    "pretty.json.gz",
    new Uint8Array(gzipSync('{\n  "prompt": "a"\n}\n')),
    /: gzip -dc \S+pretty\.json\.gz'? \| jq -c \. > \S+pretty\.jsonl'?$/,
  ],
  [
    "carriage.csv.ZST",
    new Uint8Array(zstdCompressSync("prompt\ra\r")),
    /: zstd -dc \S+carriage\.csv\.ZST'? \| tr '\\r' '\\n' > \S+carriage\.csv'?$/,
  ],
  ["dictionary.jsonl.zst", ZSTD_OF_DICTIONARY, /a zstd dictionary.*zstd -dc -D DICTIONARY/],
  ["lines.jsonl.zz", new Uint8Array(deflateSync(LINES)), /it is compressed with zlib/],
  ["lines.jsonl.lzma", new Uint8Array([0x5d, 0, 0, 0x80, 0]), /it is compressed with lzma.*xz -dc/],
  ["orc.parquet", new Uint8Array([0x4f, 0x52, 0x43, 10, 11, 10, 3, 0]), /it is an ORC file/],
  ["model.jsonl", "GGUF\x03\0\0\0", /it is a model/],
  ["arrow.parquet", "ARROW1\0\0", /it is an Arrow file/],
  ["gzip.parquet", new Uint8Array(gzipSync(PARQUET)), /it is compressed with gzip, .*gzip -dc/],
  ["middle.parquet", cutOut(PARQUET, 600, 700), /damaged/],
  ["pages.parquet.jsonl", cut(PARQUET), /its end is missing/],
  ["length.parquet", withFooterOf(PARQUET, 2 ** 31 - 1), /its footer is damaged/],
  ["footless.parquet", withFooterOf(PARQUET, 0), /its footer is damaged\. Copy the file again/],
  ["marks.parquet", "PAR1PAR1", /its end is missing/],
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
  Deno.test(`${name} is refused with its path`, async () => {
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

/** A skippable frame of zstd that holds another frame's magic number. */
const SKIPPABLE = new Uint8Array([
  0x50,
  0x2a,
  0x4d,
  0x18,
  6,
  0,
  0,
  0,
  0x28,
  0xb5,
  0x2f,
  0xfd,
  1,
  2,
]);
const ODD: readonly [name: string, content: string | Uint8Array, prompts: number][] = [
  ["bare.csv", 'prompt,id\na "b" c,1\nsay 5",2\n', 2],
  ["bare.tsv", 'prompt\tid\nsay "hi" now\t1\n', 1],
  ["pipe.csv", "prompt|id\na|1\n", 1],
  ["names.csv", "prompt,from (a|b|c)\na,b\n", 1],
  ["semicolons.csv", '\n\n"prompt";one, two, or three\na;1,5\n"b\nc";2\n', 2],
  ["index.csv", ",prompt\n0,a\n1,b\n", 2],
  ["ORC.txt", "ORC’s readers\nORCи\n", 2],
  ["code.txt", "{\n  return 1\n}\n{ x }\nWhat does {} do?\n", 5],
  ["some.txt", '{"a": 1} is what?\n{"a":1}\nexplain\nwhy\n', 4],
  ["list.txt", '[{"a":1},{"b":2}]: sort these\n[{"a":1}] and this\n', 2],
  ["lists.txt", "[1, 2, 3]: sort\n[INST] hi [/INST]\n", 2],
  ["commas.txt", "Hello, world\nred, green\nprompt,engineering\n", 3],
  ["header.txt", "prompt,id\nWhat is it?\nWho, when, and why?\n", 3],
  ["GGUF.txt", "GGUF or GPTQ?\n", 1],
  ["PAR1.txt", "PAR1 is the start of which files?\n", 1],
  ["ORC.txt", "ORC stores what, and how much of it?\f\x1b[1mWhy?\x1b[0m\n", 1],
  ["BZh.txt", "BZh91 or BZh11?\n", 1],
  ["PDF.txt", "%PDF-1.7 is the start of which files?\n", 1],
  ["Rar.txt", "Rar! Who says so?\n", 1],
  ["lines.json", LINES, 200],
  ["zstd.jsonl.gz", ZSTD, 200],
  ["members.jsonl.gz", new Uint8Array([...GZIP, ...GZIP]), 400],
  ["frames.jsonl.zst", new Uint8Array([...SKIPPABLE, ...ZSTD, ...SKIPPABLE, ...ZSTD]), 400],
  ["parquet.jsonl", here("times.parquet"), 1],
];

for (const [name, content, prompts] of ODD) {
  Deno.test(`${name} is read by its content`, async () => {
    await using dir = await tempDir();
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    const input = await openInput(await dir.write(name, bytes), name);
    let found = 0;
    for await (const batch of input.rows()) {
      for (const { text } of batch) found += typeof JSON.parse(text!).prompt === "string" ? 1 : 0;
    }
    assertEquals(found, prompts);
  });
}

Deno.test("a CSV row without an end is not read further", async () => {
  const chunk = new Uint8Array(1 << 20).fill(120);
  let read = 0;
  async function* endless() {
    yield encoder.encode("prompt,id\n");
    for (;; read++) yield await Promise.resolve(chunk);
  }
  await assertRejects(
    () =>
      Array.fromAsync(
        readCsv(endless(), { name: "in.csv", delimiter: ",", jsonColumns: new Set() }),
      ),
    SourceError,
    'Cannot read "in.csv" row 2: it is longer than 64 MiB',
  );
  assertLess(read, 80);
});

const HAS_JQ = await Promise.try(() => new Deno.Command("jq", { args: ["--version"] }).output())
  .then(({ success }) => success, () => false);

/** As pandas 3 writes a table of the columns `prompt` and `id`, by the orientation. */
const TABLES: Readonly<Record<string, string>> = {
  split: '{"columns":["prompt","id"],"index":[0,1],"data":[["a",1],["b",false]]}',
  columns: '{"prompt":{"0":"a","1":"b"},"id":{"0":1,"1":false}}',
  "columns by id": '{"prompt":{"7":"a","9":"b"},"id":{"7":1,"9":false}}',
  index: '{"0":{"prompt":"a","id":1},"1":{"prompt":"b","id":false}}',
  list: '{"prompt":["a","b"],"id":[1,false]}',
};

const JQ_ROWS = [{ prompt: "a", id: 1 }, { prompt: "b", id: false }];
const JQ_TOOLS = [{ type: "function", function: { name: "f" } }];

function indented(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** Files of the rows `JQ_ROWS` or of the rows after the text. */
const FOR_JQ: [name: string, text: string, rows?: object[]][] = [
  ...Object.entries(TABLES).map(([name, text]) => [`a table by ${name}`, text] as [string, string]),
  ...Object.entries(TABLES).map(([name, text]) =>
    [`an indented table by ${name}`, indented(JSON.parse(text))] as [string, string]
  ),
  ["objects one after the other", JQ_ROWS.map(indented).join("\n")],
  ["a list in an object", indented({ data: JQ_ROWS })],
  ["a list behind other fields", indented({ version: 1, "the rows' list": JQ_ROWS })],
  ["a list in an inner object", indented({ version: 1, result: { "the rows": JQ_ROWS } })],
  [
    "a list behind one of columns",
    indented({ columns: [{ id: 1 }, { id: 2 }, { id: 3 }], tags: ["a"], data: JQ_ROWS }),
  ],
  [
    "a list without prompts behind a shorter one",
    indented({ columns: [{ id: 1 }], data: [{ text: "a" }, { text: "b" }] }),
    [{ text: "a" }, { text: "b" }],
  ],
  [
    "one row with another list",
    indented({ prompt: "a", chunks: [{ id: 1 }] }),
    [{ prompt: "a", chunks: [{ id: 1 }] }],
  ],
  [
    "one row with a list in an inner object",
    indented({ text: "a", meta: { entities: [{ start: 0 }] } }),
    [{ text: "a", meta: { entities: [{ start: 0 }] } }],
  ],
  ["a list with CR LF", indented({ version: 1, data: JQ_ROWS }).replaceAll("\n", "\r\n")],
  ["one row", indented({ prompt: "a", tools: JQ_TOOLS }), [{ prompt: "a", tools: JQ_TOOLS }]],
  [
    "rows with lists",
    `${indented({ x: 1, list: JQ_ROWS })}\n${indented({ x: 2, list: [] })}\n`,
    [{ x: 1, list: JQ_ROWS }, { x: 2, list: [] }],
  ],
];

for (const [name, text, rows = JQ_ROWS] of FOR_JQ) {
  Deno.test(`the jq command for ${name} makes rows in one step`, {
    ignore: !HAS_JQ || Deno.build.os === "windows",
  }, async () => {
    await using dir = await tempDir();
    const path = await dir.write("t.json", text);
    const message = foreignText(text, path, !text.includes("\n"))?.message ?? "";
    const command = message.replace(/^.*Convert it: /, "");
    const { success } = await new Deno.Command("sh", { args: ["-c", command] }).output();
    assert(success, command);
    assertEquals(await dir.rows("t.jsonl"), rows);
  });
}

Deno.test("the advice for UTF-16 text names a tool that the system has", () => {
  const [posix, windows] = [false, true].map((isWindows) =>
    unicodeAdvice("UTF-16", isWindows)("my rows.jsonl")
  );
  assertEquals(posix, "Convert it: iconv -f UTF-16 -t UTF-8 'my rows.jsonl' > 'my rows.2.jsonl'");
  assertEquals(
    windows,
    'Convert it in PowerShell: Get-Content -Encoding Unicode "my rows.jsonl" | ' +
      'Set-Content -Encoding UTF8 "my rows.2.jsonl"',
  );
});

Deno.test("the advice for UTF-16 text on Windows can be pasted into PowerShell", () => {
  const advice = unicodeAdvice("UTF-16", true);
  assertEquals(
    advice("x.csv.gz"),
    "Decompress it, then convert it in PowerShell: Get-Content -Encoding Unicode x.csv | " +
      "Set-Content -Encoding UTF8 x.2.csv",
  );
  assertStringIncludes(advice("it's.csv"), `Unicode "it's.csv" |`);
  assertStringIncludes(advice("it's $5.csv"), "Unicode 'it''s $5.csv' |");
});

Deno.test("the jq command names the list of rows if only the beginning of a file is known", () => {
  const rows = Array.from({ length: 9 }, (_, i) => ({ prompt: `"{[ ${i}`, id: i }));
  const text = indented({ columns: [{ id: 1 }], 'a"]': { rows } });
  for (const end of [0.7, 0.8, 0.9].map((share) => Math.floor(share * text.length))) {
    const error = foreignText(text.slice(0, end), "t.json", false);
    assertMatch(error?.message ?? "", /jq -c '\.\["a\\"\]"\]\["rows"\]\[\]' t\.json/);
  }
});

Deno.test("a text file of rows is read as text with --input-format txt", async () => {
  await using dir = await tempDir();
  const path = await dir.write("lines.txt", LINES);
  const input = await openInput(path, path, { inputFormat: "txt" });
  for await (const [first] of input.rows()) {
    assertEquals(JSON.parse(first.text!), { prompt: LINES.split("\n")[0] });
    break;
  }
});
