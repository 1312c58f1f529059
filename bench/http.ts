/**
 * Measures rows per second over HTTP, with a teacher without latency. The baselines are a bare loop
 * and peers: libraries that a TypeScript user would choose, run as processes. Peers have their own
 * `bench/peers/deno.json`, so that users of Retort do not download them.
 *
 * @module
 */

import {
  alternate,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  median,
  perSecond,
} from "./measure.ts";
import { denoRun, inChild } from "./processes.ts";
import { writeRows } from "./rows.ts";
import { startZeroServer } from "./servers.ts";

/** Compares Retort with a bare `undici` loop that, unlike Retort, writes nothing. */
export async function httpRows(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(30_000, 200_000);
  const input = `${bench.dir}/http.jsonl`, output = `${bench.dir}/http_out.jsonl`;
  await writeRows(input, rows);
  await using server = await startZeroServer();
  const { baseUrl } = server;
  // A warm-up, so that the server compiles its code before it is measured.
  await inChild("undiciLoop", { rows: Math.min(rows, 5_000), concurrency: 64, baseUrl });
  const figures: Figure[] = [];
  for (const concurrency of [64, 1_000]) {
    const { ours, theirs } = await alternate(
      bench.rounds(3),
      () => inChild("job", { input, output, concurrency, teacher: { baseUrl } }),
      () => inChild("undiciLoop", { rows, concurrency, baseUrl }),
    );
    const rates = (time: "elapsedMs" | "wholeMs") => ({
      ours: perSecond(rows, ours.map((report) => report[time])),
      theirs: perSecond(rows, theirs),
    });
    const name = `HTTP, concurrency ${concurrency.toLocaleString("en")}`;
    const options = { unit: "rows/s", baseline: ", bare undici loop" };
    figures.push(
      comparison(name, rates("elapsedMs"), { ...options, atLeast: 0.85 }),
      comparison(`${name}: whole call`, rates("wholeMs"), options),
    );
  }
  return figures;
}

const PEERS: readonly [name: string, script: string][] = [
  ["bare undici loop, no retries, answers written at the end", "undici"],
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
    // A warm-up, which is not measured.
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
    ...["--allow-all", "--config", new URL("deno.json", folder).pathname],
    ...[new URL(`${script}.js`, folder).pathname, input, output, baseUrl, String(concurrency)],
  ]);
}

async function retortMs({ input, output, concurrency, baseUrl }: Job): Promise<number> {
  const main = new URL("../cli.ts", import.meta.url).pathname;
  return await elapsedMs(output, [
    ...[LAZY_IMPORTS, "--allow-all", main, input, "-o", output, "-m", "bench", "--quiet"],
    ...["--base-url", baseUrl, "-c", String(concurrency), "--no-resume", "--overwrite"],
  ]);
}

/** A flag of the task `distill`. The task's memory flags are left out, because peers have none. */
const LAZY_IMPORTS = "--unstable-lazy-dynamic-imports";

async function elapsedMs(output: string, args: string[]): Promise<number> {
  await Deno.remove(output).catch(() => {});
  return (await denoRun(args)).elapsedMs;
}
