/**
 * `deno task soak`: the long fault trials. Prints a table of figures, and ends with 1 where a
 * promise was broken; the seed that it names repeats the trial.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { cutTrial } from "./cuts.ts";
import { fullDiskTrial } from "./disk.ts";
import { flakyRun, manyRows } from "./endurance.ts";
import { inputTrials } from "./inputs.ts";
import { KILL_SCENARIOS, type KillFigures, killTrial } from "./kills.ts";
import { type LedgerTeacher, startTeacher } from "./ledger.ts";
import { NETWORK_MODES, networkTrial } from "./network.ts";
import { pythonReaders } from "./python.ts";

const HELP = `deno task soak [--only PHASE] [--kills N] [--seed N] …

  --only PHASE   kills, disk, cuts, network, inputs, rows or flaky (default: all but the last two)
  --scenario S   kills: only scenarios whose name begins with this
  --kills N      kills in all (default 1000)
  --minutes N    start no further trial of kills after this time
  --jobs N       trials of kills at once (default 2)
  --disks N      trials on a full disk (default 10); they need root
  --inputs N     inputs that are tried (default 1000)
  --rows N       rows of the phase "rows" (default 10000000)
  --duration S   seconds of the phase "flaky" (default 7200)
  --seed N       where random numbers start (default 1)`;

const OPTIONS = {
  only: { type: "string", default: "" },
  scenario: { type: "string", default: "" },
  kills: { type: "string", default: "1000" },
  minutes: { type: "string", default: "Infinity" },
  jobs: { type: "string", default: "2" },
  disks: { type: "string", default: "10" },
  inputs: { type: "string", default: "1000" },
  rows: { type: "string", default: "10000000" },
  duration: { type: "string", default: "7200" },
  seed: { type: "string", default: "1" },
  help: { type: "boolean", default: false },
} as const;

/** The options of the phases. */
interface SoakOptions {
  readonly scenario: string;
  readonly kills: number;
  readonly minutes: number;
  readonly jobs: number;
  readonly disks: number;
  readonly inputs: number;
  readonly rows: number;
  readonly duration: number;
  readonly seed: number;
}

let broken = 0;

/** Runs one trial; a promise that is broken is printed with what repeats it. */
async function attempt<T>(
  name: string,
  repeat: string,
  trial: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await trial();
  } catch (error) {
    broken++;
    console.log(`BROKEN: ${name}\n${(error as Error).message}\nAgain: deno task soak ${repeat}`);
  }
}

const KILLS_PER_TRIAL = 8;

async function kills(options: SoakOptions): Promise<void> {
  await using teacher = await startTeacher();
  const scenarios = KILL_SCENARIOS.filter(({ name }) => name.startsWith(options.scenario));
  const sums = new Map<string, KillFigures & { trials: number }>();
  const end = performance.now() + options.minutes * 60_000;
  let next = 0, kills = 0;
  const job = async () => {
    while (kills < options.kills && performance.now() < end) {
      const trial = next++, scenario = scenarios[trial % scenarios.length];
      const seed = options.seed + Math.floor(trial / scenarios.length);
      const repeat = `--only kills --scenario "${scenario.name}" --jobs 1 --kills 1 --seed ${seed}`;
      const figures = await attempt(scenario.name, repeat, () => one(teacher, scenario, seed));
      kills += figures?.kills ?? 0;
      if (figures !== undefined) add(sums, scenario.name, figures);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, job));
  console.log(
    "| killed while | trials | kills | before the first POST | POSTs | results | lost in flight |",
  );
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const [name, f] of [...sums, ["all", sumOf([...sums.values()])] as const]) {
    const cells = [name, f.trials, f.kills, f.early, f.posts, f.results, f.inFlightLost];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

function one(teacher: LedgerTeacher, scenario: typeof KILL_SCENARIOS[number], seed: number) {
  return killTrial(teacher, scenario, { kills: KILLS_PER_TRIAL, seed });
}

type Sums = KillFigures & { trials: number };

function add(sums: Map<string, Sums>, name: string, figures: KillFigures): void {
  const sum = sums.get(name);
  sums.set(name, sumOf([...sum === undefined ? [] : [sum], { ...figures, trials: 1 }]));
}

function sumOf(all: readonly Sums[]): Sums {
  const sum = { trials: 0, kills: 0, early: 0, results: 0, inFlightLost: 0, posts: 0 };
  for (const one of all) {
    for (const name of Object.keys(sum) as (keyof Sums)[]) sum[name] += one[name];
  }
  return sum;
}

async function disk({ disks, seed }: SoakOptions): Promise<void> {
  await using teacher = await startTeacher();
  let trials = 0, lost = 0;
  for (let i = 0; i < disks; i++) {
    const repeat = `--only disk --disks 1 --seed ${seed + i}`;
    const figures = await attempt("full disk", repeat, () => fullDiskTrial(teacher, seed + i));
    if (figures === undefined) continue;
    if (figures === "skipped") return console.log("Full disk: skipped, a small disk needs root");
    trials++;
    lost += figures.inFlightLost;
  }
  console.log(`Full disk: ${trials} runs killed on a full disk, ${lost} answers lost in flight`);
}

async function cuts(): Promise<void> {
  const count = await attempt("cuts", "--only cuts", () => cutTrial(1));
  console.log(`Cuts: ${count ?? 0} bytes of the last three records`);
}

async function network(): Promise<void> {
  let held = 0;
  for (const mode of NETWORK_MODES) {
    const name = `${mode.name}, ${mode.stream ? "streamed" : "plain"}, ${mode.on} connections`;
    if (await attempt(name, "--only network", () => networkTrial(mode).then(() => true))) held++;
  }
  console.log(`Network: ${held} of ${NETWORK_MODES.length} modes hold`);
}

async function inputs({ inputs, seed }: SoakOptions): Promise<void> {
  const repeat = `--only inputs --inputs ${inputs} --seed ${seed}`;
  const held = await attempt("inputs", repeat, () => inputTrials(inputs, seed).then(() => inputs));
  console.log(`Inputs: ${held ?? 0} files of random rows`);
}

async function rows({ rows }: SoakOptions): Promise<void> {
  const figures = await attempt("rows", `--only rows --rows ${rows}`, () => manyRows(rows));
  console.log(`Rows: ${JSON.stringify(figures)}`);
}

async function flaky({ duration, seed }: SoakOptions): Promise<void> {
  const repeat = `--only flaky --duration ${duration} --seed ${seed}`;
  const figures = await attempt("flaky", repeat, () => flakyRun(duration, seed));
  console.log(`Flaky: ${JSON.stringify(figures)}`);
}

const PHASES: Readonly<Record<string, (options: SoakOptions) => Promise<void>>> = {
  kills,
  disk,
  cuts,
  network,
  inputs,
  rows,
  flaky,
};
/** They take hours, so they run only when they are named. */
const LONG = ["rows", "flaky"];

/** Runs the phases. Returns the exit code. */
async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  if (values.help) return console.log(HELP), 0;
  const { only, scenario, help: _, ...numbers } = values;
  const names = Object.keys(PHASES).filter((name) =>
    only === "" ? !LONG.includes(name) : name === only
  );
  if (names.length === 0) return console.error(`Cannot run the phase "${only}"\n\n${HELP}`), 2;
  const options = {
    scenario,
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value)])),
  } as unknown as SoakOptions;
  const { python, pyarrow } = await pythonReaders();
  console.log(
    `Seed ${options.seed}; lines are read by Deno${python ? ", Python" : ""}${
      pyarrow ? ", pyarrow" : ""
    }`,
  );
  if (!pyarrow) console.log(`${python ? "pyarrow" : "Python"} is not there: skipped`);
  for (const name of names) await PHASES[name](options);
  console.log(broken === 0 ? "Every promise held" : `${broken} trials broke a promise`);
  return broken === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
