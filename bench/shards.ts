/**
 * Measures the cost of shards: dividing an input, reading a shard, and merging, compared with
 * `cat`. @module
 */

import { shardStem } from "../lib/files.ts";
import { filesOf, InputSequence, writeRunFile } from "../lib/run/mod.ts";
import { divide, piecesOf, planFor, type ShardPlan } from "../lib/shards/mod.ts";
import {
  atLeast,
  atMost,
  type Bench,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import { runProgram, v8Flags } from "./processes.ts";
import { rowText, writeLines, writeText } from "./rows.ts";

const PADDING = `"context":"${"The quick brown fox jumps over the lazy dog. ".repeat(14)}",`;
const ANSWER = "The answer of a teacher, long enough to be one. ".repeat(30);
const READ_SHARDS = 64, MERGED_SHARDS = 128;

export async function shardCosts(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(200_000, 2_000_000);
  const input = `${bench.dir}/shards.jsonl`;
  await writeLines(input, rows, (i) => rowText(i, `"id":"row-${i}",${PADDING}`));
  const { size } = await Deno.stat(input);
  const scanS = await scanSeconds(input);
  const stem = `${bench.dir}/shards/in`;
  await planFor({ stem, isNamed: true, wholeResults: [] }, [input], READ_SHARDS);
  const bytesBefore = bytesRead();
  const starts: number[] = [];
  for (let index = 0; index < READ_SHARDS; index++) {
    starts.push(await readShard(stem, input, index));
  }
  const passBytes = bytesRead() - bytesBefore;
  const mergeFigure = await measureMerge(bench, input, rows);
  await Deno.remove(input);
  const name = `${rows.toLocaleString("en")} rows, ${formatNumber(size / 1e9)} GB`;
  return [
    {
      name: `shards: borders of ${READ_SHARDS}, ${name}`,
      retort: `${formatNumber(size / scanS / 1e9)} GB/s`,
      baseline: "",
      ratios: [],
    },
    {
      name: `shards: bytes that all ${READ_SHARDS} read for a pass`,
      retort: `${formatNumber(passBytes / 1e9)} GB`,
      baseline: `${formatNumber(size / 1e9)} GB, the input`,
      ratios: [passBytes / size],
      target: atMost(passBytes / size, 1.02),
    },
    {
      name: "shards: first rows of a shard with known borders",
      retort: `${formatNumber(median(starts))} ms`,
      baseline: `${formatNumber(Math.max(...starts))} ms, the slowest shard`,
      ratios: [],
      target: atMost(Math.max(...starts), 1_000, " ms"),
    },
    mergeFigure,
  ];
}

async function scanSeconds(input: string): Promise<number> {
  const startMs = performance.now();
  await divide([input], READ_SHARDS);
  return (performance.now() - startMs) / 1_000;
}

/** Reads all rows of a shard. Returns the milliseconds until the first row. */
async function readShard(stem: string, input: string, index: number): Promise<number> {
  const startMs = performance.now();
  const plan = await planFor({ stem, isNamed: true, wholeResults: [] }, [input], READ_SHARDS);
  const sequence = new InputSequence(piecesOf(plan, index));
  await sequence.open();
  let firstMs = 0;
  for await (const _ of sequence.rows()) if (firstMs === 0) firstMs = performance.now() - startMs;
  return firstMs;
}

/** Returns the bytes that this process has read so far (Linux only). */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync("/proc/self/io"))?.[1]);
}

async function measureMerge(bench: Bench, input: string, rows: number): Promise<Figure> {
  const stem = `${bench.dir}/merge/in`;
  const plan = await planFor({ stem, isNamed: true, wholeResults: [] }, [input], MERGED_SHARDS);
  const results: string[] = [];
  let size = 0;
  for (let index = 0; index < MERGED_SHARDS; index++) {
    const path = await writeShard(stem, plan, index);
    results.push(path);
    size += (await Deno.stat(path)).size;
  }
  const ours: number[] = [], theirs: number[] = [];
  let peak = 0;
  for (let round = 0; round < bench.rounds(3); round++) {
    theirs.push(await concatenationMs(results, `${bench.dir}/cat.jsonl`));
    const { ms, peakBytes } = await mergeInChild(stem, `${bench.dir}/merged/all.jsonl`);
    ours.push(ms);
    peak = Math.max(peak, peakBytes);
  }
  await Deno.remove(`${bench.dir}/merge`, { recursive: true });
  const scale = `${rows.toLocaleString("en")} rows, ${formatNumber(size / 1e9)} GB`;
  const ratios = ratiosOf(theirs, ours);
  return {
    name: `merge of ${MERGED_SHARDS} shards, ${scale}, with proof`,
    retort: `${formatNumber(median(ours) / 1_000)} s, ${formatNumber(peak / 1e6)} MB`,
    baseline: `${formatNumber(median(theirs) / 1_000)} s, cat and sync`,
    ratios,
    target: atLeast(median(ratios), 0.15),
  };
}

/** Writes the files of a shard. As after a run, results are not quite in input order. */
async function writeShard(stem: string, plan: ShardPlan, index: number): Promise<string> {
  const { results, runJson } = filesOf("", shardStem(stem, { index, count: plan.shards }));
  using file = await Deno.open(results, { write: true, create: true });
  const sequence = new InputSequence(piecesOf(plan, index));
  await sequence.open();
  let text = "";
  for await (const batch of sequence.rows()) {
    for (const row of batch.toReversed()) text += resultText(row.text!) + "\n";
    if (text.length > 1 << 20) {
      await writeText(file, text);
      text = "";
    }
  }
  await writeText(file, text);
  await writeRunFile(runJson, {
    retort: "0",
    input: "",
    teacher: "",
    params: {},
    summary: null,
    identity: { ...IDENTITY, shards: plan.shards },
    rows: { duplicates: "merge", mixedShapes: false, samples: 1, uidFieldFirst: true },
  });
  return results;
}

function resultText(row: string): string {
  const id = /"id":"([^"]*)"/.exec(row)![1];
  return `{"uid":"${id}","prompt_hash":"0123456789abcdef",${row.slice(1, -1)},` +
    `"response":"${ANSWER}","reasoning":"","tool_calls":"[]",` +
    '"distill":{"attempts":1,"params":"44136fa3","replaced":"{}"}}';
}

const IDENTITY = {
  model: "m",
  params: {},
  json_schema: null,
  system: null,
  template: null,
  prompt_field: null,
  uid_field: [],
  think: null,
};

/**
 * A shell script that runs a command, and prints `peak KIB`, the peak memory of its process, to
 * stderr (Linux only).
 */
const PEAK_SCRIPT = `"$@" & pid=$!; peak=0
while kill -0 $pid 2>/dev/null; do
  now=$(awk "/VmHWM/ {print \\$2}" /proc/$pid/status 2>/dev/null); [ -n "$now" ] && peak=$now
  sleep 0.1
done
wait $pid; code=$?; echo "peak $peak" >&2; exit $code`;

async function mergeInChild(
  stem: string,
  output: string,
): Promise<{ ms: number; peakBytes: number }> {
  const main = new URL("../cli.ts", import.meta.url).pathname;
  const retort = [Deno.execPath(), "run", "--quiet", ...await v8Flags(), "-A", main];
  const merge = ["merge", `${stem}.jsonl`, "-o", output, "--replace"];
  const args = ["-c", PEAK_SCRIPT, "bash", ...retort, ...merge];
  const { elapsedMs, stderr } = await runProgram("bash", args);
  return { ms: elapsedMs, peakBytes: Number(/peak (\d+)/.exec(stderr)?.[1]) * 1_024 };
}

async function concatenationMs(paths: readonly string[], output: string): Promise<number> {
  const script = 'output=$1; shift; cat "$@" > "$output" && sync "$output"';
  return (await runProgram("sh", ["-c", script, "sh", output, ...paths])).elapsedMs;
}
