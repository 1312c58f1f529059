/**
 * `deno task bench`: what Retort costs, compared with the simplest code for the same job. @module
 */

import { parseArgs } from "node:util";
import { engineAlone, schedulerTurns } from "./engine.ts";
import { readFormats, runFormats, tableThroughput } from "./formats.ts";
import { httpRows, peers } from "./http.ts";
import { type Bench, type Figure, type Measure, renderTable } from "./measure.ts";
import { failingOnce, queueing, rateLimited, teachersThatJoin, weighted } from "./overload.ts";
import { modelcallScenario, progressOnOff, progressPerRow } from "./modelcall.ts";
import { monitorCosts, monitorFolder, monitorFrames, monitorSpeed } from "./monitor.ts";
import { cpuAndMemoryByRow, cpuByConcurrency, resumeIndex } from "./scale.ts";
import { shardCosts } from "./shards.ts";
import { viewRows } from "./view.ts";

const MEASURES: readonly Measure[] = [
  { name: "ModelCall scenario", run: modelcallScenario },
  { name: "progress per row", run: progressPerRow },
  { name: "scheduler turns", run: schedulerTurns },
  { name: "HTTP", run: httpRows },
  { name: "peers", run: peers },
  { name: "shards and merge", run: shardCosts },
  { name: "engine alone", run: engineAlone },
  { name: "CPU by concurrency", run: cpuByConcurrency },
  { name: "CPU and memory by row", run: cpuAndMemoryByRow },
  { name: "resume index", run: resumeIndex },
  { name: "reading formats", run: readFormats },
  { name: "runs over formats", run: runFormats },
  { name: "convert and export", run: tableThroughput },
  { name: "progress on and off", run: progressOnOff },
  { name: "monitor: speed", run: monitorSpeed },
  { name: "monitor: costs", run: monitorCosts },
  { name: "monitor: frames", run: monitorFrames },
  { name: "monitor: folder", run: monitorFolder },
  { name: "overload: rate", run: rateLimited },
  { name: "overload: faults", run: failingOnce },
  { name: "overload: queue", run: queueing },
  { name: "overload: weights", run: weighted },
  { name: "pool: teachers join and leave", run: teachersThatJoin },
  { name: "view", run: viewRows },
];

const HELP = `deno task bench [--full] [--only NAME] [--json] [--rounds N] [--scale F]

  --full        full-size scenarios: up to 2,000,000 rows, 10,000 for ModelCall (about 25 minutes)
  --only NAME   only measures whose name contains NAME, in upper or lower case
  --json        figures as JSON, with the ratio of each round
  --rounds N    number of rounds of each measure (default: its own)
  --scale F     multiply the number of rows by F

Measures: ${MEASURES.map(({ name }) => name).join(", ")}`;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      full: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      rounds: { type: "string" },
      scale: { type: "string", default: "1" },
    },
  });
  if (values.help) return console.log(HELP);
  const measures = MEASURES.filter(({ name }) => containsIgnoringCase(name, values.only));
  if (measures.length === 0) {
    throw new RangeError(
      `Cannot measure "${values.only}": no measure has a name with this text\n\n${HELP}`,
    );
  }
  const figures = await runMeasures(measures, benchOf(values));
  console.log(values.json ? JSON.stringify(figures, null, 2) : renderTable(figures));
}

function containsIgnoringCase(name: string, part: string): boolean {
  return name.toLowerCase().includes(part.toLowerCase());
}

function benchOf(
  { full, scale, rounds }: { full: boolean; scale: string; rounds?: string },
): Omit<Bench, "dir"> {
  const factor = numberOf("--scale", scale);
  const fixedRounds = rounds === undefined ? undefined : Math.ceil(numberOf("--rounds", rounds));
  return {
    full,
    rows: (quickRows, fullRows) => Math.max(1, Math.round((full ? fullRows : quickRows) * factor)),
    rounds: (defaultRounds) => fixedRounds ?? defaultRounds,
  };
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) {
    throw new RangeError(`Cannot use ${flag} ${text}: it must be a number above 0`);
  }
  return value;
}

async function runMeasures(
  measures: readonly Measure[],
  bench: Omit<Bench, "dir">,
): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "retort_bench_" });
  const removeAndExit = () => {
    Deno.removeSync(dir, { recursive: true });
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", removeAndExit);
  const figures: Figure[] = [];
  try {
    for (const measure of measures) {
      console.error(`Measuring: ${measure.name}`);
      figures.push(...await measure.run({ ...bench, dir }));
    }
  } finally {
    Deno.removeSignalListener("SIGINT", removeAndExit);
    await Deno.remove(dir, { recursive: true });
  }
  return figures;
}

if (import.meta.main) await main(Deno.args);
