/**
 * Rows per second over HTTP, with a teacher without latency. The baselines are a bare loop and
 * peers: libraries that a TypeScript user would choose, run as processes. Peers have their own
 * `bench/peers/deno.json`, so that users of Retort do not download them.
 *
 * @module
 */

import { inChild } from "./child.ts";
import { alternate, atLeast, type Bench, type Figure, formatNumber, median } from "./measure.ts";
import { writeRows } from "./rows.ts";
import { startZeroServer } from "./zero_server.ts";

/** Compares Retort with a bare `undici` loop that, unlike Retort, writes nothing. */
export async function httpRows(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(30_000, 200_000);
  const input = `${bench.dir}/http.jsonl`;
  await writeRows(input, rows);
  await using server = await startZeroServer();
  const { baseUrl } = server;
  // The server compiles its code during this run, and not while it is measured.
  await inChild("undiciLoop", { rows: Math.min(rows, 5_000), concurrency: 64, baseUrl });
  const figures: Figure[] = [];
  for (const concurrency of [64, 1_000]) {
    figures.push(...await figuresAt(bench, { rows, input, concurrency, baseUrl }));
  }
  return figures;
}

async function figuresAt(
  bench: Bench,
  { rows, input, concurrency, baseUrl }: {
    rows: number;
    input: string;
    concurrency: number;
    baseUrl: string;
  },
): Promise<Figure[]> {
  const output = `${bench.dir}/http_out.jsonl`;
  const { ours, theirs } = await alternate(
    bench.rounds(3),
    () => inChild("job", { input, output, concurrency, teacher: { baseUrl } }),
    () => inChild("undiciLoop", { rows, concurrency, baseUrl }),
  );
  const runPhase = ours.map(({ elapsedMs }, round) => theirs[round] / elapsedMs);
  const whole = ours.map(({ wholeMs }, round) => theirs[round] / wholeMs);
  const baseline = `${perSecond(rows, theirs)}, bare undici loop`;
  const name = `HTTP, concurrency ${concurrency.toLocaleString("en")}`;
  return [
    {
      name,
      retort: perSecond(rows, ours.map(({ elapsedMs }) => elapsedMs)),
      baseline,
      ratios: runPhase,
      target: atLeast(median(runPhase), 0.85),
    },
    {
      name: `${name}: whole call`,
      retort: perSecond(rows, ours.map(({ wholeMs }) => wholeMs)),
      baseline,
      ratios: whole,
    },
  ];
}

function perSecond(rows: number, elapsedMs: readonly number[]): string {
  return `${formatNumber(rows / median(elapsedMs) * 1000)} rows/s`;
}

const PEERS: readonly [name: string, script: string][] = [
  ["bare undici loop, no retries, written at the end", "undici"],
  ["openai with p-limit and appendFile", "openai"],
  ["AI SDK with p-limit and appendFile", "ai_sdk"],
];

export async function peers(bench: Bench): Promise<Figure[]> {
  await using server = await startZeroServer();
  const figures: Figure[] = [];
  for (const [concurrency, quick, full] of [[64, 5_000, 5_000], [1_000, 10_000, 50_000]]) {
    const rows = bench.rows(quick, full);
    const input = `${bench.dir}/peers.jsonl`, output = `${bench.dir}/peers_out.jsonl`;
    await writeRows(input, rows);
    const job = { input, output, concurrency, baseUrl: server.baseUrl };
    for (const [, script] of PEERS) await peerMs(script, job);
    await retortMs(job);
    const ours: number[] = [], theirs = PEERS.map((): number[] => []);
    for (let round = 0; round < bench.rounds(3); round++) {
      ours.push(await retortMs(job));
      for (const [i, [, script]] of PEERS.entries()) theirs[i].push(await peerMs(script, job));
    }
    figures.push(...PEERS.map(([name], i): Figure => ({
      name: `peers, ${rows.toLocaleString("en")} rows at ${concurrency.toLocaleString("en")}`,
      retort: `${formatNumber(median(ours) / 1_000)} s`,
      baseline: `${formatNumber(median(theirs[i]) / 1_000)} s, ${name}`,
      ratios: ours.map((ms, round) => theirs[i][round] / ms),
      note: i > 0
        ? undefined
        : "whole processes, start included; the ratio is the peer's time divided by Retort's",
    })));
  }
  return figures;
}

interface Job {
  readonly input: string;
  readonly output: string;
  readonly concurrency: number;
  readonly baseUrl: string;
}

async function peerMs(
  script: string,
  { input, output, concurrency, baseUrl }: Job,
): Promise<number> {
  const folder = new URL("./peers/", import.meta.url);
  return await elapsedMs(output, [
    ...["run", "--quiet", "--allow-all", "--config", new URL("deno.json", folder).pathname],
    ...[new URL(`${script}.js`, folder).pathname, input, output, baseUrl, String(concurrency)],
  ]);
}

async function retortMs({ input, output, concurrency, baseUrl }: Job): Promise<number> {
  const main = new URL("../cli.ts", import.meta.url).pathname;
  return await elapsedMs(output, [
    ...[
      "run",
      "--quiet",
      LAZY_IMPORTS,
      "--allow-all",
      main,
      input,
      "-o",
      output,
      "-m",
      "bench",
      "--quiet",
    ],
    ...["--base-url", baseUrl, "-c", String(concurrency), "--no-resume", "--overwrite"],
  ]);
}

/** A flag of the task `distill`. The task's memory flags are left out, because peers have none. */
const LAZY_IMPORTS = "--unstable-lazy-dynamic-imports";

async function elapsedMs(output: string, args: string[]): Promise<number> {
  await Deno.remove(output).catch(() => {});
  const started = performance.now();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot measure: ${new TextDecoder().decode(stderr)}`);
  return performance.now() - started;
}
