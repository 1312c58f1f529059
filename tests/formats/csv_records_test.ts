/** Tests of lib/formats/csv_records.ts and of columns of JSON, against slow readers. @module */

import {
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { SourceError } from "../../lib/errors.ts";
import { decodeChunks, detectDelimiter, findJsonColumns } from "../../lib/formats/csv.ts";
import { bytesAsText, RecordReader } from "../../lib/formats/csv_records.ts";
import { tempDir } from "../support/temp.ts";

/** Random numbers that are the same in each run. */
function randomBelow(): (end: number) => number {
  let state = 7;
  return (end) => {
    state = Math.imul(state, 1_103_515_245) + 12_345 >>> 0;
    return (state >>> 8) % end;
  };
}

const TABLE = { name: "x.csv", delimiter: "," };

async function* inChunks(bytes: Uint8Array, sizeOf: () => number): AsyncGenerator<Uint8Array> {
  for (let start = 0, end; start < bytes.length; start = end) {
    yield bytes.subarray(start, end = start + sizeOf());
  }
}

interface SlowRecord {
  readonly cells: string[];
  readonly number: number;
  readonly end: number;
}

/** Records as a loop over the characters finds them; undefined if a quote is misplaced. */
function recordsOf(text: string): SlowRecord[] | undefined {
  const records: SlowRecord[] = [];
  let number = 0;
  for (let i = 0; i < text.length;) {
    const cells: string[] = [];
    let isQuoted = false;
    for (let isInRecord = true; isInRecord; i++) {
      let cell = "";
      isQuoted = text[i] === '"';
      if (isQuoted) {
        for (i++; text[i] !== '"' || text[i + 1] === '"'; cell += text[i++]) {
          if (i >= text.length) return undefined;
          if (text[i] === '"') i++;
        }
        for (i++; /[ \r\u00a0]/.test(text[i]);) i++;
        if (i < text.length && text[i] !== "," && text[i] !== "\n") return undefined;
      } else while (i < text.length && text[i] !== "," && text[i] !== "\n") cell += text[i++];
      isInRecord = text[i] === ",";
      cells.push(isInRecord || isQuoted ? cell : cell.replace(/\r$/, ""));
    }
    number++;
    const end = Math.min(i, text.length);
    // In a table of one column, a quoted cell is a row even if it is empty.
    const isRow = isQuoted && records[0]?.cells.length === 1;
    if (isRow || cells.length > 1 || cells[0].trim() !== "") records.push({ cells, number, end });
  }
  return records;
}

async function readCells(bytes: Uint8Array, sizeOf: () => number) {
  const reader = new RecordReader(TABLE), records: SlowRecord[] = [];
  for await (const piece of decodeChunks(inChunks(bytes, sizeOf), "x.csv")) {
    records.push(...reader.read(piece));
  }
  return records;
}

async function readEnds(bytes: Uint8Array, sizeOf: () => number) {
  const reader = new RecordReader(TABLE, new Set(), true);
  const ends: Omit<SlowRecord, "cells">[] = [];
  for await (const piece of bytesAsText(inChunks(bytes, sizeOf))) {
    for (const { number, end } of reader.read(piece)) ends.push({ number, end });
  }
  return ends;
}

Deno.test("invalid UTF-8 is reported with its line, wherever a chunk divides a character", async () => {
  const before = new TextEncoder().encode("a\n汉字\n🌍é\n漢\n");
  const bytes = new Uint8Array([...before, 0x61, 0xff, 0x0a, 0x62, 0x0a]);
  for (let size = 1; size <= bytes.length; size++) {
    const reading = Array.fromAsync(decodeChunks(inChunks(bytes, () => size), "x.csv"));
    const { message } = await assertRejects(() => reading, SourceError);
    assertStringIncludes(message, 'Cannot read "x.csv" line 5: invalid UTF-8', `${size} bytes`);
  }
});

Deno.test("the records of any text are read, and their ends found, in chunks of any size", async () => {
  const below = randomBelow(), sizeOf = () => 1 + below(12);
  let complete = 0;
  for (let round = 0; round < 3_000; round++) {
    const text = Array.from({ length: below(40) }, () => '"",\nx \r\u00a0é'[below(9)]).join("");
    const bytes = new TextEncoder().encode(text), shown = JSON.stringify(text);
    const expected = recordsOf(text);
    if (expected === undefined) {
      await assertRejects(() => readCells(bytes, sizeOf), SourceError, undefined, shown);
      await assertRejects(() => readEnds(bytes, sizeOf), SourceError, undefined, shown);
      continue;
    }
    complete++;
    const bytesTo = (end: number) => new TextEncoder().encode(text.slice(0, end)).length;
    const ends = expected.map(({ number, end }) => ({ number, end: bytesTo(end) }));
    assertEquals(await readCells(bytes, sizeOf), expected, shown);
    assertEquals(await readEnds(bytes, sizeOf), ends, shown);
  }
  assertGreater(complete, 500);
});

Deno.test("a misplaced quote in a part of a file is reported with its row in the file", () => {
  const reader = new RecordReader({ ...TABLE, numberBefore: 7 });
  assertThrows(
    () => [...reader.read({ text: 'h\na\n"b" c\n', isLast: true })],
    SourceError,
    'Cannot read "x.csv" row 9: text follows the closing quote of a cell',
  );
});

Deno.test("the delimiter is found although a quote is misplaced below the header", async () => {
  await using dir = await tempDir();
  const rows = [
    "a|x;y|1|b c",
    'e|"a"y|a|e',
    "a|b c|a|1",
    "x,y|e|x;y|a",
    'x,y||"x;y"y|a',
    "a|e|e|1",
    '"1"|e|a|"b c"y',
    "b c|x;y|e|",
    'x,y|x,y|"b c"|',
    'a|"b c"|x;y|e',
    '1|"x,y"y||1',
  ];
  const path = await dir.write("x.csv", rows.join("\n") + "\n");
  assertEquals(await detectDelimiter(path, "x.csv", "csv"), "|");
});

function quoted(cell: string): string {
  return /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

Deno.test("findJsonColumns finds the columns that hold JSON beyond the first rows", async () => {
  const below = randomBelow();
  for (let round = 0; round < 40; round++) {
    const kinds = ["", "{}", '[1, "é, ",\n""]', "x", ' {"a":1} ', '{"a', "é"];
    // Each column has two kinds of cells, the second one only in a late row.
    const columns = Array.from({ length: 5 }, () => [kinds[below(3)], kinds[below(kinds.length)]]);
    const newline = ["\n", "\r\n"][below(2)], last = [newline, ""][below(2)];
    const rows = Array.from(
      { length: 1_200 },
      (_, i) => columns.map(([most, late]) => i === 1_150 ? late : most),
    );
    const names = columns.map((_, i) => `c${i}`);
    const lines = [names, ...rows].map((cells) => cells.map(quoted).join(","));
    const text = `${newline}${lines.join(newline)}${last}`;
    const bytes = new TextEncoder().encode(text);
    const found = await findJsonColumns(inChunks(bytes, () => 997), TABLE);
    const isJson = (cell: string) => /^\s*(\{\}|\[1|\{"a":1\})/.test(cell);
    const expected = names.filter((_, i) =>
      columns[i].some(isJson) && columns[i].every((cell) => cell === "" || isJson(cell))
    );
    assertEquals([...found].toSorted(), expected, JSON.stringify(columns));
  }
});
