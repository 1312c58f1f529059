/**
 * Kills runs (SIGKILL) in every phase and with every option that sends a row more than
 * once, and then lets them finish.
 *
 * @module
 */

import { seededRandom } from "../e2e/fixture.ts";
import { type CliProcess, startCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { Checker, type RunEnd } from "./checker.ts";
import type { LedgerTeacher, TrialTeacher } from "./ledger.ts";
import type { TeacherScript } from "./teacher.ts";
import { delay, within } from "./time.ts";

/** The options of a trial. */
export interface KillScenario {
  /** The phase or option. */
  readonly name: string;
  /** Flags of every run, or of each by its number; the last has `Infinity`. @default [] */
  readonly flags?: readonly string[] | ((run: number) => readonly string[]);
  /** The teacher's script while runs are killed. @default it answers after 0 to 8 ms */
  readonly script?: TeacherScript;
  /** @default 120 */
  readonly rows?: number;
  /** Whether it is killed before it sends, after some POSTs, or as it ends. @default "sending" */
  readonly moment?: "starting" | "sending" | "ending";
  /** Called before each run that is killed, but the first. @default nothing */
  readonly before?: (dir: TempDir, run: number, rows: number) => Promise<unknown>;
  /** Answers for each row at the end. @default 1 */
  readonly samples?: number;
  /** Whether the runs retry failed rows. @default false */
  readonly isRetry?: boolean;
}

/** The result of a trial. */
export interface KillFigures {
  /** Runs that were killed. */
  kills: number;
  /** Of them, those that were killed before their first POST. */
  early: number;
  /** Results at the end. */
  results: number;
  /** Paid answers that were lost because they were in flight. */
  inFlightLost: number;
  /** POSTs, all runs together. */
  posts: number;
}

const CONCURRENCY = 8;
/** The time after which a run counts as hanging. */
const HANG_MS = 120_000;

/** A run sends its first POST within this time on a machine that is not busy. */
const STARTING_MS = 700;

const RESAMPLE = ["--reject-pattern", "^I cannot", "--resample", "3"];
const ESCALATE = ["--max-tokens", "100", "--on-truncated", "escalate"];

/** The phases and options of a run. */
export const KILL_SCENARIOS: readonly KillScenario[] = [
  { name: "preflight", rows: 3_000, moment: "starting" },
  { name: "index", rows: 150, script: { bytes: 20_000 }, moment: "starting", flags: fewRows },
  { name: "running" },
  { name: "running, faults", script: { faults: 0.2 } },
  { name: "running, long answers", script: { bytes: 30_000 } },
  { name: "resample", flags: RESAMPLE, script: { rejected: 2 } },
  { name: "escalate", flags: ESCALATE, script: { wholeFrom: 400 } },
  {
    name: "resample and escalate, faults",
    flags: [...RESAMPLE, ...ESCALATE],
    script: { rejected: 2, wholeFrom: 200, faults: 0.1 },
  },
  {
    name: "samples growing",
    rows: 60,
    samples: 4,
    flags: (run) => ["--samples", String(Math.min(4, 1 + Math.floor(run / 2)))],
  },
  { name: "reask", flags: ["--changed", "reask"], before: editSome },
  { name: "reask, starting", flags: ["--changed", "reask"], moment: "starting", before: editSome },
  { name: "retry", script: { refused: 0.2 }, flags: retrySome, isRetry: true, rows: 300 },
  {
    name: "tidy",
    flags: RESAMPLE,
    script: { rejected: 2, bytes: 4_000 },
    moment: "ending",
    before: addSome,
    rows: 40,
  },
];

/** The first runs get only part of the rows, so that there is more to read at each start. */
function fewRows(run: number): string[] {
  return run === Infinity ? [] : ["--limit", String(30 * (run + 1))];
}

/** Retries failed rows in every second run, and in the last one. */
function retrySome(run: number): string[] {
  return run === Infinity || run % 2 === 1 ? ["--retry"] : [];
}

/** Edits five prompts. */
async function editSome(dir: TempDir, run: number, rows: number): Promise<void> {
  const input = await dir.rows("in.jsonl");
  const isEdited = (i: number) => i % 24 === run % 24;
  const prompts = input.map(({ prompt }, i) => isEdited(i) ? `edit ${run} of ${i}` : prompt);
  await dir.write("in.jsonl", rowsOf(rows, (i) => prompts[i]));
}

/** Adds rows, so that each run has something to do and a failures file to tidy. */
async function addSome(dir: TempDir, run: number, rows: number): Promise<void> {
  await dir.write("in.jsonl", rowsOf(rows * (run + 1)));
}

function rowsOf(count: number, prompt = (i: number) => `prompt ${i}`) {
  return Array.from({ length: count }, (_, i) => ({ id: `row-${i}`, prompt: prompt(i) }));
}

/**
 * Kills one run after the other over the same files, checks everything after each, and then lets
 * the last one finish.
 *
 * @throws {Error} with each broken promise
 */
export async function killTrial(
  teacher: LedgerTeacher,
  scenario: KillScenario,
  options: { kills: number; seed: number },
): Promise<KillFigures> {
  await using trial = await KillTrial.start(teacher, scenario, options.seed);
  for (let run = 0; run < options.kills; run++) await trial.killed(run);
  await trial.finished();
  return trial.figures;
}

class KillTrial implements AsyncDisposable {
  readonly figures: KillFigures = {
    kills: 0,
    early: 0,
    results: 0,
    inFlightLost: 0,
    posts: 0,
  };
  readonly #dir: TempDir;
  readonly #teacher: TrialTeacher;
  readonly #checker: Checker;
  readonly #scenario: KillScenario;
  readonly #random: () => number;
  readonly #rows: number;

  private constructor(
    dir: TempDir,
    teacher: TrialTeacher,
    scenario: KillScenario,
    random: () => number,
  ) {
    this.#dir = dir;
    this.#teacher = teacher;
    this.#scenario = scenario;
    this.#random = random;
    this.#rows = scenario.rows ?? 120;
    this.#checker = new Checker(dir, teacher);
  }

  static async start(teacher: LedgerTeacher, scenario: KillScenario, seed: number) {
    const dir = await tempDir();
    await Deno.mkdir(dir.path("out"));
    await dir.write("in.jsonl", rowsOf(scenario.rows ?? 120));
    const script = { delayMs: [0, 8] as const, seed, ...scenario.script };
    return new KillTrial(dir, await teacher.trial(script), scenario, seededRandom(seed));
  }

  /** One run that is killed. */
  async killed(run: number): Promise<void> {
    if (run > 0) await this.#scenario.before?.(this.#dir, run, this.#rows);
    const before = this.figures.posts;
    await using child = await this.#start(run);
    // It may have ended before that moment.
    await within(HANG_MS, this.#moment(child, before));
    child.kill("SIGKILL");
    const { signal } = await child.output();
    await this.#check({ kind: signal === "SIGKILL" ? "crash" : "orderly" });
    if (signal !== "SIGKILL") return;
    this.figures.kills++;
    if (this.figures.posts === before) this.figures.early++;
  }

  /** Lets the last runs finish, with a teacher that has recovered. */
  async finished(): Promise<void> {
    const { script, samples, isRetry } = this.#scenario;
    await this.#teacher.follow({ ...script, faults: 0, refused: 0 });
    // A row that was never sent is not a failure: a retry skips it.
    for (const run of isRetry ? [0, Infinity] : [Infinity]) {
      await using child = await this.#start(run);
      const { code, stderr } = await within(HANG_MS, child.output());
      if (code !== 0 && code !== 3) throw new Error(`The last run ended with ${code}:\n${stderr}`);
    }
    await this.#check({ kind: "orderly", isComplete: true, samples });
  }

  async #check(end: RunEnd): Promise<void> {
    const { results, lost } = await this.#checker.check({
      isRetry: this.#scenario.isRetry,
      ...end,
    });
    this.figures.results = results;
    this.figures.inFlightLost += lost;
    this.figures.posts = (await this.#teacher.entries()).length;
  }

  async #start(run: number): Promise<CliProcess> {
    const { flags = [] } = this.#scenario;
    return await startCli([
      ...[this.#dir.path("in.jsonl"), "-o", this.#dir.path("out/"), "-m", "test-model"],
      ...["--base-url", this.#teacher.url, "--progress", "none", "-p", "seed=0"],
      ...["-c", String(CONCURRENCY), "--no-careful-start"],
      ...typeof flags === "function" ? flags(run) : flags,
    ]);
  }

  /** Waits for the moment to kill a run. */
  async #moment(child: CliProcess, before: number): Promise<void> {
    const { moment = "sending" } = this.#scenario;
    if (moment === "starting") return await delay(this.#random() * STARTING_MS);
    const isEnding = moment === "ending";
    const posts = isEnding ? 2 * this.#rows : 1 + Math.floor(this.#random() * 40);
    using over = new Over(child);
    await this.#teacher.untilPosts(before + posts, over.signal);
    await delay(this.#random() * (isEnding ? 60 : 10));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** Whether a process has ended. */
class Over implements Disposable {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;

  constructor(child: CliProcess) {
    child.output().then(() => this.#controller.abort());
  }

  [Symbol.dispose](): void {
    this.#controller.abort();
  }
}
