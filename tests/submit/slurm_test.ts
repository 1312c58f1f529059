/** Tests of lib/submit/slurm.ts: the script runs in a shell with fake programs of Slurm. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { type ShardJob, slurmArrays, slurmScript } from "../../lib/submit/mod.ts";
import { tempDir } from "../support/temp.ts";

const JOB: ShardJob = {
  name: "retort-in-1",
  submission: "first",
  shards: 16,
  parallel: 4,
  run: ["run", "in.jsonl", "--output=out/", "--shard", "auto", "--grace", "110s"],
  merge: ["merge", "out/in.jsonl"],
  leadSeconds: 120,
};

interface Played {
  /** Exit codes of the program, one for each start; the last one for all others. */
  readonly codes: readonly number[];
  /** The output of `squeue`. @default "RUNNING" */
  readonly state?: string;
  /** Whether the file exists that stops requeuing. */
  readonly isCanceled?: boolean;
  /** Whether the script gets SIGTERM while the program runs. */
  readonly hasTerm?: boolean;
  /** Lines of the user. @default none */
  readonly setupLines?: readonly string[];
}

/** Runs the script of an array task; returns its exit code and the called programs. */
async function play(
  { codes, state = "RUNNING", isCanceled = false, hasTerm = false, setupLines = [] }: Played,
) {
  await using dir = await tempDir();
  const calls = dir.path("calls");
  const tool = async (name: string, lines: string) => {
    const path = await dir.write(`bin/${name}`, `#!/bin/bash\n${lines}\n`);
    await Deno.chmod(path, 0o755);
  };
  await tool("squeue", `echo ${state}`);
  await tool("scontrol", `echo "scontrol $*" >> ${calls}`);
  await tool("sleep", `echo sleep >> ${calls}; exit 0`);
  // Waits for SIGTERM, and ends like a run that has drained.
  const waits =
    `trap 'kill $nap; exit 143' TERM; echo ready >> ${calls}; /bin/sleep 60 & nap=$!; wait`;
  await tool(
    "retort",
    `echo "retort $* $RETORT_SHARDS $RETORT_SHARD_BASE $RETORT_JOB" >> ${calls}\n` +
      `n=$(grep -c ^retort ${calls})\ncodes=(${codes.join(" ")})\n` +
      `code=\${codes[$((n - 1))]:-${codes.at(-1)}}\n${hasTerm ? waits : ""}\nexit $code`,
  );
  // The path holds a word that stands for the command in the template of the script.
  const canceledFile = dir.path("COMMAND/cancelled");
  if (isCanceled) await dir.write("COMMAND/cancelled", "");
  const script = slurmScript(JOB, slurmArrays(JOB)[0], {
    program: ["retort"],
    folder: dir.root,
    logs: dir.root,
    canceledFile,
    setupLines,
  });
  const child = new Deno.Command("bash", {
    args: [await dir.write("job.sh", script)],
    env: {
      PATH: `${dir.path("bin")}:${Deno.env.get("PATH")}`,
      SLURM_ARRAY_JOB_ID: "7",
      SLURM_ARRAY_TASK_ID: "3",
    },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = child.output();
  if (hasTerm) {
    while (!(await Deno.readTextFile(calls).catch(() => "")).includes("ready")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGTERM");
  }
  const { code, stdout } = await output;
  const lines = (await Deno.readTextFile(calls)).trim().split("\n");
  return {
    code,
    said: new TextDecoder().decode(stdout),
    starts: lines.filter((line) => line.startsWith("retort")),
    requeues: lines.filter((line) => line.startsWith("scontrol")),
  };
}

const START = "retort run in.jsonl --output=out/ --shard auto --grace 110s 16 0 first";
const CASES: [string, Played, { code: number; starts: number; requeues: number }][] = [
  ["a shard that is done is done", { codes: [0] }, { code: 0, starts: 1, requeues: 0 }],
  ["failed rows are no failure of the job", { codes: [3] }, { code: 0, starts: 1, requeues: 0 }],
  ["bad usage is not repeated", { codes: [2] }, { code: 2, starts: 1, requeues: 0 }],
  ["a halted run is not repeated", { codes: [5] }, { code: 5, starts: 1, requeues: 0 }],
  ["a fault is tried three times", { codes: [1] }, { code: 1, starts: 3, requeues: 0 }],
  ["so is a full disk", { codes: [6, 6, 0] }, { code: 0, starts: 3, requeues: 0 }],
  ["so is a process that was killed", { codes: [137, 0] }, { code: 0, starts: 2, requeues: 0 }],
  ["a lock is waited for", { codes: [4, 4, 4, 4, 0] }, { code: 0, starts: 5, requeues: 0 }],
  ["a signal queues the task again", { codes: [143] }, { code: 143, starts: 1, requeues: 1 }],
  [
    "a signal reaches the run, whose exit code counts",
    { codes: [0], hasTerm: true },
    { code: 143, starts: 1, requeues: 1 },
  ],
  [
    "the user's own set -e does not end the script when a run ends",
    { codes: [137, 143], setupLines: ["set -euo pipefail"] },
    { code: 143, starts: 2, requeues: 1 },
  ],
  [
    "a task that was canceled is left alone",
    { codes: [143], state: "COMPLETING" },
    { code: 143, starts: 1, requeues: 0 },
  ],
  [
    "so is one of a job that was canceled by submit",
    { codes: [143], isCanceled: true },
    { code: 143, starts: 1, requeues: 0 },
  ],
];
for (const [name, played, expected] of CASES) {
  Deno.test({
    name: `Slurm: ${name}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const { code, starts, requeues, said } = await play(played);
      assertEquals({ code, starts: starts.length, requeues: requeues.length }, expected);
      assertEquals(starts[0], START);
      // A saved script may be submitted again by hand.
      assertEquals(said.includes("Not queued again after submit cancel"), !!played.isCanceled);
      if (requeues.length > 0) assertEquals(requeues, ["scontrol requeue 7_3"]);
    },
  });
}

Deno.test("more shards than an array allows become several arrays, which share the limit of parallel tasks", () => {
  assertEquals(slurmArrays({ shards: 2_500, parallel: 100 }, 1_000), [
    { base: 0, tasks: 833, parallel: 33 },
    { base: 833, tasks: 833, parallel: 33 },
    { base: 1_666, tasks: 834, parallel: 34 },
  ]);
  // One shard more than an array allows: both arrays are busy to the end.
  assertEquals(slurmArrays({ shards: 1_001, parallel: 64 }, 1_000), [
    { base: 0, tasks: 500, parallel: 32 },
    { base: 500, tasks: 501, parallel: 32 },
  ]);
  assertEquals(slurmArrays({ shards: 3, parallel: 3 }), [{ base: 0, tasks: 3, parallel: 3 }]);
});
