/**
 * Measures Retort with teachers that have a rate limit, fail or queue requests, with two teachers
 * that share rows and, in simulated time, with teachers that join and leave. Retort and the
 * baseline run at the same time, because both mostly sleep.
 *
 * @module
 */

import type { JoiningScene } from "../tests/engine/joining_scene.ts";
import {
  atLeast,
  atMost,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import { inChild } from "./processes.ts";
import { writeRows } from "./rows.ts";
import { type BusyServer, type Ledger, startBusyServer } from "./servers.ts";

const LATENCY_MS = 50;
const LOOPS = "loops that wait between retries as the OpenAI SDK does";

interface Measurement {
  /** Elapsed time divided by the ideal time. */
  readonly timesIdeal: number;
  readonly elapsedMs: number;
  readonly ledger: Ledger;
}

export async function rateLimited(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(800, 1_500);
  const perSecond = 100, burst = 10, concurrency = 200;
  const idealMs = 1_000 * Math.max(0, rows - burst) / perSecond + LATENCY_MS;
  const { ours, theirs } = await compareWithLoops(bench, {
    server: { latencyMs: LATENCY_MS, perSecond, burst },
    rows,
    loopRows: rows,
    concurrency,
    idealMs: () => idealMs,
  });
  const name = `${perSecond} requests/s accepted, ${concurrency} at once`;
  const ourShares = ours.map(rateLimitedShare), theirShares = theirs.map(rateLimitedShare);
  return [
    timeFigure(name, ours, theirs, 1.3),
    {
      name: `${name}: 429s`,
      retort: `${formatNumber(100 * median(ourShares))} % of ${posts(ours)} posts`,
      baseline: `${formatNumber(100 * median(theirShares))} % of ${posts(theirs)}, ${LOOPS}`,
      ratios: ratiosOf(ourShares, theirShares),
      target: atMost(100 * median(ourShares), 10, " %"),
    },
  ];
}

export async function failingOnce(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(1_600, 10_000);
  const failing = 0.4, concurrency = 20;
  const { ours, theirs } = await compareWithLoops(bench, {
    server: { latencyMs: LATENCY_MS, failing },
    rows,
    // The loops take four times as long per row, so they get fewer rows.
    loopRows: Math.ceil(rows / 4),
    concurrency,
    idealMs: (ledger) => ledger.posts * LATENCY_MS / concurrency,
  });
  return [timeFigure(`${100 * failing} % fail once, ${concurrency} at once`, ours, theirs, 1.25)];
}

export async function queueing(bench: Bench): Promise<Figure[]> {
  const slots = 128, latencyMs = 200;
  const concurrencies = bench.full ? [32, 64, 128, 256, 512, 1_024] : [32, 64, 128, 256];
  // Here, `bench.rows` scales seconds.
  const warmUpS = bench.rows(10, 60), measureS = bench.rows(3, 30);
  const maxPerS = 1_000 * slots / latencyMs;
  const input = `${bench.dir}/queueing.jsonl`;
  await writeRows(input, Math.ceil(1.2 * maxPerS * (warmUpS + measureS)));
  const auto: number[] = [], best: number[] = [], notes: string[] = [];
  for (let round = 0; round < bench.rounds(1); round++) {
    await using server = await startBusyServer({ latencyMs, spread: 0.5, slots });
    const files = { input, output: `${bench.dir}/queueing_${round}_` };
    const [[autoRun], fixedRuns] = await Promise.all([
      inChild("goodputs", {
        ...files,
        concurrencies: ["auto"],
        carefulStart: true,
        baseUrl: server.baseUrl("auto"),
        warmUpS,
        measureS,
      }),
      inChild("goodputs", {
        ...files,
        concurrencies,
        carefulStart: false,
        baseUrl: server.baseUrl("fixed"),
        warmUpS: 1,
        measureS: Math.max(1, measureS / 2),
      }),
    ]);
    auto.push(autoRun.tokensPerS);
    best.push(Math.max(...fixedRuns.map(({ tokensPerS }) => tokensPerS)));
    const speeds = fixedRuns.map(({ concurrency, tokensPerS }) =>
      `${concurrency}: ${formatNumber(tokensPerS)}`
    );
    notes.push(`"auto" ended at ${autoRun.limit}; tokens/s at fixed ${speeds.join(", ")}`);
  }
  const rounds = { ours: auto, theirs: best };
  return [comparison(`queue behind ${slots} slots, concurrency "auto"`, rounds, {
    unit: "tokens/s",
    baseline: ", the best fixed concurrency",
    atLeast: 0.75,
    note: `${measureS} s, after ${warmUpS} s; ${notes.join("; ")}`,
  })];
}

export async function weighted(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(1_200, 20_000);
  const weight = 3, concurrency = 40, tolerance = 0.1;
  const input = `${bench.dir}/weighted.jsonl`;
  await writeRows(input, rows);
  const shares: number[] = [];
  for (let round = 0; round < bench.rounds(1); round++) {
    await using server = await startBusyServer({ latencyMs: LATENCY_MS });
    const teachers = [
      { baseUrl: server.baseUrl("more"), weight },
      { baseUrl: server.baseUrl("less"), weight: 1 },
    ];
    const output = `${bench.dir}/weighted_${round}.jsonl`;
    await inChild("runToEnd", { input, output, concurrency, teachers });
    const { more, less } = await server.end();
    shares.push(more.posts / less.posts);
  }
  const ratios = shares.map((share) => share / weight);
  return [{
    name: `two teachers, weights ${weight} : 1`,
    retort: `${formatNumber(median(shares))} : 1 of the posts`,
    baseline: `${weight} : 1`,
    ratios,
    target: { text: `1 ± ${tolerance}`, isMet: Math.abs(median(ratios) - 1) <= tolerance },
  }];
}

interface Comparison {
  readonly server: Parameters<typeof startBusyServer>[0];
  readonly rows: number;
  readonly loopRows: number;
  readonly concurrency: number;
  readonly idealMs: (ledger: Ledger) => number;
}

async function compareWithLoops(
  bench: Bench,
  { server: options, rows, loopRows, concurrency, idealMs }: Comparison,
): Promise<{ ours: Measurement[]; theirs: Measurement[] }> {
  const input = `${bench.dir}/overload.jsonl`;
  await writeRows(input, rows);
  const ours: Measurement[] = [], theirs: Measurement[] = [];
  const measurementOf = (elapsedMs: number, ledger: Ledger) => (
    { timesIdeal: elapsedMs / idealMs(ledger), elapsedMs, ledger }
  );
  for (let round = 0; round < bench.rounds(1); round++) {
    const servers: BusyServer[] = [];
    await using stack = new AsyncDisposableStack();
    for (let i = 0; i < 2; i++) servers.push(stack.use(await startBusyServer(options)));
    const [us, them] = servers;
    const output = `${bench.dir}/overload_${rows}_${concurrency}_${round}.jsonl`;
    const [ourMs, theirMs] = await Promise.all([
      inChild("runToEnd", {
        input,
        output,
        concurrency,
        teachers: [{ baseUrl: us.baseUrl("us") }],
      }),
      inChild("sleepingLoops", { rows: loopRows, concurrency, baseUrl: them.baseUrl("them") }),
    ]);
    ours.push(measurementOf(ourMs, (await us.end()).us));
    theirs.push(measurementOf(theirMs, (await them.end()).them));
  }
  return { ours, theirs };
}

function timeFigure(
  name: string,
  ours: readonly Measurement[],
  theirs: readonly Measurement[],
  limit: number,
): Figure {
  const us = ours.map(({ timesIdeal }) => timesIdeal);
  const them = theirs.map(({ timesIdeal }) => timesIdeal);
  const elapsedS = median(ours.map(({ elapsedMs }) => elapsedMs)) / 1_000;
  return {
    name: `${name}: time`,
    retort: `${formatNumber(median(us))} × ideal (${elapsedS.toFixed(2)} s)`,
    baseline: `${formatNumber(median(them))} × ideal, ${LOOPS}`,
    ratios: ratiosOf(us, them),
    target: atMost(median(us), limit, " × ideal"),
  };
}

function rateLimitedShare({ ledger }: Measurement): number {
  return ledger.rateLimited / ledger.posts;
}

function posts(measurements: readonly Measurement[]): string {
  return median(measurements.map(({ ledger }) => ledger.posts)).toLocaleString("en");
}

const SCENE: JoiningScene = {
  teachers: 64,
  change: 16,
  concurrency: 16_000,
  latencyMs: 20_000,
  halfMs: 60_000,
};

/**
 * Measures the share of busy lanes and, a minute after teachers joined, how close each new teacher
 * is to its fair share of the calls in flight.
 */
export async function teachersThatJoin(_bench: Bench): Promise<Figure[]> {
  const { result, cpuSeconds, rssBytes } = await inChild("joiningTeachers", SCENE);
  const { busy, shares, failed, repeated, late, answered, simulatedMs } = result;
  if (failed + repeated + late > 0) {
    throw new Error(
      `${failed} rows failed, ${repeated} were sent twice, ${late} were sent to teachers that left`,
    );
  }
  const worstDeviation = Math.max(...shares.map((share) => Math.abs(share - 1)));
  const closeness = 1 - worstDeviation;
  const name = `${SCENE.teachers} teachers, ${SCENE.change} leave and join`;
  const simulatedSeconds = simulatedMs / 1_000;
  return [{
    name: `${name}: lanes busy`,
    retort: `${formatNumber(100 * busy)} %`,
    baseline: "100 %, all lanes",
    ratios: [busy],
    target: atLeast(100 * busy, 98, " %"),
    note: `${answered.toLocaleString("en")} answers in ${simulatedSeconds} s of simulated time: ` +
      `${formatNumber(cpuSeconds)} s of CPU (${
        formatNumber(100 * cpuSeconds / simulatedSeconds)
      } % ` +
      `of a core, the simulation included), ${
        formatNumber(rssBytes / 1e6)
      } MB; 0 rows failed, and ` +
      "0 were sent twice",
  }, {
    name: `${name}: fair share`,
    retort: `${formatNumber(100 * closeness)} %`,
    baseline: "100 %, their fair share",
    ratios: [closeness],
    target: atLeast(100 * closeness, 90, " %"),
    note: "calls in flight a minute after joining, at the new teacher farthest from its fair share",
  }];
}
