/** The estimate of a run's cost, as a range. @module */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { addRowTokenLimit, describeEstimate, estimate } from "../../lib/prices/mod.ts";
import { assertExit, distill, numberedRows } from "../e2e/fixture.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

const GPT_5_MINI = { prompt: 0.25, completion: 2 };
const KNOWN = { answers: 1_000, promptTokens: 1e6, maxTokens: 1_000, rates: [GPT_5_MINI] };

Deno.test("estimate() gives a range that contains the final cost", () => {
  const { costUsd, completionTokens, isAssumed } = estimate(KNOWN);
  assertEquals([completionTokens, isAssumed], [[100, 1_000], false]);
  const [least, most] = costUsd!;
  assertAlmostEquals(least, 0.75 * 0.25 + 0.2, 1e-9);
  assertAlmostEquals(most, 1.25 * 0.25 + 2, 1e-9);
  assert(least < 2.25 && 2.25 < most);
  const open = estimate({ ...KNOWN, maxTokens: undefined });
  assertEquals([open.completionTokens, open.isAssumed], [[100, 4_000], true]);
  assertEquals(estimate({ ...KNOWN, maxTokens: 5 }).completionTokens, [5, 5]);
});

Deno.test("estimate() takes rows by the limits that they set themselves", () => {
  const rowTokenLimits = { answers: 0, minTokens: 0, maxTokens: 0 };
  addRowTokenLimit(rowTokenLimits, 500, 10);
  const { completionTokens, isAssumed, costUsd } = estimate({ ...KNOWN, rowTokenLimits });
  assertEquals([completionTokens, isAssumed], [[55, 505], false]);
  assertAlmostEquals(costUsd![1], 1.25 * 0.25 + 2 * 0.505, 1e-9);
  const open = { ...KNOWN, maxTokens: undefined };
  assertEquals(estimate({ ...open, rowTokenLimits }).isAssumed, true);
  addRowTokenLimit(rowTokenLimits, 500, 20);
  assertEquals(estimate({ ...open, rowTokenLimits }).isAssumed, false);
  assertStringIncludes(
    describeEstimate(estimate({ ...open, rowTokenLimits }), null).info[0],
    "(15, the mean max_tokens limit)",
  );
});

Deno.test("estimate() goes from the cheapest to the most expensive teacher, and guesses no price", () => {
  const dear = { prompt: 2.5, completion: 20 };
  const both = estimate({ ...KNOWN, rates: [GPT_5_MINI, dear] }).costUsd!;
  const [cheap, expensive] = [GPT_5_MINI, dear].map((rate) =>
    estimate({ ...KNOWN, rates: [rate] }).costUsd!
  );
  assertEquals(both, [cheap[0], expensive[1]]);
  assertEquals(estimate({ ...KNOWN, rates: [GPT_5_MINI, undefined] }).costUsd, null);
  assertEquals(estimate({ ...KNOWN, rates: [] }).costUsd, null);
});

Deno.test("describeEstimate() states its assumptions, and whether a budget is below it", () => {
  const say = (maxCostUsd: number | null, more = {}) =>
    describeEstimate(estimate({ ...KNOWN, ...more }), maxCostUsd);
  assertEquals(say(null), {
    info: [
      "Estimated cost of 1,000 answers, depending on their length: $0.39 (100 completion tokens each) " +
      "to $2.31 (1,000, the max_tokens limit), with about 1,000,000 prompt tokens in all. " +
      "The estimate narrows as answers arrive",
    ],
    warnings: [],
  });
  assertStringIncludes(
    say(null, { maxTokens: undefined }).info[0],
    "(4,000, assumed: no max_tokens is set)",
  );
  assertStringIncludes(say(null, { answers: 10, promptTokens: 100 }).info[0], ": $0.0020 (");
  assertStringIncludes(
    say(null, {
      promptTokens: 100,
      maxTokens: 4_000,
      rowTokenLimits: { answers: 980, minTokens: 0, maxTokens: 1e6 },
    })
      .info[0],
    ": under $0.01 (",
  );
  assertEquals(say(2.4).warnings, []);
  assertEquals(say(1).warnings, [
    "--max-cost $1.00 is below the highest estimate ($2.31): " +
    "the run may end before all rows are answered",
  ]);
  assertEquals(say(0.1).warnings, [
    "--max-cost $0.10 is below the estimated cost ($0.39 at least): " +
    "the run will end before all rows are answered",
  ]);
  assertEquals(say(0.1, { answers: 0 }), { info: [], warnings: [] });
  assertEquals(say(null, { rates: [undefined] }), { info: [], warnings: [] });
});

Deno.test("--dry-run and the start of a run estimate its cost, by the tier of service", async () => {
  await using dir = await tempDir();
  const rows = numberedRows(1_000).map((row) => ({
    ...row,
    prompt: row.prompt.padEnd(4_000, "."),
  }));
  const input = await dir.write("in.jsonl", rows);
  const env = { OPENAI_API_KEY: "sk-x" };
  const dryRun = async (args: string[]) => {
    const all = [input, "-o", dir.path("out/"), "-m", "gpt-5-mini", "--dry-run", ...args];
    const result = await runCli(all, { env });
    assertExit(result, 0);
    return result.stderr;
  };
  const limit = ["--max-tokens", "1000"];
  const cases: [args: string[], least: string, most: string][] = [
    [[], "$0.39", "$2.31"],
    [["-p", "service_tier=flex"], "$0.19", "$1.16"],
    [["-p", "service_tier=priority"], "$0.70", "$4.16"],
    [["--price-in", "1", "--price-out", "1"], "$0.85", "$2.25"],
    [["--samples", "2"], "$0.78", "$4.63"],
  ];
  for (const [args, least, most] of cases) {
    const range = `${least} (100 completion tokens each) to ${most} (1,000, `;
    assertStringIncludes(
      await dryRun([...limit, ...args]),
      `, depending on their length: ${range}`,
    );
  }
  const priority = await dryRun([...limit, "-p", "service_tier=priority", "--max-cost", "0.5"]);
  assertStringIncludes(priority, "service_tier priority: $0.45 in, ");
  assertStringIncludes(priority, "--max-cost $0.50 is below the estimated cost ($0.70 at least)");
});

Deno.test("the estimate counts the rows that are left, and no estimate is made without a price", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(10));
  const args = [input, "-o", dir.path("out/")];
  const prices = ["--price-in", "1", "--price-out", "1"];
  const start = await distill(server, [...args, "--limit", "4", ...prices, "--max-cost", "0.0001"]);
  assertStringIncludes(start.stderr, "Estimated cost of 4 answers, depending on their length: ");
  assertStringIncludes(start.stderr, "is below the estimated cost");
  const rest = await distill(server, [...args, ...prices]);
  assertExit(rest, 0);
  const left = 10 - (await dir.rows("out/in.jsonl")).length;
  assertEquals(left, 0);
  const done = await distill(server, [...args, ...prices]);
  assert(!done.stderr.includes("Estimated cost"), done.stderr);
  const local = await distill(server, [input, "-o", dir.path("other/"), "--dry-run"]);
  assert(!local.stderr.includes("Estimated cost"), local.stderr);
});
