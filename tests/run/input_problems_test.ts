/** Tests of lib/run/input_report.ts. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { BadLines } from "../../lib/run/findings.ts";
import { listBadLines } from "../../lib/run/input_report.ts";

Deno.test("listBadLines() lists 20 problems and counts the others", () => {
  const bad = new BadLines();
  for (let line = 1; line <= 25; line++) bad.add(line, `problem ${line}`, () => "");
  const lines = listBadLines([{ input: "in.jsonl", bad, placeOf: String }], "line");
  assertEquals(lines.length, 21);
  assertEquals(lines.at(-1), "  … and 1 more problem");
});
