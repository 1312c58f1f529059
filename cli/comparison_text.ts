/**
 * Two runs side by side, as `stats --compare` prints them.
 *
 * @module
 */

import type { ComparedRun, RunComparison } from "../lib/data/mod.ts";
import { formatCount, formatLatency, formatPercent, formatUsd } from "../lib/figures.ts";

const LEFT = 24;
const COLUMN = 16;

/**
 * Formats a comparison. Counts are of rows that both runs have answered, except "Answered here
 * only".
 */
export function comparisonText(
  { both, agreement, without_final_answer, runs }: RunComparison,
): string {
  const agreed = (count: number) => {
    const share = both === 0 ? "" : `  ${formatPercent(count, both).padStart(6)}`;
    return `${formatCount(count).padStart(11)}${share}`;
  };
  const row = (name: string, of: (run: ComparedRun) => string) =>
    `${name.padEnd(LEFT)} ${runs.map((run) => of(run).padEnd(COLUMN)).join(" ")}`.trimEnd();
  const lines = [
    `Left   ${runs[0].path}`,
    `Right  ${runs[1].path}`,
    "",
    `${"Answered by both".padEnd(LEFT)} ${formatCount(both).padStart(11)}${
      both === 0 ? "  rows are matched by uid" : ""
    }`,
    `${"  same text".padEnd(LEFT)} ${agreed(agreement.same_text)}`,
    `${"  same final answer".padEnd(LEFT)} ${agreed(agreement.same_final_answer)}`,
    `${"  different".padEnd(LEFT)} ${agreed(agreement.different)}`,
  ];
  if (without_final_answer > 0) {
    lines.push(
      `${"    no final answer".padEnd(LEFT)} ${
        agreed(without_final_answer)
      }  in one or both: only texts were compared`,
    );
  }
  lines.push(
    "",
    `${"".padEnd(LEFT)} ${"left".padEnd(COLUMN)} right`,
    row("Answered here only", ({ only }) => formatCount(only)),
    row("Answer tokens p50", ({ completion_tokens: { p50 } }) => formatCount(p50)),
    row("  p95", ({ completion_tokens: { p95 } }) => formatCount(p95)),
    row("  in total", ({ completion_tokens: { sum } }) => formatCount(sum)),
    row("Latency p50", ({ latency_ms: { p50 } }) => formatLatency(p50)),
    row("  p95", ({ latency_ms: { p95 } }) => formatLatency(p95)),
    row("Cost", ({ cost_usd: usd }) => usd === null ? "not known" : formatUsd(usd)),
  );
  return `${lines.join("\n")}\n`;
}
