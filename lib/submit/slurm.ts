/**
 * Slurm job arrays for the shards, and the job that merges them. Observed on Slurm 22.05:
 *
 * - Neither an exit code nor a time limit requeues a task, so the script does.
 * - In the last task, `$SLURM_JOB_ID` is the id of the array.
 * - A canceled task gets SIGTERM, too, but its state is no longer RUNNING.
 *
 * @module
 */

import { posixWord } from "../printable.ts";
import type { ShardJob } from "./mod.ts";

export interface SlurmOptions {
  /** The command that starts Retort on a node. It cannot be npx, which SIGTERM kills while requests
   * are in flight. */
  readonly program: readonly string[];
  readonly folder: string;
  /** The folder for log files, which must exist. */
  readonly logs: string;
  /** The path of a file: while it exists, tasks are not requeued. */
  readonly canceledFile: string;
  /** Time limit of each shard and of the merge, in Slurm notation. @default the limit of the
   * partition */
  readonly time?: string;
  /** The partition of the job. @default the default partition of the cluster */
  readonly partition?: string;
  /** The account charged for the job. @default the account of the user */
  readonly account?: string;
  /** Memory for each shard and for the merge, in Slurm notation. @default the memory of the
   * partition */
  readonly memory?: string;
  /** Shell lines to run before the command, such as `module load …`. */
  readonly setupLines: readonly string[];
}

/** Slurm's default for `MaxArraySize`, which a cluster may change. */
export const MAX_ARRAY_SIZE = 1_001;

/** Slurm saves these variables with the job, so they must not include API keys. */
const EXPORTED = [
  "PATH",
  "HOME",
  "USER",
  "LANG",
  "TMPDIR",
  "DENO_DIR",
  "XDG_CACHE_HOME",
  "SSL_CERT_FILE",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];

export interface SlurmArray {
  /** The index of the shard that task 0 runs. */
  readonly base: number;
  readonly tasks: number;
  readonly parallel: number;
  /**
   * The index of the array that must end first, if there are more arrays than parallel shards.
   * @default none
   */
  readonly after?: number;
}

/** Divides the shards into as few arrays as `maxArraySize` allows. */
export function slurmArrays(
  { shards, parallel }: Pick<ShardJob, "shards" | "parallel">,
  maxArraySize = MAX_ARRAY_SIZE,
): SlurmArray[] {
  const count = Math.ceil(shards / maxArraySize);
  // All arrays get about the same size and limit, so that they end together. A smaller last array
  // would end early, and leave its share of `parallel` idle.
  const partOf = (total: number, i: number) => Math.floor((total + i) / count);
  let base = 0;
  return Array.from({ length: count }, (_, i) => {
    const tasks = partOf(shards, i);
    const array = { base, tasks, parallel: Math.min(Math.max(1, partOf(parallel, i)), tasks) };
    base += tasks;
    return i < parallel ? array : { ...array, after: i - parallel };
  });
}

export function slurmScript(job: ShardJob, array: SlurmArray, options: SlurmOptions): string {
  const command = commandOf(options, job.run);
  return `${header(job, options)}
#SBATCH --array=0-${array.tasks - 1}%${array.parallel}
${logOf(options, "%x-%A_%a")}
#SBATCH --signal=B:TERM@${job.leadSeconds}
#SBATCH --requeue
${
    setupOf(options)
  }export RETORT_SHARDS=${job.shards} RETORT_SHARD_BASE=${array.base} RETORT_PARALLEL=${job.parallel} RETORT_JOB=${job.submission}
${
    // Both words are replaced in one pass, because the path and the command may contain them.
    BODY.replace(
      /CANCELED_FILE|COMMAND/g,
      (word) => word === "COMMAND" ? command : posixWord(options.canceledFile),
    )}`;
}

/** Returns the script of the merge. Submit it with `afterany`: with `afterok`, one failed shard
 * would keep the merge waiting forever. */
export function slurmMerge(job: ShardJob, options: SlurmOptions): string {
  return `${header({ ...job, name: `${job.name}-merge` }, options)}
${logOf(options, "%x-%j")}
${setupOf(options)}exec ${commandOf(options, job.merge)}
`;
}

function commandOf({ program }: SlurmOptions, args: readonly string[]): string {
  return [...program, ...args].map(posixWord).join(" ");
}

function header({ name }: Pick<ShardJob, "name">, options: SlurmOptions): string {
  const { time, partition, account, memory, folder } = options;
  const lines = [
    ["job-name", name],
    ["chdir", folder],
    ["open-mode", "append"],
    ["export", EXPORTED.join(",")],
    ["time", time],
    ["partition", partition],
    ["account", account],
    ["mem", memory],
  ].flatMap(([key, value]) => value === undefined ? [] : [directive(key!, value)]);
  return ["#!/bin/bash", ...lines].join("\n");
}

/** Returns the directive for the log file. `name` is a Slurm filename pattern; a `%` in the folder
 * is doubled. */
function logOf({ logs }: SlurmOptions, name: string): string {
  return directive("output", `${logs.replaceAll("%", "%%")}/${name}.log`);
}

/** Returns an `#SBATCH` line. The value is quoted if sbatch would not read it as it is. A backslash
 * is an escape character with and without quotes (tried on Slurm 22.05). */
function directive(key: string, value: string): string {
  const isPlain = /^[\w%+,./:=@-]*$/.test(value);
  const quotedValue = isPlain ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`;
  return `#SBATCH --${key}=${quotedValue}`;
}

/** Returns the user's lines, which follow the directives: sbatch ignores directives after a
 * command. */
function setupOf({ setupLines }: SlurmOptions): string {
  return setupLines.map((line) => `${line}\n`).join("");
}

/** Runs the command until the shard has ended: up to three times if it fails, and again every 20 s
 * while another process holds the lock. Requeues the task after a signal. `set +e` is needed,
 * because the user's lines may have set `-e`, which would end the script. */
const BODY = `
set +e
task="\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
child= ; signals=0
on_term() { signals=$((signals + 1)); [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; }
trap on_term TERM

# A signal ends the wait, not the child, whose own exit code counts.
wait_for() {
  while :; do
    signals_before=$signals
    wait "$child"; code=$?
    [ "$signals" = "$signals_before" ] && break
  done
  child=
}

requeue() {
  if [ -e CANCELED_FILE ]; then
    echo "Not queued again after submit cancel, until the job is submitted again or this file is removed:" CANCELED_FILE
    exit "$code"
  fi
  # Slurm itself handles a task that was canceled or preempted.
  state=$(squeue --noheader --jobs "$task" --format %T 2>/dev/null)
  case "$state" in RUNNING|"") scontrol requeue "$task" && sleep 60 ;; esac
  exit "$code"
}

faults=0
while :; do
  COMMAND &
  child=$!
  # The signal may have come just before.
  [ "$signals" = 0 ] || kill -TERM "$child" 2>/dev/null
  wait_for
  case "$code" in
    0|3) exit 0 ;;                        # done; the merge reports failed rows
    2|5) exit "$code" ;;                  # a retry would end in the same way
    4) echo "Another process has the lock: waiting"; sleep 20 & child=$!; wait_for
       [ "$signals" = 0 ] || { code=143; requeue; } ;;
    129|130|143) requeue ;;
    *) faults=$((faults + 1))
       [ "$faults" -ge 3 ] && exit "$code"
       echo "Exit code $code: trying again"; sleep $((faults * 5)) & child=$!; wait_for
       [ "$signals" = 0 ] || { code=143; requeue; } ;;
  esac
done
`;
