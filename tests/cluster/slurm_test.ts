/**
 * A job on a real Slurm: tasks that are put back into the queue, killed, and ended by their time
 * limit. Skipped where no Slurm answers; `start_slurm.sh` starts one from Debian's packages. Takes
 * about eight minutes, for Slurm lets a task wait for two minutes that was put back.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { REPOSITORY } from "../support/process.ts";
import { prompts } from "../shards/fixture.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const ROWS = 20_000, SHARDS = 16, PARALLEL = 4, CONCURRENCY = 12, LATENCY_MS = 480;

async function call(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

async function hasSlurm(): Promise<boolean> {
  return await call("sinfo", "--noheader").then((text) => text.trim() !== "", () => false);
}

async function submit(dir: TempDir, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "--config", `${REPOSITORY}/deno.json`, "submit", ...args],
    cwd: dir.root,
    // `deno task` keeps the value of the task that runs this test.
    env: { INIT_CWD: dir.root },
  }).output();
  const text = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  assert(code === 0 || code === 3, text);
  return text;
}

interface Cluster {
  readonly job: string;
  readonly dir: TempDir;
}

/** What `squeue` says; undefined if it could not be asked, as on a busy machine. */
async function queue(...args: string[]): Promise<string | undefined> {
  try {
    return (await call("squeue", "--noheader", ...args)).trim();
  } catch (error) {
    // Slurm forgets jobs that have ended long ago.
    return /Invalid job id/.test((error as Error).message) ? "" : undefined;
  }
}

/** The tasks of the array in a state, by their numbers. */
async function tasksIn({ job }: Cluster, state: string): Promise<number[]> {
  const text = await queue("--array", `--jobs=${job}`, `--states=${state}`, "--format=%K");
  return (text ?? "").split("\n").filter((line) => line !== "").map(Number);
}

async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  seconds = 300,
): Promise<T> {
  for (let left = seconds; left > 0; left--) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Error(`Timed out waiting for: ${what}`);
}

/** The output of a shard with this extension. */
function outputOf(task: number, extension: string): string {
  return `out/in-${String(task).padStart(5, "0")}-of-00016.${extension}`;
}

/** A task that runs, has answers, and has more rows to send than left: none of those given. */
async function busyTask({ dir, job }: Cluster, except: readonly number[]): Promise<number> {
  return await until("a task that runs", async () => {
    for (const task of await tasksIn({ dir, job }, "RUNNING")) {
      if (except.includes(task)) continue;
      const answers = await linesOf(dir, outputOf(task, "jsonl"));
      if (answers >= 50 && answers <= ROWS / SHARDS / 2) return task;
    }
  });
}

async function linesOf(dir: TempDir, path: string): Promise<number> {
  return (await dir.read(path).catch(() => "")).split("\n").length - 1;
}

/** The process of a shard, as it says in its lock. */
async function processOf({ dir }: Cluster, task: number): Promise<number> {
  const lock = await dir.read(outputOf(task, "lock"));
  return JSON.parse(lock.trim()).pid;
}

Deno.test({
  name: "on Slurm every row is answered, and at most what was in flight at a kill is sent twice",
  ignore: !await hasSlurm(),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using dir = await tempDir();
    await using teacher = serveLedger(async () => {
      await new Promise((resolve) => setTimeout(resolve, LATENCY_MS));
    }, { keep: false });
    const started = performance.now();
    await dir.write("in.jsonl", prompts(0, ROWS));
    const said = await submit(dir, [
      ...["slurm", "in.jsonl", "-o", "out/", `--shards=${SHARDS}`, `--parallel=${PARALLEL}`],
      ...["-m", "test", "--base-url", teacher.url, "-c", String(CONCURRENCY), "--no-careful-start"],
      ...["--time=30m", "--lead=30s"],
    ]);
    const job = /array (\d+)/.exec(said)![1], merge = /as job (\d+)/.exec(said)![1];
    const cluster = { job, dir };
    try {
      const requeued = [await busyTask(cluster, [])];
      await call("scontrol", "requeue", `${job}_${requeued[0]}`);
      requeued.push(await busyTask(cluster, requeued));
      await call("scontrol", "requeue", `${job}_${requeued[1]}`);
      const killed = await busyTask(cluster, requeued);
      const inFlight = CONCURRENCY;
      Deno.kill(await processOf(cluster, killed), "SIGKILL");
      const limited = await busyTask(cluster, [...requeued, killed]);
      await call("scontrol", "update", `JobId=${job}_${limited}`, "TimeLimit=1");
      assertStringIncludes(await submit(dir, ["status", "out/"]), "Slurm: ");
      await until("the merge", async () => {
        const left = await queue(`--jobs=${merge}`);
        return left === "" ? true : undefined;
      }, 1_200);
      const merged = await dir.rows("out/merged/in.jsonl");
      assertEquals(merged.length, ROWS);
      assertEquals(new Set(merged.map(({ uid }) => uid)).size, ROWS);
      const repeats = teacher.posts - ROWS;
      const logs = "out/.retort/logs", names = await dir.names(logs);
      const logOf = async (end: string) =>
        await dir.read(`${logs}/${names.find((name) => name.endsWith(end))}`);
      const log = await logOf(`-merge-${merge}.log`);
      assertStringIncludes(log, "20,000  have a result");
      for (const task of [...requeued, killed, limited]) {
        const starts = (await logOf(`-${job}_${task}.log`)).match(/rows to do/g)?.length ?? 0;
        assert(starts >= 2, `task ${task} was started ${starts} times`);
      }
      assertStringIncludes(await logOf(`-${job}_${killed}.log`), "Exit code 137: trying again");
      console.log(
        `${ROWS} rows in ${SHARDS} shards, ${PARALLEL} at a time: ${
          Math.round((performance.now() - started) / 1_000)
        } s, ${repeats} calls sent twice (${inFlight} in flight at the kill)`,
      );
      assert(repeats <= inFlight, `${repeats} calls were sent twice`);
    } finally {
      await call("scancel", job, merge).catch(() => {});
    }
  },
});
