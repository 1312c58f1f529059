/**
 * Slurm array jobs. What was tried on Slurm 22.05: neither an exit code nor a time limit puts a task back into
 * the queue, so the script does it; `$SLURM_JOB_ID` of the last task is that of the array; a task that is
 * cancelled hears SIGTERM too, while its state is no longer RUNNING.
 *
 * @module
 */

import { type ShardJob, shardWords } from "./job.ts";

/** How Slurm runs the shards. */
export interface SlurmOptions {
  /** The words that start Retort on a node: the executable, or Deno with its arguments. Never npx, which
   * dies of the signal while calls are in flight. */
  readonly program: readonly string[];
  /** The folder to run in. */
  readonly folder: string;
  /** Where the logs go: a folder that is there. */
  readonly logs: string;
  /** While this file is there, tasks are not put back into the queue. */
  readonly cancelledFile: string;
  /** Longest time of a shard, as Slurm writes it. @default that of the partition */
  readonly time?: string;
  /** The partition. @default that of the cluster */
  readonly partition?: string;
  /** Who pays. @default that of the user */
  readonly account?: string;
  /** Memory of a shard, as Slurm writes it. @default that of the partition */
  readonly memory?: string;
  /** Lines before the program, as in `module load …`. */
  readonly before: readonly string[];
  /** A word as the shell reads it back. */
  readonly quote: (word: string) => string;
}

/** The most tasks of an array where the cluster does not say: Slurm's default. */
export const MAX_ARRAY_SIZE = 1_001;

/** Variables that tasks get of the user's environment, which Slurm saves with the job. No key is among them. */
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

/** One array: the first shard, and how many there are. */
export interface SlurmArray {
  /** The shard of task 0. */
  readonly base: number;
  /** Its tasks. */
  readonly tasks: number;
  /** How many of them run at once. */
  readonly parallel: number;
}

/** Divides the shards into as few arrays as the cluster allows. */
export function slurmArrays(
  { shards, parallel }: Pick<ShardJob, "shards" | "parallel">,
  maxArraySize = MAX_ARRAY_SIZE,
): SlurmArray[] {
  const count = Math.ceil(shards / maxArraySize);
  const share = Math.max(1, Math.floor(parallel / count));
  return Array.from({ length: count }, (_, i) => {
    const tasks = Math.min(maxArraySize, shards - i * maxArraySize);
    return { base: i * maxArraySize, tasks, parallel: Math.min(share, tasks) };
  });
}

/** The script of one array. */
export function slurmScript(job: ShardJob, array: SlurmArray, options: SlurmOptions): string {
  const { quote, cancelledFile } = options;
  const command = [...options.program, ...shardWords(job)].map(quote).join(" ");
  return `${header(job, options)}
#SBATCH --array=0-${array.tasks - 1}%${array.parallel}
#SBATCH --output=${options.logs}/%x-%A_%a.log
#SBATCH --signal=B:TERM@${job.leadSeconds}
#SBATCH --requeue
${
    before(options)
  }export RETORT_SHARDS=${job.shards} RETORT_SHARD_BASE=${array.base} RETORT_PARALLEL=${job.parallel}
${
    BODY.replace("CANCELLED_FILE", () => quote(cancelledFile))
      .replace("COMMAND", () => command)
  }`;
}

/** The script of the merge, to be run after all arrays whatever became of them (`afterany`: `afterok` would
 * wait for ever behind one failed row). */
export function slurmMerge(job: ShardJob, options: SlurmOptions): string {
  const command = [...options.program, ...job.merge].map(options.quote).join(" ");
  return `${header({ ...job, name: `${job.name}-merge` }, options)}
#SBATCH --output=${options.logs}/%x-%j.log
${before(options)}exec ${command}
`;
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
  ].flatMap(([key, value]) => value === undefined ? [] : [`#SBATCH --${key}=${value}`]);
  return ["#!/bin/bash", ...lines].join("\n");
}

/** Directives end at the first command. */
function before(options: SlurmOptions): string {
  return options.before.map((line) => `${line}\n`).join("");
}

/** Runs the shard, and does with its exit code what Slurm does not. */
const BODY = `
task="\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
child= ; heard=0
on_term() { heard=$((heard + 1)); [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; }
trap on_term TERM

# A signal ends the wait, not the child: its own exit code is what counts.
wait_for() {
  while :; do
    heard_before=$heard
    wait "$child"; code=$?
    [ "$heard" = "$heard_before" ] && break
  done
  child=
}

requeue() {
  [ -e CANCELLED_FILE ] && exit "$code"
  # A task that was cancelled or preempted is Slurm's.
  state=$(squeue --noheader --jobs "$task" --format %T 2>/dev/null)
  case "$state" in RUNNING|"") scontrol requeue "$task" && sleep 60 ;; esac
  exit "$code"
}

faults=0
while :; do
  COMMAND &
  child=$!
  wait_for
  case "$code" in
    0|3) exit 0 ;;                        # done; the merge tells what has failed
    2|5) exit "$code" ;;                  # the same again would end the same
    4) echo "Another process has the lock: waiting"; sleep 20 & child=$!; wait_for
       [ "$heard" = 0 ] || { code=143; requeue; } ;;
    129|130|143) requeue ;;
    *) faults=$((faults + 1))
       [ "$faults" -ge 3 ] && exit "$code"
       echo "Exit code $code: trying again"; sleep $((faults * 5)) & child=$!; wait_for
       [ "$heard" = 0 ] || { code=143; requeue; } ;;
  esac
done
`;
