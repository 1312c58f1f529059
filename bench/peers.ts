/**
 * The alternatives of a TypeScript user, as whole processes with the same server and rows. Their
 * packages have a separate `deno.json` and lock file (`bench/peers/`), so that users of Retort do
 * not download them.
 *
 * @module
 */

import { type Bench, type Figure, formatNumber, median } from "./measure.ts";
import { writeRows } from "./rows.ts";
import { startZeroServer } from "./zero_server.ts";

const PEERS: readonly [name: string, script: string][] = [
  ["bare undici loop, no retries, written at the end", "undici"],
  ["openai with p-limit and appendFile", "openai"],
  ["AI SDK with p-limit and appendFile", "ai_sdk"],
];

/** Measures whole processes, from start to end. */
export async function peers(bench: Bench): Promise<Figure[]> {
  await using server = await startZeroServer();
  const figures: Figure[] = [];
  for (const [concurrency, scaled, whole] of [[64, 5_000, 5_000], [1_000, 10_000, 50_000]]) {
    const rows = bench.rows(scaled, whole);
    const input = `${bench.dir}/peers.jsonl`, output = `${bench.dir}/peers_out.jsonl`;
    await writeRows(input, rows);
    const job = { input, output, concurrency, baseUrl: server.baseUrl };
    // First runs, which compile and cache code, do not count.
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
    ...["run", "--quiet", LAZY, "--allow-all", main, input, "-o", output, "-m", "bench", "--quiet"],
    ...["--base-url", baseUrl, "-c", String(concurrency), "--no-resume", "--overwrite"],
  ]);
}

/** A flag of the task `distill`. The task's memory limits are left out, because peers have none. */
const LAZY = "--unstable-lazy-dynamic-imports";

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
