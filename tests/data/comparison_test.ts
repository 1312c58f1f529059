/** Tests of two runs side by side. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { compareRuns, DataIndex, openFiles, selectRows } from "../../lib/data/mod.ts";
import { finalAnswerOf } from "../../lib/data/comparison.ts";
import { tempDir } from "../support/temp.ts";
import { failureLine, resultLine } from "./lines.ts";

Deno.test("finalAnswerOf() reads boxes and numbers, however they are written", () => {
  const cases: [text: string, final: string][] = [
    ["It is \\boxed{42}. Not 43.", "42"],
    ["\\boxed{1} then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
    ["\\boxed{ \\text{B} }", "B"],
    ["\\boxed{\\text{ 5 cm}}", "5cm"],
    ["\\boxed{5\\, cm}", "5cm"],
    ["\\boxed{1,234.50}", "1234.5"],
    ["\\boxed{-3", "-3"],
    ["So she has $1,234.50.", "1234.5"],
    ["The sum of 3 and 4 is 7.", "7"],
    ["#### 1200", "1200"],
    ["From 5 to -12", "-12"],
    ["The range is 3-5", "5"],
    ["1,2,3", "1,2,3"],
    ["Version 1.2.3", "1.2.3"],
    ["No number", ""],
    ["", ""],
    ["12345678901234567890", "12345678901234567890"],
  ];
  for (const [text, final] of cases) assertEquals(finalAnswerOf(text), final, text);
});

Deno.test("compareRuns() pairs rows by uid, and says how their answers agree", async () => {
  await using dir = await tempDir();
  const answers = (texts: Record<string, string>, tokens: number, cost?: number) =>
    Object.entries(texts).map(([uid, response]) =>
      resultLine({
        uid,
        response,
        distill: { completion_tokens: tokens, ...(cost === undefined ? {} : { cost_usd: cost }) },
      })
    ).join("");
  const long = "These words are the same in both runs, and long enough for a copy to be noticed.";
  await dir.write(
    "a/x.jsonl",
    answers(
      { same: long, final: "It is 1,000", other: "It is 7", words: "Yes", left: "9" },
      10,
      0.5,
    ),
  );
  await dir.write("a/x_error.jsonl", failureLine("right"));
  await dir.write(
    "b/x.jsonl",
    answers(
      { words: "No", other: "It is 8", final: "So \\boxed{1000}", right: "1", same: long },
      30,
    ),
  );
  const paths = [dir.path("a"), dir.path("b")] as const;
  await using open = await openFiles(paths);
  const index = new DataIndex(open.files);
  await index.readAll();
  const comparison = compareRuns(index.table, index.runs, [...paths]);
  assertEquals([comparison.both, comparison.agreement, comparison.without_final_answer], [
    4,
    { same_text: 1, same_final_answer: 1, different: 2 },
    1,
  ]);
  assertEquals(
    comparison.runs.map(({ only, completion_tokens: { sum }, cost_usd: usd }) => [only, sum, usd]),
    [[1, 40, 2], [1, 120, null]],
  );
  // The same row of another run is not a copy.
  assertEquals(selectRows(index, 'flags contains "duplicate"').length, 0);
  index.close();
});

Deno.test("compareRuns() pairs rows of one id file by file", async () => {
  await using dir = await tempDir();
  for (const run of ["a", "b"]) {
    for (const file of ["x", "y"]) {
      const rows = ["1", "2"].map((uid) => resultLine({ uid, response: `${file} ${uid}` }));
      await dir.write(`${run}/${file}.jsonl`, rows.join(""));
    }
  }
  const paths = [dir.path("a"), dir.path("b")] as const;
  await using open = await openFiles(paths);
  const index = new DataIndex(open.files);
  await index.readAll();
  const { both, agreement, runs } = compareRuns(index.table, index.runs, [...paths]);
  assertEquals([both, agreement.same_text, ...runs.map(({ only }) => only)], [4, 4, 0, 0]);
  index.close();
});
