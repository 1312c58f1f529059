/** Tests of lib/formats/table_scan.ts and json_columns.ts, against slow readers. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { findJsonColumns } from "../../lib/formats/json_columns.ts";
import { TableScan } from "../../lib/formats/table_scan.ts";

/** Random numbers that are the same in each run. */
function randomBelow(): (end: number) => number {
  let state = 7;
  return (end) => {
    state = Math.imul(state, 1_103_515_245) + 12_345 >>> 0;
    return (state >>> 8) % end;
  };
}

/** Records as a loop over the characters finds them. */
function recordsOf(text: string): [end: number, isRow: boolean][] {
  const records: [number, boolean][] = [];
  let cell = "start", isRow = false;
  for (const [i, character] of [...text].entries()) {
    if (cell === "quoted") {
      if (character === '"') cell = "closed";
      else if (character > " ") isRow = true;
    } else if (character === "\n") {
      records.push([i + 1, isRow]);
      cell = "start";
      isRow = false;
    } else if (character === ",") {
      cell = "start";
      isRow = true;
    } else if (character === '"' && cell !== "plain") {
      if (cell === "closed") isRow = true;
      cell = "quoted";
    } else {
      if (cell === "start") cell = "plain";
      if (character > " ") isRow = true;
    }
  }
  if (text !== "" && (!text.endsWith("\n") || cell === "quoted")) {
    records.push([text.length, isRow]);
  }
  return records;
}

Deno.test("TableScan finds the records of any text in chunks of any size", () => {
  const below = randomBelow();
  for (let round = 0; round < 3_000; round++) {
    const text = Array.from({ length: below(40) }, () => '"",\nx \r'[below(7)]).join("");
    const bytes = new TextEncoder().encode(`___${text}`).subarray(3 - below(1));
    const found: [number, boolean][] = [];
    const scan = new TableScan(",", (end, isRow) => void found.push([end, isRow]));
    for (let start = 0; start < bytes.length;) {
      const end = start + below(12);
      scan.add(bytes.subarray(start, end));
      start = end;
    }
    scan.finish();
    assertEquals(found, recordsOf(text), JSON.stringify(text));
  }
});

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 997) yield bytes.subarray(start, start + 997);
}

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
    const found = await findJsonColumns(() => chunksOf(bytes), { name: "x.csv", delimiter: "," });
    const isJson = (cell: string) => /^\s*(\{\}|\[1|\{"a":1\})/.test(cell);
    const expected = names.filter((_, i) =>
      columns[i].some(isJson) && columns[i].every((cell) => cell === "" || isJson(cell))
    );
    assertEquals([...found].toSorted(), expected, JSON.stringify(columns));
  }
});
