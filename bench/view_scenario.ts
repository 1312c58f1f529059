/** Opening, filtering and searching a file, flagging answers, indexing beside a run. @module */

import process from "node:process";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DataRequests } from "../lib/data/mod.ts";
import { linesOf, readLineBlocks } from "../lib/line_blocks.ts";
import { alternate, type Rounds } from "./measure.ts";

export interface ViewFigures {
  readonly firstPageMs: number;
  readonly indexMs: number;
  /** Rows, facets and histograms for a condition on indexed columns; the slowest of `FILTERS`. */
  readonly filterMs: number;
  /** Time until the first hit of a text that one row in a thousand contains. */
  readonly firstHitMs: number;
  /** Time until all hits of a regular expression are found. */
  readonly scanMs: number;
  readonly peakBytes: number;
}

export async function viewFile({ path }: { path: string }): Promise<ViewFigures> {
  // Imported on demand: other scenarios load this module, but must not load `lib/data/`.
  const { DataService } = await import("../lib/data/mod.ts");
  const startMs = performance.now();
  let peakBytes = 0;
  await using service = await DataService.open({ paths: [path], isSaved: false });
  const page = async (where: string): Promise<DataRequests["rows"]["out"]> => {
    peakBytes = Math.max(peakBytes, Deno.memoryUsage().rss);
    return await service.ask("rows", { where, from: 0, count: 100, columns: [] });
  };
  const until = async (isReached: () => Promise<boolean>): Promise<number> => {
    const beginMs = performance.now();
    while (!(await isReached())) await new Promise((resolve) => setTimeout(resolve, 10));
    return performance.now() - beginMs;
  };
  await until(async () => (await page("")).rows.length > 0);
  const firstPageMs = performance.now() - startMs;
  await until(async () => (await service.ask("state", {})).index.isCurrent);
  const indexMs = performance.now() - startMs;
  let filterMs = 0;
  for (const where of FILTERS) {
    const beginMs = performance.now();
    await page(where);
    await service.ask("overview", { where });
    filterMs = Math.max(filterMs, performance.now() - beginMs);
  }
  const firstHitMs = await until(async () =>
    (await page('response contains "rare word"')).total > 0
  );
  const scanMs = await until(async () =>
    (await page('response matches "(?i)total of \\\\d+ [a-z]+s\\\\b"')).scan?.isDone === true
  );
  return { firstPageMs, indexMs, filterMs, firstHitMs, scanMs, peakBytes };
}

/** Returns the mean CPU time of flagging an answer, in microseconds, over the first `rows`. */
export async function flagCosts({ path, rows }: { path: string; rows: number }): Promise<number> {
  const { flagsOf } = await import("../lib/data/flags.ts");
  const answers: Parameters<typeof flagsOf>[] = [];
  for await (const block of readLineBlocks(path)) {
    for (const bytes of linesOf(block)) {
      const { response, prompt, distill } = JSON.parse(new TextDecoder().decode(bytes));
      const rest = { hasToolCalls: false, isRefusal: false, params: {} };
      answers.push([{ response, finishReason: distill.finish_reason, ...rest }, prompt]);
    }
    if (answers.length >= rows) break;
  }
  // The first round only compiles the code.
  for (const answer of answers) flagsOf(...answer);
  const before = process.cpuUsage();
  for (const answer of answers) flagsOf(...answer);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / answers.length;
}

/** Measures the speed of a run, alternately with and without an index of a growing file. */
export async function viewDuringRun(
  { path, rounds, windowS }: { path: string; rounds: number; windowS: number },
): Promise<Rounds<number, number>> {
  // Imported on demand, so that the memory in `viewFile` includes no run.
  const { DataService } = await import("../lib/data/mod.ts");
  const { startRun } = await import("./monitor_job.ts");
  await using run = await startRun(nextTurn);
  const speed = async () => (await run.window(windowS)).rowsPerS;
  return await alternate(rounds, async () => {
    // Makes the file look as if a run still wrote to it. A space at its end is not a row.
    await Deno.writeTextFile(path, " ", { append: true });
    await using service = await DataService.open({ paths: [path], isSaved: false });
    await service.ask("state", {});
    return await speed();
  }, speed);
}

const FILTERS = [
  'finish_reason == "stop" and not flags contains "refusal"',
  'completion_tokens >= 300 and topic in ("t1", "t2", "t3")',
  "latency_ms < 1000 or difficulty > 3",
];
