/**
 * `retort submit slurm` and `retort submit kubernetes`: print a job, or submit it with the
 * command-line tools of the scheduler.
 *
 * @module
 */

import { resolve } from "../lib/deps/std_path.ts";
import { SinkError, UsageError } from "../lib/errors.ts";
import { exists } from "../lib/files.ts";
import { VERSION } from "../lib/version.ts";
import { canceledPathOf } from "../lib/shards/mod.ts";
import {
  kubernetesManifests,
  type KubernetesOptions,
  MAX_ARRAY_SIZE,
  slurmArrays,
  slurmMerge,
  type SlurmOptions,
  slurmScript,
} from "../lib/submit/mod.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";
import { callTool, tryTool } from "./scheduler_tools.ts";
import { logsOf } from "./submit_status.ts";
import { shellWord } from "../lib/printable.ts";
import type { PreparedJob } from "./submit_command.ts";
import { formatCount, formatCountOf } from "../lib/figures.ts";

/** Prints the script of the array, or submits all arrays and the merge that depends on them. */
export async function submitToSlurm(job: PreparedJob, settings: Settings, io: Io): Promise<void> {
  const logs = resolve(logsOf(job.stem));
  await Deno.mkdir(logs, { recursive: true });
  const options = await slurmOptions(job, logs, settings);
  if (!settings.isOn("send")) return printScript(job, options, io);
  const arrays = slurmArrays(job, await maxArraySize(io));
  const ids: string[] = [];
  let merge: string;
  try {
    for (const array of arrays) {
      const afterIds = array.after === undefined ? [] : [ids[array.after]];
      ids.push(await sbatch(slurmScript(job, array, options), afterIds));
    }
    merge = await sbatch(slurmMerge(job, options), ids);
  } catch (error) {
    if (ids.length === 0 || !(error instanceof SinkError)) throw error;
    throw new SinkError(
      `${error.message}. Of ${formatCountOf(arrays.length, "array")} and the merge, ${
        ids.join(", ")
      } ${ids.length === 1 ? "is" : "are"} in the queue. To cancel: ${
        submitCommand(job, "cancel", io)
      }`,
      { path: error.path, cause: error },
    );
  }
  io.writeErr(
    `Submitted ${formatCountOf(job.shards, "shard")} as ${
      arrays.length === 1 ? "array" : "arrays"
    } ${ids.join(", ")}, merge as job ${merge}\n` +
      `To check on it: ${submitCommand(job, "status", io)}\n`,
  );
}

/** Submits a script that runs after other jobs, however they end. Returns the job ID. */
async function sbatch(script: string, afterIds: readonly string[]): Promise<string> {
  const dependency = afterIds.length === 0 ? [] : [`--dependency=afterany:${afterIds.join(":")}`];
  const stdout = await callTool("sbatch", ["--parsable", ...dependency], script);
  // If Slurm has several clusters, the name of the cluster follows.
  return stdout.trim().split(";")[0];
}

/** `deno task distill` becomes `deno task submit`: only that task may call the scheduler. */
function submitCommand(
  { stem }: PreparedJob,
  action: "status" | "cancel",
  { program }: Io,
): string {
  const task = program.replace(/(\btask\b.*) distill$/, "$1 submit");
  const command = task === program ? `${program} submit` : task;
  return `${command} ${action} ${shellWord(`${stem}.jsonl`)}`;
}

function printScript(job: PreparedJob, options: SlurmOptions, io: Io): void {
  const arrays = slurmArrays(job);
  if (arrays.length > 1) {
    throw new UsageError(
      `Cannot print ${formatCount(job.shards)} shards as one array: by default, Slurm allows ${
        formatCount(MAX_ARRAY_SIZE)
      } ` +
        "tasks. Use deno task submit, which submits several arrays, or use fewer shards",
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
    partition: directive(settings, "partition"),
    account: directive(settings, "account"),
    memory: directive(settings, "memory"),
    setupLines: settings.list("before"),
    quote: (word) => shellWord(word, "linux"),
  };
}

/** Splits `--program` at spaces, unless the text is the path of a file. */
async function programOf(settings: Settings): Promise<string[] | undefined> {
  const text = settings.text("program")?.trim();
  return text !== undefined && await exists(text) ? [text] : text?.split(/\s+/);
}

/** The value stands in an `#SBATCH` line of the script. */
function directive(settings: Settings, name: string): string | undefined {
  const value = settings.text(name);
  if (value === undefined || /^[\w.,:+-]+$/.test(value)) return value;
  throw new UsageError(
    `Cannot use ${
      settings.flagText(name, value)
    }: it must be one word of letters, digits and _.,:+-`,
  );
}

/**
 * Slurm's forms of a time limit, except a plain number: minutes for Slurm, seconds for `--time`.
 */
const SLURM_TIME = /^(\d+-\d+(:\d\d){0,2}|\d+(:\d\d){1,2})$/;

/** Slurm may send the signal this many seconds early: it checks time limits once a minute. */
const SIGNAL_EARLY_S = 60;

function timeLimit(settings: Settings, leadSeconds: number): string | undefined {
  const text = settings.text("time");
  const isSlurmTime = text !== undefined && SLURM_TIME.test(text);
  const ms = isSlurmTime ? undefined : settings.milliseconds("time");
  const seconds = isSlurmTime ? secondsOf(text) : Math.ceil((ms ?? Infinity) / 1_000);
  if (seconds <= leadSeconds + SIGNAL_EARLY_S) {
    throw new UsageError(
      `Cannot use ${
        settings.flagText("time", text!)
      }: shards are signaled ${leadSeconds} s before it ` +
        `(--lead), up to ${SIGNAL_EARLY_S} s early, and each would be queued again as soon as it has ` +
        "started. Use a longer --time or a shorter --lead",
    );
  }
  return isSlurmTime || ms === undefined ? text : slurmTime(seconds);
}

/** Seconds of a time in Slurm's notation: days-hours:minutes:seconds, or minutes:seconds. */
function secondsOf(time: string): number {
  const [days, clock] = time.includes("-") ? time.split("-") : ["0", time];
  const parts = clock.split(":").map(Number);
  if (time.includes("-")) parts.push(0, 0);
  else if (parts.length === 2) parts.unshift(0);
  const [hours, minutes, seconds] = parts;
  return ((Number(days) * 24 + hours) * 60 + minutes) * 60 + seconds;
}

function slurmTime(totalSeconds: number): string {
  const twoDigits = (number: number) => String(number).padStart(2, "0");
  const minutes = Math.floor(totalSeconds / 60);
  return [Math.floor(minutes / 60), minutes % 60, totalSeconds % 60].map(twoDigits).join(":");
}

const V8_FLAGS = "--v8-flags=--max-semi-space-size=3,--heap-growing-percent=45";

/** Not called: see `importWorker` in `lib/checks/worker_check.ts`. */
export const importSignalWorker = (): Promise<unknown> => import("./signal_worker.ts");

/**
 * An executable, or Deno with V8's flags and the permissions of a run. `--cached-only`, because
 * nodes may have no way to download anything.
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

export async function submitToKubernetes(
  job: PreparedJob,
  settings: Settings,
  io: Io,
): Promise<void> {
  const manifests = kubernetesManifests(job, kubernetesOptions(settings));
  if (!settings.isOn("send")) return io.writeOut(manifests);
  let stdout: string;
  try {
    stdout = await callTool("kubectl", ["apply", "-f", "-"], manifests);
  } catch (error) {
    // The Job of an earlier submit exists until it is deleted, even if it has ended.
    if (!(error instanceof SinkError && /immutable/.test(error.message))) throw error;
    throw new UsageError(
      `Cannot submit: this output already has a job. Cancel it first (all answers are kept): ${
        submitCommand(job, "cancel", io)
      }`,
      { cause: error },
    );
  }
  io.writeErr(`${stdout}To check on it: ${submitCommand(job, "status", io)}\n`);
}

export function kubernetesOptions(settings: Settings): KubernetesOptions {
  const [, claim, mountPath] = /^([^:]+):(\/.*)$/.exec(settings.text("volume") ?? "") ?? [];
  if (claim === undefined) {
    throw new UsageError(
      "Cannot submit without a volume that all shards write to: add --volume CLAIM:/data, a " +
        "PersistentVolumeClaim with ReadWriteMany and where it is mounted",
    );
  }
  checkValue(settings, "volume", claim, SUBDOMAIN);
  checkValue(settings, "volume", mountPath, MOUNT_PATH);
  const secret = settings.text("secret");
  const [name, key = "api-key", ...rest] = (secret ?? "").split("/");
  if (secret !== undefined) {
    checkValue(settings, "secret", name, SUBDOMAIN);
    checkValue(settings, "secret", [key, ...rest].join("/"), SECRET_KEY);
  }
  const namespace = settings.text("namespace"), memory = settings.text("memory");
  if (namespace !== undefined) checkValue(settings, "namespace", namespace, LABEL);
  if (memory !== undefined) checkValue(settings, "memory", memory, QUANTITY);
  return {
    image: settings.text("image") ?? `retort:${VERSION}`,
    claim,
    mountPath,
    secret: secret === undefined ? undefined : { name, key },
    namespace,
    memory,
  };
}

/** The values that Kubernetes accepts, and that rule in words. */
type ValueRule = readonly [pattern: RegExp, rule: string];

const SUBDOMAIN: ValueRule = [
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  "a name in Kubernetes has lower-case letters, digits, - and .",
];
const LABEL: ValueRule = [
  /^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
  "a namespace has up to 63 lower-case letters, digits and -",
];
const SECRET_KEY: ValueRule = [
  /^[\w.-]{1,253}$/,
  "it must be NAME or NAME/KEY, with a key of letters, digits, -, _ and .",
];
const MOUNT_PATH: ValueRule = [/^\/[^:]+$/, "the folder must be a path below / without colons"];
/** Without a unit Kubernetes would take bytes, and Slurm megabytes. */
const QUANTITY: ValueRule = [
  /^\d+(\.\d+)?([KMGTP]i|[kMGTP])$/,
  "it must be a number with the unit of Kubernetes, as in 512Mi or 2G",
];

function checkValue(settings: Settings, flag: string, part: string, [pattern, rule]: ValueRule) {
  if (pattern.test(part)) return;
  throw new UsageError(`Cannot use ${settings.flagText(flag, settings.text(flag)!)}: ${rule}`);
}
