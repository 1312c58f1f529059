/** Cost of shards: finding borders, reading a part, and merging, compared with `cat`. @module */

import { filesOf, InputSequence, writeRunFile } from "../lib/run/mod.ts";
import { divide, piecesOf, pinnedPlan, type ShardPlan, shardStem } from "../lib/shards/mod.ts";
import { atLeast, atMost, type Bench, type Figure, formatNumber, median } from "./measure.ts";
import { rowText, writeAll, writeLines } from "./rows.ts";

const PADDING = `"context":"${"The quick brown fox jumps over the lazy dog. ".repeat(14)}",`;
const ANSWER = "The answer of a teacher, long enough to be one. ".repeat(30);

export async function shardCosts(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(200_000, 2_000_000);
  const input = `${bench.dir}/shards.jsonl`;
  await writeLines(input, rows, (i) => rowText(i, `"id":"row-${i}",${PADDING}`));
  const { size } = await Deno.stat(input);
  const scanS = await scanSeconds(input);
  const stem = `${bench.dir}/shards/in`;
  const plan = await pinnedPlan({ stem, isNamed: true, wholeResults: [] }, [input], 64);
  const before = bytesRead();
  const starts: number[] = [];
  for (let shard = 0; shard < 64; shard++) starts.push(await readShard(stem, input, shard));
  const read = bytesRead() - before;
  const merged = await measureMerge(bench, input, rows);
  await Deno.remove(input);
  const name = `${rows.toLocaleString("en")} rows, ${formatNumber(size / 1e9)} GB`;
  return [
    {
      name: `shards: borders of 64, ${name}`,
      retort: `${formatNumber(size / scanS / 1e9)} GB/s`,
      baseline: `${plan.shards} shards`,
      ratios: [],
    },
    {
      name: "shards: bytes that all 64 read for a pass",
      retort: `${formatNumber(read / 1e9)} GB`,
      baseline: `${formatNumber(size / 1e9)} GB, the input`,
      ratios: [read / size],
      target: atMost(read / size, 1.02),
    },
    {
      name: "shards: first rows of a shard with known borders",
      retort: `${formatNumber(median(starts))} ms`,
      baseline: "",
      ratios: [],
      target: atMost(Math.max(...starts) / 1_000, 1),
    },
    ...merged,
  ];
}

async function scanSeconds(input: string): Promise<number> {
  const started = performance.now();
  await divide([input], 64);
  return (performance.now() - started) / 1_000;
}

/** Returns the milliseconds until the first row. */
async function readShard(stem: string, input: string, index: number): Promise<number> {
  const started = performance.now();
  const plan = await pinnedPlan({ stem, isNamed: true, wholeResults: [] }, [input], 64);
  const sequence = new InputSequence(piecesOf(plan, index));
  await sequence.open();
  let firstMs = 0;
  for await (const _ of sequence.rows()) if (firstMs === 0) firstMs = performance.now() - started;
  return firstMs;
}

/** Bytes that this process has read (Linux only). */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync("/proc/self/io"))?.[1]);
}

async function measureMerge(bench: Bench, input: string, rows: number): Promise<Figure[]> {
  const stem = `${bench.dir}/merge/in`;
  const plan = await pinnedPlan({ stem, isNamed: true, wholeResults: [] }, [input], 128);
  for (let shard = 0; shard < plan.shards; shard++) await writeShard(stem, plan, shard);
  const results = plan.starts.map((_, index) => `${shardStem(stem, { index, count: 128 })}.jsonl`);
  const sizes = await Promise.all(results.map((path) => Deno.stat(path)));
  const size = sizes.reduce((sum, file) => sum + file.size, 0);
  const ratios: number[] = [], ours: number[] = [], theirs: number[] = [];
  let peak = 0;
  for (let round = 0; round < bench.rounds(3); round++) {
    const cat = await timed([
      "sh",
      "-c",
      `cat "$@" > ${bench.dir}/cat.jsonl && sync ${bench.dir}/cat.jsonl`,
      "sh",
      ...results,
    ]);
    const { ms, peakBytes } = await mergeInChild(stem, `${bench.dir}/merged/all.jsonl`);
    peak = Math.max(peak, peakBytes);
    ours.push(ms);
    theirs.push(cat);
    ratios.push(cat / ms);
  }
  await Deno.remove(`${bench.dir}/merge`, { recursive: true });
  return [{
    name: `merge of 128 shards, ${rows.toLocaleString("en")} rows, ${
      formatNumber(size / 1e9)
    } GB, with proof`,
    retort: `${formatNumber(median(ours) / 1_000)} s, ${formatNumber(peak / 2 ** 20)} MB`,
    baseline: `${formatNumber(median(theirs) / 1_000)} s, cat and sync`,
    ratios,
    target: atLeast(median(ratios), 0.15),
  }];
}

/** Writes results of a shard as a run does: roughly in the order of the input. */
async function writeShard(stem: string, plan: ShardPlan, index: number): Promise<void> {
  const own = filesOf("", shardStem(stem, { index, count: plan.shards }));
  using file = await Deno.open(own.results, { write: true, create: true });
  const sequence = new InputSequence(piecesOf(plan, index));
  await sequence.open();
  let text = "";
  for await (const batch of sequence.rows()) {
    for (const { text: row } of batch.toReversed()) {
      const id = /"id":"([^"]*)"/.exec(row!)![1];
      text +=
        `{"uid":"${id}","prompt_hash":"0123456789abcdef",${
          row!.slice(1, -1)
        },"response":"${ANSWER}",` +
        '"reasoning":"","tool_calls":"[]","distill":{"attempts":1,"params":"44136fa3","replaced":"{}"}}\n';
    }
    if (text.length > 1 << 20) {
      await writeAll(file, text);
      text = "";
    }
  }
  await writeAll(file, text);
  await writeRunFile(own.runJson, {
    ...{ retort: "0", input: "", teacher: "", params: {}, summary: null },
    identity: {
      ...{
        model: "m",
        params: {},
        system: null,
        template: null,
        prompt_field: null,
        uid_field: [],
      },
      ...{ think: null, shards: plan.shards },
    },
    rows: { duplicates: "merge", mixedShapes: false, samples: 1, uidFieldFirst: true },
  });
}

async function mergeInChild(
  stem: string,
  output: string,
): Promise<{ ms: number; peakBytes: number }> {
  const main = new URL("../cli.ts", import.meta.url).pathname;
  const started = performance.now();
  const { success, stderr } = await new Deno.Command("/usr/bin/env", {
    args: [
      ...[
        "bash",
        "-c",
        '"$@" & pid=$!; peak=0; while kill -0 $pid 2>/dev/null; do ' +
        'now=$(awk "/VmHWM/ {print \\$2}" /proc/$pid/status 2>/dev/null); [ -n "$now" ] && peak=$now; sleep 0.1; done; ' +
        'wait $pid; code=$?; echo "peak $peak" >&2; exit $code',
        "sh",
      ],
      ...[
        Deno.execPath(),
        "run",
        "--quiet",
        "-A",
        main,
        "merge",
        `${stem}.jsonl`,
        "-o",
        output,
        "--replace",
      ],
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`Cannot measure the merge: ${text}`);
  return {
    ms: performance.now() - started,
    peakBytes: Number(/peak (\d+)/.exec(text)?.[1]) * 1_024,
  };
}

async function timed([command, ...args]: string[]): Promise<number> {
  const started = performance.now();
  const { success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`Cannot measure ${command}`);
  return performance.now() - started;
}
