/** `retort submit slurm`: prints the script of a job, or submits it with `sbatch`. @module */

import { basename, dirname, resolve } from "../lib/deps/std_path.ts";
import { SinkError, UsageError } from "../lib/errors.ts";
import { formatCount, formatCountOf } from "../lib/figures.js";
import { exists, namesIn, shardStem } from "../lib/files.ts";
import { printable } from "../lib/printable.ts";
import { readStatus, statusPathOf, writeStatus } from "../lib/run/mod.ts";
import { canceledPathOf } from "../lib/shards/mod.ts";
import {
  MAX_ARRAY_SIZE,
  slurmArrays,
  slurmMerge,
  type SlurmOptions,
  slurmScript,
} from "../lib/submit/mod.ts";
import type { TeacherSpec } from "./config.ts";
import { DEFAULT_KEY_VARIABLE } from "./connection.ts";
import type { Io } from "./io.ts";
import type { RunRequest } from "./request.ts";
import { callTool, queueOf, tryTool } from "./scheduler_tools.ts";
import type { Settings } from "./settings.ts";
import { followUpCommand, logsOf, type PreparedJob } from "./submit_job.ts";

/** Prints the script of the array, or submits all arrays and the merge that depends on them. */
export async function submitToSlurm(job: PreparedJob, settings: Settings, io: Io): Promise<void> {
  refuseLineBreaks([Deno.cwd(), job.stem, job.mergedResults]);
  const logs = resolve(logsOf(job.stem));
  await Deno.mkdir(logs, { recursive: true });
  const options = await slurmOptions(job, logs, settings);
  if (!settings.isOn("send")) return printScript(job, options, io);
  const arrays = slurmArrays(job, await maxArraySize(io));
  await warnOfQueued(job, io);
  await clearFailedStatuses(job);
  const ids: string[] = [];
  let merge: string;
  try {
    for (const array of arrays) {
      const afterIds = array.after === undefined ? [] : [ids[array.after]];
      ids.push(await sbatch(slurmScript(job, array, options), afterIds, io));
    }
    merge = await sbatch(slurmMerge(job, options), ids, io);
  } catch (error) {
    if (ids.length === 0 || !(error instanceof SinkError)) throw error;
    throw new SinkError(
      `${error.message}. Of ${formatCountOf(arrays.length, "array")} and the merge, ${
        ids.join(", ")
      } ${ids.length === 1 ? "is" : "are"} in the queue. To cancel: ${
        followUpCommand(job, "cancel", io)
      }`,
      { path: error.path, cause: error },
    );
  }
  io.writeErr(
    `Submitted ${formatCountOf(job.shards, "shard")} as ${
      arrays.length === 1 ? "array" : "arrays"
    } ${ids.join(", ")}, merge as job ${merge} into ${printable(job.mergedResults)}\n` +
      `To check on it: ${followUpCommand(job, "status", io)}\n`,
  );
}

/** Throws for a line break in a path: the script would run the rest of the path as a command. */
function refuseLineBreaks(paths: readonly string[]): void {
  const path = paths.find((path) => /[\r\n]/.test(path));
  if (path === undefined) return;
  throw new UsageError(
    `Cannot submit ${JSON.stringify(path)}: the paths of a job must not contain line breaks`,
  );
}

/** Warns if an earlier job is in the queue: Slurm, unlike Kubernetes, accepts two with one name. */
async function warnOfQueued(job: PreparedJob, io: Io): Promise<void> {
  const queue = await queueOf([job.name], "%i", io);
  const count = queue.kind === "done" ? queue.text.split("\n").filter(Boolean).length : 0;
  if (count === 0) return;
  io.writeErr(
    `Warning: ${formatCountOf(count, "task")} of an earlier submission ${
      count === 1 ? "is" : "are"
    } still in the queue. No row is sent twice, but a new task occupies a node while an earlier ` +
      `task runs its shard. To keep only one job: ${
        followUpCommand(job, "cancel", io)
      }, then submit again\n`,
  );
}

/** Clears the state of shards that failed to start. Otherwise, `submit status` would report them as
 * failed while the new tasks wait in the queue. */
async function clearFailedStatuses({ stem, shards }: PreparedJob): Promise<void> {
  const pathOf = (index: number) =>
    statusPathOf(`${shardStem(stem, { index, count: shards })}.jsonl`);
  const existing = new Set(await namesIn(dirname(pathOf(0))));
  for (let index = 0; index < shards; index++) {
    const path = pathOf(index);
    if (!existing.has(basename(path))) continue;
    const status = await readStatus(path);
    if (!status?.ended || status.state !== "failed") continue;
    // A status with a cost is kept, because the next run of the shard subtracts that cost from its
    // share of the budget.
    if (status.spent_usd) {
      await writeStatus(path, { ...status, state: "interrupted", reason: null });
    } else await Deno.remove(path).catch(() => {});
  }
}

/** Submits a script that runs after other jobs, however they end. Returns the job ID. */
async function sbatch(script: string, afterIds: readonly string[], io: Io): Promise<string> {
  const dependency = afterIds.length === 0 ? [] : [`--dependency=afterany:${afterIds.join(":")}`];
  const stdout = await callTool("sbatch", ["--parsable", ...dependency], io, script);
  // The output is `123;cluster` if Slurm has several clusters.
  return stdout.trim().split(";")[0];
}

function printScript(job: PreparedJob, options: SlurmOptions, io: Io): void {
  const arrays = slurmArrays(job);
  if (arrays.length > 1) {
    throw new UsageError(
      `Cannot print ${formatCount(job.shards)} shards as one array: by default, Slurm allows ${
        formatCount(MAX_ARRAY_SIZE)
      } ` +
        "tasks. Add --send, which submits several arrays, or use fewer shards",
    );
  }
  io.writeOut(slurmScript(job, arrays[0], options));
  io.writeErr(
    "Pipe this into sbatch --parsable, which prints the ID of the job. Then, for the merge:\n" +
      `sbatch --dependency=afterany:JOB_ID <<'MERGE'\n${slurmMerge(job, options)}MERGE\n`,
  );
}

async function maxArraySize(io: Io): Promise<number | undefined> {
  const config = await tryTool("scontrol", ["show", "config"], io);
  const text = config.kind === "done" ? config.text : "";
  const size = Number(/^MaxArraySize\s*=\s*(\d+)/m.exec(text)?.[1]);
  return Number.isInteger(size) && size > 0 ? size : undefined;
}

async function slurmOptions(
  job: PreparedJob,
  logs: string,
  settings: Settings,
): Promise<SlurmOptions> {
  return {
    program: await programOf(settings) ?? programOnNodes(),
    folder: Deno.cwd(),
    logs,
    canceledFile: resolve(canceledPathOf(job.stem)),
    time: timeLimit(settings, job.leadSeconds),
    partition: directiveValue(settings, "partition"),
    account: directiveValue(settings, "account"),
    memory: directiveValue(settings, "memory"),
    setupLines: settings.list("before"),
  };
}

/** Splits `--program` at spaces, unless the text is the path of a file. */
async function programOf(settings: Settings): Promise<string[] | undefined> {
  const text = settings.text("program")?.trim();
  return text !== undefined && await exists(text) ? [text] : text?.split(/\s+/);
}

/** Reads a flag whose value goes into an `#SBATCH` line: it must be one word. */
function directiveValue(settings: Settings, name: string): string | undefined {
  return settings.parsed(
    name,
    "one word of letters, digits and _.,:+-",
    (text) => /^[\w.,:+-]+$/.exec(text)?.[0],
  );
}

/** Matches Slurm's time limits. A plain number is none: to Slurm it is minutes, here seconds. */
const SLURM_TIME = /^(\d+-\d+(:\d\d){0,2}|\d+(:\d\d){1,2})$/;

/** How many seconds too early Slurm may send the signal: it checks time limits once a minute. */
const SIGNAL_EARLY_S = 60;

function timeLimit(settings: Settings, leadSeconds: number): string | undefined {
  const text = settings.text("time");
  const isSlurmTime = text !== undefined && SLURM_TIME.test(text);
  const ms = isSlurmTime ? undefined : settings.milliseconds("time");
  const seconds = isSlurmTime ? secondsOf(text) : Math.ceil((ms ?? Infinity) / 1_000);
  if (seconds <= leadSeconds + SIGNAL_EARLY_S) {
    throw settings.wrong(
      "time",
      `shards get the signal up to ${leadSeconds + SIGNAL_EARLY_S} s ` +
        `before that limit (--lead and ${SIGNAL_EARLY_S} s), so each would be queued again as soon as ` +
        "it has started. Use a longer --time or a shorter --lead",
    );
  }
  return isSlurmTime || ms === undefined ? text : slurmTime(seconds);
}

/** Returns the seconds of `[hours:]minutes:seconds` or `days-hours[:minutes[:seconds]]`. */
function secondsOf(time: string): number {
  const parts = time.split(/[-:]/).map(Number);
  const hasDays = time.includes("-");
  while (!hasDays && parts.length < 4) parts.unshift(0);
  const [days, hours, minutes = 0, seconds = 0] = parts;
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

function slurmTime(totalSeconds: number): string {
  const twoDigits = (number: number) => String(number).padStart(2, "0");
  const minutes = Math.floor(totalSeconds / 60);
  return [Math.floor(minutes / 60), minutes % 60, totalSeconds % 60].map(twoDigits).join(":");
}

/** Flags that keep the memory of long runs small, as in the task `distill` of `deno.json`. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=3,--heap-growing-percent=45";

/**
 * This function is never called. Its import makes Deno cache the worker, so that `--cached-only`
 * finds it.
 */
export const importSignalWorker = (): Promise<unknown> => import("./signal_worker.ts");

/**
 * Returns the executable, or `deno run` with V8's flags and the permissions of a run. Nodes may be
 * offline, so Deno downloads nothing (`--cached-only`).
 */
function programOnNodes(): string[] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = new URL(Deno.mainModule);
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--cached-only",
    "--no-prompt",
    V8_FLAGS,
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    main.protocol === "file:" ? decodeURIComponent(main.pathname) : main.href,
  ];
}

/** Throws if a teacher needs a variable that no line of `--before` may set: shards on Slurm do
 * not get the variables of this machine. */
export function refuseVariables({ settings, config }: RunRequest, io: Pick<Io, "env">): void {
  if (settings.text("simulate") !== undefined) return;
  const teachers = config?.teachers ?? [];
  const headers = teachers.flatMap(({ headers = {} }) =>
    Object.entries(headers).map(([name, value]) => `${name}=${value}`)
  );
  const needsVariable = (text: string) => {
    const variable = /@env:(.*)/s.exec(text)?.[1];
    return variable !== undefined && !maySet(settings, variable);
  };
  const header = [...settings.list("header"), ...headers].find(needsVariable);
  if (header !== undefined) {
    throw new UsageError(
      `Cannot submit the --header "${
        header.split(/[=:]/)[0]
      }" with @env: shards on Slurm do not get the ` +
        "variable, because Slurm would save it with the job. Put the key into a file (--api-key-file), " +
        "or read the variable from a file with --before",
    );
  }
  const urls = [...settings.list("base-url"), ...teachers.map(({ baseUrl = "" }) => baseUrl)];
  if (urls.some(needsVariable)) {
    throw new UsageError(
      "Cannot submit a --base-url with @env: shards on Slurm do not get the variable. Write the address, " +
        "or set the variable with --before",
    );
  }
  refuseKeyInVariable(settings, teachers, io);
}

/** Whether a line of `--before` names the variable, or reads a script that may set it. */
function maySet(settings: Settings, variable: string): boolean {
  return settings.list("before").some((line) =>
    line.includes(variable) || /(?:^|[\s;&])(?:\.|source|eval)\s/.test(line)
  );
}

function refuseKeyInVariable(
  settings: Settings,
  teachers: readonly TeacherSpec[],
  io: Pick<Io, "env">,
): void {
  const named = settings.text("api-key-env");
  const common = named ?? (io.env(DEFAULT_KEY_VARIABLE) ? DEFAULT_KEY_VARIABLE : undefined);
  const hasFile = settings.text("api-key-file") !== undefined;
  const specs = teachers.length === 0 ? [{} as TeacherSpec] : teachers;
  const names = specs.flatMap(({ apiKeyEnv, apiKeyFile }) =>
    apiKeyFile === undefined ? apiKeyEnv ?? (hasFile ? [] : common ?? []) : []
  );
  const unset = names.find((name) => !maySet(settings, name));
  if (unset === undefined) return;
  const isOwn = teachers.some(({ apiKeyEnv }) => apiKeyEnv === unset);
  throw new UsageError(
    `Cannot submit with the key in ${
      isOwn || named !== undefined ? "a variable" : DEFAULT_KEY_VARIABLE
    }: Slurm ` +
      "would save it with the job, so shards do not get it. Write the key to a file that only you can " +
      `read, and name it with ${isOwn ? "the teacher's api_key_file" : "--api-key-file"}`,
  );
}
