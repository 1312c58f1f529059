/**
 * Tests of lib/formats/: each format gives the same rows, twice, numbered as users count them.
 * @module
 */

import { gzipSync, zstdCompressSync } from "node:zlib";
import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SourceError } from "../../lib/errors.ts";
import { type InputOptions, openInput, placeOf } from "../../lib/formats/mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

/** Returns the texts of all rows, and the places of the first and the last. */
async function read(path: string, options?: InputOptions, name = path.split("/").at(-1)!) {
  const input = await openInput(path, name, options);
  const passes: (string | undefined)[][] = [];
  let places: string[] = [];
  for (let pass = 0; pass < 2; pass++) {
    const texts: (string | undefined)[] = [];
    places = [];
    for await (const batch of input.rows()) {
      for (const { text, number, problem } of batch) {
        texts.push(text ?? problem);
        places.push(placeOf(name, input.format, number));
      }
    }
    passes.push(texts);
  }
  assertEquals(passes[0], passes[1]);
  return { format: input.format, texts: passes[0], places };
}

async function file(dir: TempDir, name: string, content: string | Uint8Array): Promise<string> {
  const path = dir.path(name);
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
  return path;
}

const ROWS = ['{"prompt":"a, \\"b\\"","n":12345678901234567890}', '{"prompt":"c\\nd","n":1.0}'];

Deno.test("JSON Lines, an array on one line and a pretty-printed one hold the same rows", async () => {
  await using dir = await tempDir();
  const expected = { texts: ROWS, places: ["r.json[0]", "r.json[1]"], format: "json" as const };
  assertEquals(await read(await file(dir, "r.json", `[${ROWS.join(",")}]`)), expected);
  const pretty =
    '\uFEFF[\r\n  {\r\n    "prompt":"a, \\"b\\"",\r\n    "n":12345678901234567890\r\n  },\n' +
    '{\n"prompt":"c\\nd","n":1.0}\n]\n';
  assertEquals(await read(await file(dir, "r.json", pretty)), expected);
  const lines = await read(await file(dir, "r.jsonl", ROWS.join("\n")));
  assertEquals(lines, { texts: ROWS, places: ["r.jsonl:1", "r.jsonl:2"], format: "jsonl" });
});

Deno.test("the content decides where the name has no known extension", async () => {
  await using dir = await tempDir();
  assertEquals((await read(await file(dir, "a", `[\n${ROWS[0]}]`))).format, "json");
  assertEquals((await read(await file(dir, "b", ROWS[0]))).format, "jsonl");
  assertEquals((await read(await file(dir, "c.json", ROWS.join("\n")))).format, "jsonl");
  const chat = '[{"role":"user","content":"hi"}]';
  assertEquals((await read(await file(dir, "d.jsonl", chat))).texts, [chat]);
});

Deno.test("a format is recognized beyond a short first frame of zstd", async () => {
  await using dir = await tempDir();
  const frames = ["id;a, b;c, d\n", "1;x;y\n2;x;y\n"].map((text) => zstdCompressSync(text));
  const path = await file(dir, "t.csv.zst", new Uint8Array(frames.flatMap((frame) => [...frame])));
  assertEquals((await read(path)).texts[0], '{"id":"1","a, b":"x","c, d":"y"}');
});

Deno.test("gzip and zstd are decompressed by content", async () => {
  await using dir = await tempDir();
  const text = ROWS.join("\n");
  for (const bytes of [gzipSync(text), zstdCompressSync(text)]) {
    assertEquals((await read(await file(dir, "packed.jsonl", bytes))).texts, ROWS);
  }
  const csv = zstdCompressSync("prompt\nhi\n");
  assertEquals((await read(await file(dir, "t.csv.zst", csv))).texts, ['{"prompt":"hi"}']);
});

Deno.test("an array's elements are found wherever chunks are cut", async () => {
  await using dir = await tempDir();
  const rows = Array.from(
    { length: 3_000 },
    (_, i) => JSON.stringify({ prompt: `${']},[{\\"'.repeat(i % 40)} ü ${i}` }),
  );
  const { texts } = await read(await file(dir, "big.json", `[${rows.join(",\n")}]`));
  assertEquals(texts, rows);
});

for (
  const [what, content, message] of [
    ["a trailing comma", '[{"a":1},]', 'a comma before the closing "]"'],
    ["a missing element", '[{"a":1},,{"a":2}]', "without an element before it, after element 0"],
    ["a missing first element", '[,{"a":1}]', "a comma before the first element"],
    ["a cut array", '[{"a":1},{"a"', "ends in the middle of element 1"],
    ["text after the array", '[{"a":1}] {"a":2}', "text after"],
  ] as const
) {
  Deno.test(`a JSON array with ${what} is refused`, async () => {
    await using dir = await tempDir();
    const path = await file(dir, "bad.json", content);
    await assertRejects(() => read(path), SourceError, message);
  });
}

Deno.test("CSV: quotes, line breaks in cells, CRLF, byte order mark, semicolons, blank lines", async () => {
  await using dir = await tempDir();
  const csv = '\uFEFFid,prompt\r\n007,"a ""b"", c"\r\n\r\n8,"two\r\nlines"\r\n9,';
  const { texts, places, format } = await read(await file(dir, "t.csv", csv));
  assertEquals(format, "csv");
  assertEquals(texts, [
    '{"id":"007","prompt":"a \\"b\\", c"}',
    '{"id":"8","prompt":"two\\r\\nlines"}',
    '{"id":"9","prompt":""}',
  ]);
  assertEquals(places, ["t.csv:2", "t.csv:4", "t.csv:5"]);
  const excel = await read(await file(dir, "e.csv", "id;prompt\n1;a,b\n"));
  assertEquals(excel.texts, ['{"id":"1","prompt":"a,b"}']);
  // By "|", the header has more cells, and a misplaced quote follows one row that has as many.
  const other = await read(await file(dir, "f.csv", 'a|b|c,id\np|q|r,1\n"x",2\n'));
  assertEquals(other.texts, ['{"a|b|c":"p|q|r","id":"1"}', '{"a|b|c":"x","id":"2"}']);
  const tsv = await read(await file(dir, "t.tsv", "id\tprompt\n1\ta,b\n"));
  assertEquals(tsv.texts, ['{"id":"1","prompt":"a,b"}']);
});

Deno.test("CSV columns of JSON are detected, and named ones are used", async () => {
  await using dir = await tempDir();
  const cell = '"[{""role"":""user"",""content"":""hi""}]"';
  const path = await file(dir, "t.csv", `n,messages,mixed\n1,${cell},{}\n2,,x\n`);
  assertEquals((await read(path)).texts, [
    '{"n":"1","messages":[{"role":"user","content":"hi"}],"mixed":"{}"}',
    '{"n":"2","messages":null,"mixed":"x"}',
  ]);
  assertEquals(
    (await read(path, { jsonColumns: ["n"] })).texts[1],
    '{"n":2,"messages":"","mixed":"x"}',
  );
  await assertRejects(() => read(path, { jsonColumns: ["m"] }), SourceError, 'no column "m"');
});

Deno.test("CSV that is truncated, ragged or in another encoding is reported with its row", async () => {
  await using dir = await tempDir();
  const open = await file(dir, "open.csv", 'a,b\n1,2\n3,"4\n5,6\n');
  await assertRejects(() => read(open), SourceError, "row 3: a quote is opened and never closed");
  const inside = await file(dir, "inside.csv", 'a,b\n1,"2" x\n');
  await assertRejects(
    () => read(inside),
    SourceError,
    "row 2: text follows the closing quote of a cell",
  );
  const ragged = await read(await file(dir, "ragged.csv", "a,b\n1\n1,2\n"));
  assertEquals(ragged.texts, ["has 1 cell where the header has 2", '{"a":"1","b":"2"}']);
  const latin = await file(dir, "latin.csv", Uint8Array.of(97, 10, 0xe9, 10));
  await assertRejects(() => read(latin), SourceError, 'Save it as "CSV UTF-8"');
  const twice = await file(dir, "twice.csv", "a,a\n1,2\n");
  await assertRejects(() => read(twice), SourceError, 'two columns are called "a"');
});

Deno.test("CSV rows that are longer than chunks are read whole", async () => {
  await using dir = await tempDir();
  const long = 'x"y\n'.repeat(60_000);
  const csv = `prompt\n"${long.replaceAll('"', '""')}"\nz\n`;
  assertEquals((await read(await file(dir, "t.csv", csv))).texts, [
    JSON.stringify({ prompt: long }),
    '{"prompt":"z"}',
  ]);
});

Deno.test("plain text is one prompt per line", async () => {
  await using dir = await tempDir();
  const { texts, places } = await read(await file(dir, "p.txt", 'say "hi"\r\n\nbye'));
  assertEquals(texts, ['{"prompt":"say \\"hi\\""}', '{"prompt":"bye"}']);
  assertEquals(places, ["p.txt:1", "p.txt:3"]);
});
