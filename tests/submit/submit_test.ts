/**
 * Tests of `submit`: its output, its refusals, and the manifests as Kubernetes runs them. @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { parse } from "../../lib/deps/std_yaml.ts";
import { Settings } from "../../cli/settings.ts";
import { jobNameOf } from "../../cli/submit_job.ts";
import { kubernetesOptions } from "../../cli/submit_kubernetes.ts";
import type { Io } from "../../cli/io.ts";
import { statusCommand } from "../../cli/submit_control.ts";
import { writeFailedStatus } from "../../lib/run/mod.ts";
import { planFor } from "../../lib/shards/mod.ts";
import { UsageError } from "../../lib/errors.ts";
import { kubernetesManifests } from "../../lib/submit/mod.ts";
import { CliServer, runCli, startCli } from "../support/process.ts";
import { prompts, runShard, runShards } from "../shards/fixture.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit } from "../e2e/fixture.ts";

/** The permissions of the task `submit`. Deno looks for these programs when it starts. */
const OF_TASK = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-net"]
  .concat("--allow-run=sbatch,squeue,scancel,scontrol,kubectl");
const permitted = new CliServer();
/** May start no program. */
const withoutRun = new CliServer(OF_TASK.slice(0, -1));

const KUBERNETES = ["--volume", "data:/data", "--parallel", "2"];

/** Mounts the volume where the files of the test are, whose paths are absolute. */
function kubernetesIn({ root }: TempDir): string[] {
  return Deno.build.os === "windows" ? KUBERNETES : [...KUBERNETES, `--volume=data:${root}`];
}

// deno-lint-ignore no-explicit-any -- a test knows what a manifest holds
function manifestsOf(text: string): any[] {
  return text.split(/^---$/m).map((one) => parse(one));
}

Deno.test("a Kubernetes job ends, restarts and skips by its exit codes", () => {
  const job = {
    name: "retort-in",
    submission: "first",
    shards: 8,
    parallel: 2,
    run: ["run", "in.jsonl", "--shard", "auto", "--grace", "50s"],
    merge: ["merge", "out/in.jsonl"],
    leadSeconds: 60,
  };
  const options = { image: "retort:1", claim: "data", mountPath: "/data" };
  const secret = { name: "teacher", key: "api-key" };
  const text = kubernetesManifests(job, { ...options, secret });
  assertStringIncludes(text, "needs Kubernetes 1.29 or later\n");
  assertStringIncludes(text, "\n# To submit again, delete both Jobs");
  const [shards, merge] = manifestsOf(text);
  const { spec } = shards;
  assertEquals([spec.completionMode, spec.completions, spec.parallelism], ["Indexed", 8, 2]);
  const { rules } = spec.podFailurePolicy;
  assertEquals(rules.map(({ action }: { action: string }) => action), ["Ignore", "FailIndex"]);
  assertEquals(rules[0].onPodConditions[0].type, "DisruptionTarget");
  assertEquals(rules[1].onExitCodes.values, [2, 5]);
  const pod = spec.template.spec;
  assertEquals([pod.restartPolicy, pod.terminationGracePeriodSeconds], ["Never", 60]);
  const [container] = pod.containers;
  assertEquals(container.args.slice(-6), [
    "--shard",
    "auto",
    "--grace",
    "50s",
    "--allow-failures",
    "100%",
  ]);
  // Required by clusters that enforce the "restricted" pod security standard.
  assertEquals([pod.securityContext.runAsNonRoot, pod.automountServiceAccountToken], [true, false]);
  // Otherwise, a pod that is ended while it starts would not hear it, and be killed after its lead.
  assertEquals(pod.shareProcessNamespace, true);
  assertEquals(container.securityContext, {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
  });
  assertEquals(Object.keys(container.resources.requests), ["cpu", "memory"]);
  assertEquals(container.env.at(-1).valueFrom.secretKeyRef, { name: "teacher", key: "api-key" });
  assertEquals(merge.spec.template.spec.containers[0].args.at(-1), "--wait");
});

Deno.test("Kubernetes expands nothing in the arguments of a pod", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 2));
  const args = [
    ...["submit", "kubernetes", input, "-o", dir.path("out/"), "-m", "m", "--shards=2"],
    ...["--system", "It costs $$5, $x or $(OPENAI_API_KEY)", ...kubernetesIn(dir)],
  ];
  const [shards] = manifestsOf((await runCli(args)).stdout);
  // "$$" is "$" to Kubernetes.
  const system = "--system=It costs $$$$5, $$x or $$(OPENAI_API_KEY)";
  assert(shards.spec.template.spec.containers[0].args.includes(system));
});

Deno.test("the manifests run: each index its shard, one that is terminated again, and then the merge", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 60));
  const flags = ["-o", dir.path("out/"), "--simulate=latency=100,tokens=5", "-c", "5"];
  const printed = await runCli([
    "submit",
    "kubernetes",
    input,
    ...flags,
    "--shards=2",
    ...kubernetesIn(dir),
  ]);
  assertExit(printed, 0);
  // The user of the pods could not write to a folder that another user has made.
  assertEquals(await dir.exists("out"), false);
  const [shards, merge] = manifestsOf(printed.stdout).map((one) => one.spec.template.spec);
  const [{ args, env }] = shards.containers;
  const graceSeconds = parseInt(args[args.indexOf("--grace") + 1]);
  assertEquals(graceSeconds, shards.terminationGracePeriodSeconds - 10);
  const variables = Object.fromEntries(
    env.map(({ name, value }: { name: string; value: string }) => [name, value]),
  );
  const pod = { env: { ...variables, JOB_COMPLETION_INDEX: "1" } };
  // Slow enough that it cannot end before the signal.
  const slow = args.map((one: string) => one.replace("latency=100", "latency=1000"));
  await using terminated = await startCli(slow, pod);
  await terminated.untilStderr(/rows to do/);
  terminated.kill("SIGTERM");
  assertEquals((await terminated.output()).code, 143);
  const first = { env: { ...variables, JOB_COMPLETION_INDEX: "0" } };
  // A shard that cannot start at all, here without a key, ends the wait of the merge.
  const keyless = args.map((one: string) => one.replace(/^--simulate=.*/, "--model=gpt-5"));
  assertStringIncludes((await runCli(keyless, first)).stderr, "without a key");
  const status = JSON.parse(await dir.read("out/.retort/in-00000-of-00002.status.json"));
  assertEquals([status.state, status.job], ["failed", variables.RETORT_JOB]);
  const refused = await runCli(merge.containers[0].args, { env: variables });
  assertStringIncludes(refused.stderr, "shard 0 of 2: missing");
  assertExit(await runCli(args, first), 0);
  assertExit(await runCli(args, pod), 0);
  const merged = await runCli(merge.containers[0].args);
  assertExit(merged, 0);
  assertStringIncludes(merged.stderr, "60  have a result");
  assertEquals((await dir.rows("out/merged/in.jsonl")).length, 60);
});

Deno.test("jobs of different outputs have different names", async () => {
  const long = "a-long-name-of-an-input-of-which-only-the-last-word-differs";
  const stems = [`out/${long}-1`, `out/${long}-2`, "out/A.b", "out/a-b", "out2/a-b"];
  const names = await Promise.all(stems.map(jobNameOf));
  assertEquals(new Set(names).size, stems.length);
  assert(names.every((name) => /^[a-z][a-z0-9-]{0,46}$/.test(name)));
});

Deno.test("no key reaches a job", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const key = "sk-secret-1234567890";
  const submit = (where: string, more: string[], env = {}) =>
    runCli(
      ["submit", where, input, "-o", dir.path("out/"), "--shards=2", "-m", "m", ...more],
      { env },
    );
  const cases: [string, string[], Record<string, string>][] = [
    ["slurm", [], { OPENAI_API_KEY: key }],
    ["slurm", ["--api-key-env=MY_KEY"], { MY_KEY: key }],
    ["slurm", ["--header=api-key=@env:MY_KEY"], { MY_KEY: key }],
    ["slurm", [`--header=Authorization=Bearer ${key}`], {}],
    ["slurm", [`--before=module load x; export MY_API_KEY="${key}"`], {}],
    ["slurm", [`--program=env OPENAI_API_KEY=${key} retort`], {}],
    ["kubernetes", [...KUBERNETES, `--header=Authorization=Bearer ${key}`], {}],
    ["kubernetes", [...KUBERNETES, `--base-url=https://me:${key}@host/v1`], {}],
  ];
  for (const [where, more, env] of cases) {
    const { code, stdout, stderr } = await submit(where, more, env);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, "--api-key-file");
    assertEquals((stdout + stderr).includes(key), false);
  }
  const file = await dir.write("key", key);
  const harmless = [
    "--before=export OPENAI_API_KEY=$(cat ~/.key) KEY_FILE=x",
    "--before=export SSH_KEY=~/x",
    "--before=export OPENAI_API_KEY=EMPTY HF_HUB_DISABLE_IMPLICIT_TOKEN=1",
  ];
  const { code, stdout } = await submit("slurm", [`--api-key-file=${file}`, ...harmless], {
    OPENAI_API_KEY: key,
  });
  assertEquals(code, 0);
  assertEquals(stdout.includes(key), false);
  const exported = /^#SBATCH --export=(.*)$/m.exec(stdout)?.[1].split(",");
  assert(exported !== undefined && !exported.some((name) => /ALL|KEY|TOKEN/.test(name)));
});

Deno.test("a key in a variable that pods do not get is announced", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 2));
  const config = await dir.write("c.yaml", "api-key-file: /data/key\n");
  const withTeacher = async (name: string, ...fields: string[]) => {
    const lines = ["teachers:", "- weight: 1", ...fields.map((field) => `  ${field}`)];
    return `--config=${await dir.write(name, `${lines.join("\n")}\n`)}`;
  };
  const ownKey = await withTeacher("own.yaml", "api_key_env: TEACHER_KEY");
  const oneKey = await withTeacher("one.yaml", "api_key_env: TEACHER_KEY", "model: a\n- weight: 2");
  const ownHeader = await withTeacher("header.yaml", "headers:", '  api-key: "@env:TEACHER_KEY"');
  const ownFile = await withTeacher("file.yaml", "api_key_file: /data/key");
  const ownUrl = await withTeacher("url.yaml", "base_url: http://vllm:8000/v1");
  const isWarned = async (env: Record<string, string>, ...flags: string[]) => {
    const job = ["submit", "kubernetes", input, "-o", dir.path("out/"), "--shards=2", "-m", "m"];
    const { code, stderr } = await runCli([...job, ...kubernetesIn(dir), ...flags], { env });
    assertEquals(code, 0, stderr);
    // A user may have written the key in place of its name.
    assert(!stderr.includes("TEACHER_KEY"), stderr);
    return stderr.includes("pods do not get variables of this machine");
  };
  const env = { OPENAI_API_KEY: "sk-here", TEACHER_KEY: "sk-here" };
  const key = "--header=api-key=@env:TEACHER_KEY";
  for (
    const flags of [
      [],
      ["--base-url=https://api.example/v1"],
      ["--api-key-env=TEACHER_KEY", "--secret=teacher"],
      [key, "--secret=teacher"],
      [key, "--api-key-file=/data/key"],
      [ownKey, "--secret=teacher"],
      [oneKey, "--api-key-file=/data/key"],
      [ownHeader, "--secret=teacher"],
    ]
  ) {
    assert(await isWarned(env, ...flags), flags.join());
  }
  for (
    const flags of [
      ["--secret=teacher"],
      ["--secret=teacher", "--header=api-key=@env:OPENAI_API_KEY"],
      ["--api-key-file=/data/key"],
      [`--config=${config}`],
      [ownFile],
      [ownUrl],
      ["--base-url=http://vllm:8000/v1", "--base-url=dns+http://vllm:8000/v1"],
      ["--base-url=@endpoints.txt"],
      ["--simulate"],
    ]
  ) {
    assert(!(await isWarned(env, ...flags)), flags.join());
  }
  assert(!(await isWarned({})));
});

Deno.test("an input outside the volume is announced, because pods cannot read it", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 2));
  const submit = async (path: string) => {
    const job = ["submit", "kubernetes", path, "-o", "out/", "--shards=2", "-m", "m"];
    const { code, stderr } = await permitted.run([...job, ...KUBERNETES], { cwd: dir.root });
    assertEquals(code, 0, stderr);
    return stderr;
  };
  assertStringIncludes(await submit(input), `pods cannot read ${JSON.stringify(input)}`);
  for (const path of ["in.jsonl", "/data/a.jsonl"]) assertEquals(await submit(path), "");
});

Deno.test("folders with spaces, quotes and % reach Slurm in directives, and so do its own time limits", async () => {
  await using dir = await tempDir();
  const folder = dir.path(`my "50%" runs`);
  await Deno.mkdir(folder);
  await Deno.writeTextFile(`${folder}/in.jsonl`, '{"prompt":"p"}\n{"prompt":"q"}\n');
  const submit = (time: string) =>
    permitted.run(
      ["submit", "slurm", "in.jsonl", "-o", "out/", "--shards=2", "-m", "m", "--time", time],
      { cwd: folder },
    );
  const { stdout } = await submit("1-12:00:00");
  const quoted = dir.path('my \\"50%\\" runs');
  assertStringIncludes(stdout, `\n#SBATCH --chdir="${quoted}"\n`);
  const logs = quoted.replace("%", "%%");
  assertStringIncludes(stdout, `\n#SBATCH --output="${logs}/out/.retort/logs/%x-%A_%a.log"\n`);
  assertStringIncludes(stdout, "\n#SBATCH --time=1-12:00:00\n");
  assertStringIncludes((await submit("90m")).stdout, "\n#SBATCH --time=01:30:00\n");
  assertStringIncludes((await submit("noon")).stderr, "it must be a time");
});

Deno.test({
  name: "no path of a Slurm job becomes a line of its script",
  // Names on Windows have no line breaks.
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const folder = dir.path("a\ntouch owned #");
    await Deno.mkdir(folder);
    const name = "in\nMERGE\ntouch owned\n#.jsonl";
    for (const path of [`${folder}/in.jsonl`, dir.path(name)]) {
      await Deno.writeTextFile(path, '{"prompt":"p"}\n{"prompt":"q"}\n');
    }
    for (const [input, cwd] of [["in.jsonl", folder], [name, dir.root]]) {
      const args = ["submit", "slurm", input, "-o", "out/", "--shards=2", "-m", "m"];
      const { code, stdout, stderr } = await permitted.run(args, { cwd });
      assertEquals([code, stdout], [2, ""]);
      assertStringIncludes(stderr, "the paths of a job must not contain line breaks");
    }
  },
});

Deno.test({
  name: "submit sends arrays and the merge to Slurm, and cancel removes each of them",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", prompts(0, 10));
    const calls = dir.path("calls");
    const tools = {
      scontrol: "echo 'MaxArraySize = 2'",
      sbatch: `cat > /dev/null; echo "sbatch $*" >> ${calls}; n=$(grep -c sbatch ${calls})\n` +
        '[ "$n" != 8 ] || { echo "QOS limit" >&2; exit 1; }\necho "$n;cluster"',
      squeue: "echo RUNNING",
      // The real scancel exits with 0 if no job has the name, and takes one name only.
      scancel: `echo "scancel $*" >> ${calls}`,
      kubectl: `echo "kubectl $*" >> ${calls}`,
    };
    for (const [name, text] of Object.entries(tools)) {
      await Deno.chmod(await dir.write(`bin/${name}`, `#!/bin/bash\n${text}\n`), 0o755);
    }
    const env = { PATH: `${dir.path("bin")}:${Deno.env.get("PATH")}` };
    const run = (...args: string[]) => permitted.run(["submit", ...args], { env });
    const job = ["slurm", input, "-o", dir.path("out/"), "-m", "m", "--send", "--shards=5"];
    // Left by an earlier job whose key file was missing.
    const status = dir.path("out/.retort/in-00002-of-00005.status.json");
    await dir.write("out/.retort/empty", "");
    await writeFailedStatus(
      dir.path("out/in-00002-of-00005.jsonl"),
      { index: 2, count: 5 },
      new UsageError("no key"),
    );
    const failed = JSON.parse(await Deno.readTextFile(status));
    assertEquals(failed.state, "failed");
    // This one has spent before: its share of --max-cost must not start anew.
    const spentStatus = "out/.retort/in-00001-of-00005.status.json";
    await dir.write(spentStatus, JSON.stringify({ ...failed, spent_usd: 0.5, shard: [1, 5] }));
    const sent = await run(...job, "--parallel=2");
    assertEquals(await dir.exists("out/.retort/in-00002-of-00005.status.json"), false);
    const { state, reason, spent_usd } = JSON.parse(await dir.read(spentStatus));
    assertEquals([state, reason, spent_usd], ["interrupted", null, 0.5]);
    assertExit(sent, 0);
    assertStringIncludes(sent.stderr, "Submitted 5 shards as arrays 1, 2, 3, merge as job 4 into ");
    // The fake squeue has a line for each call.
    assertStringIncludes(
      sent.stderr,
      "Warning: 1 task of an earlier submission is still in the queue",
    );
    // At most two tasks run at once, so the third array waits for the first.
    const dependencies = ["", "", " --dependency=afterany:1", " --dependency=afterany:1:2:3"];
    assertEquals(
      await dir.read("calls"),
      dependencies.map((one) => `sbatch --parsable${one}\n`).join(""),
    );
    const printed = await run("slurm", input, "-o", dir.path("many/"), "-m=m", "--shards=2000");
    assertExit(printed, 2);
    assertStringIncludes(printed.stderr, "Add --send, which submits several arrays");
    const refused = await run(...job);
    assertExit(refused, 6);
    assertStringIncludes(refused.stderr, "QOS limit. Of 3 arrays and the merge, 5, 6, 7 are in");
    await dir.write("calls", "");
    const cancelled = await run("cancel", dir.path("out/"), "--namespace=team");
    assertExit(cancelled, 0);
    assertStringIncludes(cancelled.stderr, "no job of this output in the namespace team\n");
    const [, name] = /Canceled (\S+)\./.exec(cancelled.stderr)!;
    assertEquals((await dir.read("calls")).split("\n"), [
      `scancel --name=${name}-merge`,
      `scancel --name=${name}`,
      `kubectl delete job ${name}-merge ${name} --ignore-not-found --namespace=team`,
      "",
    ]);
    // The volume of a Kubernetes job is not mounted here.
    const elsewhere = [dir.path("volume/in.jsonl"), "-o", dir.path("volume/out/"), "--shards=2"];
    const team = [...kubernetesIn(dir), "--namespace=team"];
    const created = await run("kubernetes", ...elsewhere, "-m", "m", "--send", ...team);
    assertExit(created, 0);
    assertMatch(created.stderr, /submit status \S+\/volume\/out\/in\.jsonl --namespace team\n/);
    // The annotation of `apply` would limit the size of a job.
    assertMatch(await dir.read("calls"), /^kubectl create -f -$/m);
    const output = dir.path("volume/out/in.jsonl");
    assertStringIncludes((await run("cancel", output)).stderr, "Kubernetes has no such job");
    await dir.write("bin/kubectl", `#!/bin/bash\necho "kubectl $*" >> ${calls}; echo deleted\n`);
    await dir.write("bin/squeue", "#!/bin/bash\n");
    const absent = await run("cancel", output);
    assertExit(absent, 0);
    const { stdout } = await run("status", output, "--namespace=team");
    assertMatch(
      stdout,
      /Kubernetes:\ndeleted\n.* --selector='job-name in .* --namespace=team\n/,
    );
    const [, volumeJob] = /Canceled (\S+)\./.exec(absent.stderr)!;
    assertStringIncludes(await dir.read("calls"), `delete job ${volumeJob}-merge ${volumeJob} `);
  },
});

type Tools = Partial<Record<"sbatch" | "squeue" | "scancel" | "kubectl", string>>;

const EVERY_TOOL: Tools = { squeue: "", scancel: "", kubectl: "" };
const NO_CLUSTER = "echo 'E0131 10:00:00.000000 7 memcache.go:265] x' >&2\n" +
  "echo 'Unable to connect to the server' >&2; echo more >&2; exit 1";
const NO_SLURM = "echo 'squeue: error: slurm_load_jobs' >&2; exit 1";

/** Runs a command for a job of two shards with these tools only. */
async function runWith(
  action: "cancel" | "status" | "slurm" | "kubernetes",
  tools: Tools,
  cli: CliServer | string[] = permitted,
  prepare?: (dir: TempDir) => Promise<unknown>,
): Promise<{ code: number; text: string; isMarked: boolean }> {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  await planFor({ stem: dir.path("out/in"), isNamed: false, wholeResults: [] }, [input], 2);
  await Deno.mkdir(dir.path("bin"));
  await prepare?.(dir);
  for (const [name, text] of Object.entries(tools)) {
    await Deno.chmod(await dir.write(`bin/${name}`, `#!/bin/bash\n${text}\n`), 0o755);
  }
  const job = [input, "-o", dir.path("out/"), "-m", "m", "--shards=2", "--send"];
  const args = action === "slurm"
    ? job
    : action === "kubernetes"
    ? [...job, ...kubernetesIn(dir)]
    : [dir.path("out/")];
  const command = ["submit", action, ...args], env = { PATH: dir.path("bin") };
  const { code, stdout, stderr } = Array.isArray(cli)
    ? await runCli(command, { env, permissions: cli })
    : await cli.run(command, { env });
  const isMarked = await dir.exists("out/.retort/in.cancelled");
  return { code, text: stdout + stderr, isMarked };
}

const CANCELS: [string, Tools, CliServer | string[] | undefined, number, string[]][] = [
  ["a job of Slurm", { squeue: "echo 7", scancel: "" }, OF_TASK, 0, [
    "Slurm: canceled retort-in",
    "Kubernetes: kubectl is not installed here",
    "\nCanceled retort-in",
  ]],
  ["a job of Kubernetes", { ...EVERY_TOOL, kubectl: "echo deleted" }, undefined, 0, [
    "Slurm: no job of this output",
    "Kubernetes: canceled retort-in",
    "\nCanceled retort-in",
  ]],
  ["no job at all", EVERY_TOOL, undefined, 0, [
    "Slurm: no job of this output\nKubernetes: no job of this output in the current namespace; " +
    "--namespace names another\nNothing to cancel",
  ]],
  [
    "a job, perhaps, that Kubernetes may hold",
    { ...EVERY_TOOL, kubectl: NO_CLUSTER },
    undefined,
    3,
    [
      "Slurm: no job of this output\nKubernetes: kubectl failed: Unable to connect to the server\n",
      "may still be there. Cancel it again where the scheduler can be reached",
    ],
  ],
  ["a job, perhaps, that Slurm may hold", { ...EVERY_TOOL, squeue: NO_SLURM }, undefined, 3, [
    "squeue failed: squeue: error: slurm_load_jobs\nKubernetes: no job",
    "may still be there",
  ]],
  [
    "no job of Slurm that scancel refuses",
    {
      squeue: "echo 7",
      scancel: "echo 'Access denied' >&2; exit 1",
      kubectl: "echo deleted",
    },
    undefined,
    3,
    ["Slurm: scancel failed: Access denied\n", "Slurm still has the job retort-in"],
  ],
  [
    "the shards, which end by the signal, but not the merge",
    {
      squeue: "echo 7",
      scancel: 'case "$1" in *-merge) echo "Socket timed out" >&2; exit 1;; esac',
      kubectl: "",
    },
    undefined,
    3,
    ["Slurm: scancel failed: Socket timed out\n", "Slurm does not queue its running shards again"],
  ],
  [
    "a job of Slurm next to a kubectl without a cluster",
    {
      squeue: "echo 7",
      scancel: "",
      kubectl: NO_CLUSTER,
    },
    undefined,
    0,
    ["Kubernetes: kubectl failed: Unable to connect", "\nCanceled retort-in"],
  ],
  ["no job of Slurm without scancel", { squeue: "echo 7", kubectl: "" }, OF_TASK, 3, [
    "Slurm: scancel is not installed here\nKubernetes: no job of this output in",
    "Slurm still has the job retort-in",
  ]],
  ["a job, perhaps, without squeue", { scancel: "", kubectl: "" }, OF_TASK, 3, [
    "Slurm: scancel does not say whether there was a job, and squeue is not installed here\n",
    "may still be there",
  ]],
  ["nothing without the programs", {}, OF_TASK, 3, [
    "Slurm: scancel is not installed here\nKubernetes: kubectl is not installed here\n",
    "may still be there",
  ]],
  ["nothing without the permission", EVERY_TOOL, withoutRun, 3, [
    "Slurm: Retort has no permission to run scancel: start it with deno task submit\n",
    "Kubernetes: Retort has no permission to run kubectl",
  ]],
];
for (const [name, tools, cli, expectedCode, texts] of CANCELS) {
  Deno.test({
    name: `submit cancel says what it did: it cancels ${name}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const { code, text, isMarked } = await runWith("cancel", tools, cli);
      for (const expected of texts) assertStringIncludes(text, expected);
      assertEquals(code, expectedCode, text);
      assertEquals(text.includes("\nCanceled "), texts.includes("\nCanceled retort-in"));
      // The shards of a job that stays in the queue are queued again at their time limit.
      assertEquals(isMarked, !text.includes("Slurm still has the job"));
    },
  });
}

Deno.test({
  name:
    "submit cancel cancels a job whose pods write as another user, to a folder that it cannot write to",
  ignore: Deno.build.os === "windows",
  async fn() {
    // A folder in place of the file fails for every user, also for root.
    const prepare = (dir: TempDir) => Deno.mkdir(dir.path("out/.retort/in.cancelled"));
    const tools = { ...EVERY_TOOL, kubectl: "echo deleted" };
    const canceled = await runWith("cancel", tools, undefined, prepare);
    assertEquals(canceled.code, 0, canceled.text);
    assertStringIncludes(canceled.text, "Canceled retort-in");
    const refused = await runWith("cancel", EVERY_TOOL, undefined, prepare);
    assertEquals(refused.code, 6, refused.text);
    assertStringIncludes(
      refused.text,
      "Kubernetes: no job of this output in the current namespace",
    );
    assertStringIncludes(refused.text, "Cannot write ");
    const withoutKubectl = { squeue: "", scancel: "" };
    const onlySlurm = await runWith("cancel", withoutKubectl, OF_TASK, prepare);
    assertEquals(onlySlurm.code, 6, onlySlurm.text);
    assert(!onlySlurm.text.includes("Kubernetes"), onlySlurm.text);
  },
});

const STATUSES: [string, Tools, CliServer | string[] | undefined, string][] = [
  ["empty queues", EVERY_TOOL, undefined, "Slurm: nothing in the queue\nKubernetes: no job of"],
  [
    "a kubectl that fails",
    { kubectl: NO_CLUSTER },
    OF_TASK,
    "Kubernetes: kubectl failed: Unable to connect to the server\n",
  ],
  [
    "a kubectl without a configuration",
    {
      squeue: "",
      kubectl: "echo 'The connection to the server localhost:8080 was refused - did you specify " +
        "the right host or port?' >&2; exit 1",
    },
    OF_TASK,
    "Slurm: nothing in the queue\nKubernetes: kubectl has no cluster configured here\n",
  ],
  [
    "a squeue that fails next to jobs of Kubernetes",
    { squeue: NO_SLURM, kubectl: "echo job" },
    undefined,
    "Slurm: squeue failed: squeue: error: slurm_load_jobs\nKubernetes:\njob\n" +
    "To see why pods fail or do not start: kubectl describe job retort-in-",
  ],
  ["a missing squeue", { scancel: "", kubectl: "" }, OF_TASK, "finished\nKubernetes: no job of"],
  ["a missing kubectl", { squeue: "" }, OF_TASK, "finished\nSlurm: nothing in the queue\n"],
  ["no programs", {}, OF_TASK, "neither squeue nor kubectl is installed here\n"],
  ["no permission", EVERY_TOOL, withoutRun, "deno task submit status queries Slurm and"],
];
for (const [name, tools, cli, expected] of STATUSES) {
  Deno.test({
    name: `submit status tells ${name}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      assertStringIncludes((await runWith("status", tools, cli)).text, expected);
    },
  });
}

Deno.test({
  name: "submit status gives no advice about the pods of a job that is done",
  ignore: Deno.build.os === "windows",
  async fn() {
    const tools = { ...EVERY_TOOL, kubectl: "echo job" };
    const finish = (dir: TempDir) => runShards(dir.path("in.jsonl"), dir.path("out/"), 2);
    const { code, text } = await runWith("status", tools, undefined, finish);
    assertEquals(code, 0, text);
    assert(text.endsWith("Kubernetes:\njob\n"), text);
  },
});

/** What kubectl prints of the shards and of the merge, and the exit code and advice that follow. */
const JOBS_ELSEWHERE: [string, string, string, number, RegExp][] = [
  ["done", "Complete   8/8   11s   13s", "Complete   1/1   12s   13s", 0, /13s\n$/],
  ["done, by kubectl before 1.31", "8/8   11s   13s", "1/1   12s   13s", 0, /13s\n$/],
  ["running", "Running   1/8   11s   13s", "Running   0/1   11s   13s", 3, /kubectl logs POD\n$/],
  [
    "not merged",
    "Complete   8/8   11s   13s",
    "Failed   0/1   11s   13s",
    3,
    /kubectl logs POD\n$/,
  ],
  ["waiting in vain", "Failed   7/8   3h   4h", "Running   0/1   4h   4h", 3, /cancel the job/],
];
for (const [name, shards, merge, expectedCode, expected] of JOBS_ELSEWHERE) {
  Deno.test({
    name: `the status of a job whose output is only in the cluster is that of its Jobs: ${name}`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = await tempDir();
      const kubectl = `name=\${3#*(}; name=\${name%%,*}\n` +
        `echo "$name   ${shards}"; echo "$name-merge   ${merge}"`;
      await Deno.chmod(await dir.write("bin/kubectl", `#!/bin/bash\n${kubectl}\n`), 0o755);
      const env = { PATH: dir.path("bin") };
      const status = ["submit", "status", dir.path("out/in.jsonl")];
      const { code, stdout } = await permitted.run(status, { env });
      assertEquals(code, expectedCode, stdout);
      assertMatch(stdout, expected);
    },
  });
}

const FAILED_SUBMITS: [
  "slurm" | "kubernetes",
  Tools,
  CliServer | string[] | undefined,
  number,
  string,
][] = [
  [
    "slurm",
    {},
    OF_TASK,
    2,
    "Cannot submit: sbatch is not installed here. Leave out --send to print the input for sbatch",
  ],
  [
    "slurm",
    {},
    undefined,
    2,
    "Cannot submit: sbatch is not installed here. Leave out --send to print the input for sbatch",
  ],
  [
    "slurm",
    { sbatch: "" },
    withoutRun,
    2,
    "Retort has no permission to run sbatch: start it with",
  ],
  ["slurm", { sbatch: "echo a >&2; echo b >&2; exit 1" }, undefined, 6, "sbatch failed: a\nb"],
  ["slurm", { sbatch: "exit 7" }, OF_TASK, 6, "Cannot submit: sbatch failed: exit code 7"],
  ["kubernetes", {}, OF_TASK, 2, "Cannot submit: kubectl is not installed here"],
  [
    "kubernetes",
    {
      kubectl: `echo 'Error from server (AlreadyExists): error when creating "STDIN"' >&2; exit 1`,
    },
    undefined,
    2,
    "this output already has a job. Cancel it first (all answers are kept): ",
  ],
  // A quota may allow the first of two jobs.
  [
    "kubernetes",
    { kubectl: "echo job.batch/x created; echo 'exceeded quota' >&2; exit 1" },
    undefined,
    6,
    "kubectl failed: exceeded quota\nA part of the job was created. Cancel it: ",
  ],
  // There is nothing to cancel.
  [
    "kubernetes",
    { kubectl: "echo 'namespaces \"x\" not found' >&2; exit 1" },
    undefined,
    6,
    'Cannot submit: kubectl failed: namespaces "x" not found\n',
  ],
  [
    "kubernetes",
    { kubectl: "echo 'failed to download openapi: Get \"http://localhost:8080/\"' >&2; exit 1" },
    undefined,
    6,
    "Cannot submit: kubectl has no cluster configured here\n",
  ],
];

Deno.test({
  name: "a tool that is missing, forbidden or fails is named as such, and nothing is submitted",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const [action, tools, cli, expectedCode, expected] of FAILED_SUBMITS) {
      const { code, text } = await runWith(action, tools, cli);
      assertStringIncludes(text, expected);
      assertEquals(code, expectedCode, text);
      assertEquals(text.includes("submit cancel"), /Cancel it/.test(expected), text);
    }
  },
});

Deno.test("submit cancel and status take one output", async () => {
  for (const [action, what] of [["cancel", "cancel a job"], ["status", "show the status of"]]) {
    const { code, stderr } = await runCli(["submit", action, "a/", "b/"]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, what);
    assertStringIncludes(stderr, "it takes one output, and 2 were named");
    assertStringIncludes((await runCli(["submit", action])).stderr, "without its output");
  }
});

function optionsOf(flags: Record<string, string>) {
  const all = new Map(Object.entries({ volume: "claim:/data", ...flags }));
  return kubernetesOptions(new Settings({ command: "submit", inputs: [], flags: all }));
}

for (
  const [flag, value] of [
    ["memory", "512"],
    ["memory", "1GB"],
    ["namespace", "Team"],
    ["secret", "/key"],
    ["secret", "my_secret"],
    ["secret", "teacher/a/b"],
    ["secret", "my..secret"],
    ["secret", "my-.secret"],
    ["secret", "teacher/..key"],
    ["volume", "claim"],
    ["volume", "claim:data"],
    ["volume", "Claim:/data"],
    ["volume", "claim:/a:/b"],
    ["image", "retort 1"],
  ]
) {
  Deno.test(`--${flag} ${value}, which Kubernetes would reject, is refused`, () => {
    assertThrows(() => optionsOf({ [flag]: value }), UsageError, `Cannot use --${flag} "${value}"`);
  });
}

Deno.test("values that Kubernetes accepts are accepted", () => {
  const { secret, memory, namespace, claim, mountPath } = optionsOf({
    ...{ secret: "my.secret/API_KEY.1", memory: "1.5Gi", namespace: "team-1" },
    volume: "shared.claim:/mnt/my data",
  });
  assertEquals({ secret, memory, namespace, claim, mountPath }, {
    ...{ secret: { name: "my.secret", key: "API_KEY.1" }, memory: "1.5Gi", namespace: "team-1" },
    ...{ claim: "shared.claim", mountPath: "/mnt/my data" },
  });
  assertEquals(optionsOf({ secret: "teacher" }).secret, { name: "teacher", key: "api-key" });
  assertEquals(optionsOf({}).secret, undefined);
});

Deno.test("answers outside the volume of a Kubernetes job are refused, because they would be deleted with their pods", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const submit = (...flags: string[]) =>
    permitted.run(
      ["submit", "kubernetes", input, "-m", "m", "--shards=2", ...KUBERNETES, ...flags],
      { cwd: dir.root },
    );
  for (
    const flags of [
      ["-o", "/scratch/out/"],
      ["-o", "/database/out/"],
      ["-o", "/data.jsonl"],
      ["-o", "../out/"],
      ["-o", "out/", "--merge=/data/../all.jsonl"],
    ]
  ) {
    const { code, stderr } = await submit(...flags);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, "pods keep only what they write to the volume");
    assertStringIncludes(stderr, "a path below /data");
  }
  assertEquals(await dir.names("."), ["in.jsonl"]);
  assertExit(await submit("-o", "a/../out/", "--merge", "/data/./all.jsonl"), 0);
});

Deno.test("an input that only the cluster has is refused if the name of its results is unknown", async () => {
  await using dir = await tempDir();
  await dir.write("in/a.jsonl", prompts(0, 4));
  const flags = ["--shards=2", "-m", "m", ...kubernetesIn(dir)];
  const submit = async (input: string, output: string) => {
    const job = ["submit", "kubernetes", dir.path(input), "-o", dir.path(output), ...flags];
    const { code, stdout, stderr } = await runCli(job);
    if (code === 0) return manifestsOf(stdout)[1].spec.template.spec.containers[0].args[1];
    assertEquals(code, 2);
    assertStringIncludes(stderr, `Name the results, as in -o ${dir.path("out/all.jsonl")}`);
  };
  // Of a folder or pattern of one file, the results have the name of the file.
  assertEquals(await submit("in/", "out/"), dir.path("out/a.jsonl"));
  for (const input of ["absent/", "absent", "absent/*.jsonl", "absent/a?.csv"]) {
    assertEquals(await submit(input, "out/"), undefined, input);
    assertEquals(await submit(input, "out/b.jsonl"), dir.path("out/b.jsonl"));
  }
  assertEquals(await submit("absent/a.jsonl.gz", "out/"), dir.path("out/a.jsonl"));
  const several = [dir.path("absent/"), dir.path("b.jsonl"), "-o", dir.path("out/")];
  assertExit(await runCli(["submit", "kubernetes", ...several, ...flags]), 0);
});

Deno.test("a setting that no shard could start with is refused before the job is in the queue", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const submitTo = (where: string[], ...flags: string[]) =>
    runCli(["submit", ...where, input, "-o", dir.path("out/"), "--shards=2", "-m", "m", ...flags]);
  const submit = (...flags: string[]) => submitTo(["slurm"], ...flags);
  const cluster = ["kubernetes", ...kubernetesIn(dir)];
  for (
    const [flag, expected] of [
      ["--concurrency=0", 'Cannot use --concurrency "0"'],
      ["--template=@none.txt", "none.txt"],
      ["--config=none.yaml", "none.yaml"],
    ]
  ) {
    const { code, stdout, stderr } = await submit(flag);
    assertEquals([code, stdout], [2, ""], stderr);
    assertStringIncludes(stderr, expected);
    // Files may exist in the cluster only.
    assertExit(await submitTo(cluster, flag), flag.includes("none") ? 0 : 2);
  }
  const broken = await dir.write("broken.yaml", "concurrency: 0\n");
  assertExit(await submitTo(cluster, `--config=${broken}`), 2);
  const config = await dir.write("c.yaml", "api-key-file: none\n");
  for (const flag of [`--api-key-file=${dir.path("none")}`, `--config=${config}`]) {
    const missingKey = await submit(flag);
    assertExit(missingKey, 0);
    assertStringIncludes(missingKey.stderr, "Warning: there is no key file");
  }
});

Deno.test("settings of --config count like flags: for the borders, the merge and what is refused", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const key = await dir.write("key.txt", "sk-in-a-file");
  const env = {
    OPENAI_API_KEY: "sk-here",
    TEACHER_KEY: "sk-here",
    TEACHER_URL: "http://gpu:8000/v1",
  };
  const submit = async (lines: string, ...flags: string[]) => {
    const config = await dir.write("c.yaml", `model: m\n${lines}\n`);
    const job = ["submit", "slurm", input, "-o", dir.path("out/"), "--shards=2"];
    return await runCli([...job, `--config=${config}`, ...flags], { env });
  };
  const file = `api_key_file: ${key}\n`;
  const limited = await submit(`${file}limit: 3\ninput_format: txt`);
  assertExit(limited, 0);
  assertStringIncludes(limited.stderr, "--limit=3");
  assertStringIncludes(await dir.read("out/.retort/in.shards-2.json"), '"format":"txt"');
  for (
    const [lines, words] of [
      [`${file}duplicates: keep`, "--duplicates keep"],
      [`${file}monitor: 8123`, 'monitor in "'],
      [`${file}report: r.html`, 'report in "'],
      [`${file}no_resume: true`, 'resume in "'],
      [`${file}dry_run: true`, 'dry-run in "'],
      [`${file}headers: { api-key: "@env:TEACHER_KEY" }`, 'the --header "api-key" with @env'],
      [`${file}base_url: "@env:TEACHER_URL"`, "--base-url with @env"],
      [
        `teachers: [{ base_url: "@env:TEACHER_URL", api_key_file: ${key} }]`,
        "--base-url with @env",
      ],
      [`teachers: [{ api_key_env: TEACHER_KEY }, { api_key_file: ${key} }]`, "key in a variable"],
      ["api_key_env: TEACHER_KEY", "key in a variable"],
      ["", "key in OPENAI_API_KEY"],
    ]
  ) {
    const { code, stdout, stderr } = await submit(lines);
    assertEquals([code, stdout], [2, ""], `${lines}: ${stderr}`);
    assertStringIncludes(stderr, words);
  }
  const accepted = [
    `${file}resume: true\ninput_format: txt\nmonitor: true`,
    `teachers: [{ api_key_file: ${key} }]`,
  ];
  assertExit(await submit(accepted[0]), 0);
  await Deno.remove(dir.path("out/.retort"), { recursive: true });
  assertExit(await submit(accepted[1]), 0);
  const onNode = `${file}base_url: "@env:TEACHER_URL"`;
  assertExit(await submit(onNode, "--before", "source serve.sh"), 0);
  const keys = [
    `${file}headers: { api-key: "@env:TEACHER_KEY" }`,
    "api_key_env: TEACHER_KEY",
    "teachers: [{ api_key_env: TEACHER_KEY }]",
    "api_key_env: OTHER_KEY\nteachers: [{ api_key_env: TEACHER_KEY }]",
  ];
  for (const lines of keys) {
    assertExit(await submit(lines, "--before", "export TEACHER_KEY=$(cat key)"), 0);
    const { code } = await submit(lines, "--before", "module load deno");
    assertEquals(code, 2, lines);
  }
  assertExit(await submit("", "--before", "export OPENAI_API_KEY=$(cat key)"), 0);
  const second = "teachers: [{ api_key_env: TEACHER_KEY }, { base_url: http://b/v1 }]";
  const { stderr } = await submit(second, "--before", "export TEACHER_KEY=$(cat key)");
  assertStringIncludes(stderr, "key in OPENAI_API_KEY");
});

Deno.test("a file that the merge could not write is refused before the job is in the queue", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  await runShard(input, dir.path("run/"), {});
  const refused = async (merge: string, words: string) => {
    const flags = ["-o", dir.path("out/"), "--shards=2", "-m", "m", "--merge", merge];
    for (const where of [["slurm"], ["kubernetes", ...kubernetesIn(dir)]]) {
      const { code, stdout, stderr } = await runCli(["submit", ...where, input, ...flags]);
      assertEquals([code, stdout], [2, ""], stderr);
      assertStringIncludes(stderr, words);
    }
  };
  await refused(dir.path("out/all.jsonl"), "the shards are in the same folder");
  await refused(dir.path("run/../out/all.jsonl"), "the shards are in the same folder");
  await refused(input, "it is the input");
  await refused(dir.path("run/in.jsonl"), "a run has written to it");
  assertEquals(await dir.exists("out"), false);
});

const UNIT = Deno.build.os === "windows" ? "character" : "byte";

Deno.test("a name that is too long for the files of the shards is refused before the job is in the queue", async () => {
  await using dir = await tempDir();
  const input = await dir.write(`${"x".repeat(211)}.jsonl`, prompts(0, 4));
  const flags = ["-o", dir.path("out/"), "--shards=2", "-m", "m"];
  const { code, stdout, stderr } = await runCli(["submit", "slurm", input, ...flags]);
  assertEquals([code, stdout], [2, ""], stderr);
  assertStringIncludes(stderr, `its name is 1 ${UNIT} too long. Name a shorter output`);
});

Deno.test("--program is words or the path of a file, which may have spaces", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const program = await dir.write("my tools/retort", "");
  for (const [given, words] of [[program, `'${program}'`], ["srun  retort", "srun retort"]]) {
    const flags = ["--shards=2", "-m", "m", "--program", given];
    const { stdout } = await runCli(["submit", "slurm", input, "-o", dir.path("out/"), ...flags]);
    assertStringIncludes(stdout, `\n  ${words} run ${input} `);
  }
});

Deno.test("flags of the other scheduler are refused, because the job would run without them", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  for (
    const [where, ...flags] of [["kubernetes", ...KUBERNETES, "--time=1h"], ["slurm", "--image=x"]]
  ) {
    const job = [input, "-o", dir.path("out/"), "--shards=2", "-m", "m", ...flags];
    const { code, stderr } = await runCli(["submit", where, ...job]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, `with "submit ${where}": it belongs to `);
  }
});

Deno.test("a time limit that would end shards as soon as they have started is refused", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const submit = (time: string, lead: string) => {
    const flags = ["--shards=2", "-m", "m", "--time", time, "--lead", lead];
    return runCli(["submit", "slurm", input, "-o", dir.path("out/"), ...flags]);
  };
  // Slurm may send the signal a minute early.
  for (const [time, lead] of [["3m", "2m"], ["0-0:02:59", "2m"], ["90", "30s"]]) {
    const { code, stderr } = await submit(time, lead);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, `Cannot use --time "${time}": shards get the signal`);
  }
  for (const [time, lead] of [["3:01", "2m"], ["0:03:01", "2m"], ["91", "30s"], ["0-1", "50m"]]) {
    assertExit(await submit(time, lead), 0);
  }
});

/** The output of `submit status`. */
async function statusOf(output: string, flags: [string, string][] = []): Promise<string> {
  let text = "";
  const settings = new Settings({ command: "submit", inputs: [], flags: new Map(flags) });
  const io = { writeOut: (more: string) => text += more } as unknown as Io;
  await statusCommand([output], settings, io);
  return text;
}

Deno.test("the status of one of several divisions is shown with --shards", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  const pinned = { stem: dir.path("out/in"), isNamed: false, wholeResults: [] };
  for (const count of [2, 5]) await planFor(pinned, [input], count);
  await assertRejects(() => statusOf(dir.path("out")), UsageError, "--shards 5");
  assertStringIncludes(
    await statusOf(dir.path("out"), [["shards", "5"]]),
    "5 shards: 5 not started",
  );
});

Deno.test("the status counts rows of shards that are running, also without their run file", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out");
  await runShards(input, `${output}/`, 2);
  for (const [index, deletesRunFile] of [[0, true], [1, false]] as const) {
    const stem = `in-0000${index}-of-00002`;
    const status = JSON.parse(await dir.read(`out/.retort/${stem}.status.json`));
    const running = { ...status, ended: false, state: "running", succeeded: 2, failed: 1 };
    await dir.write(`out/.retort/${stem}.status.json`, JSON.stringify(running));
    const runFile = JSON.parse(await dir.read(`out/${stem}.run.json`));
    if (deletesRunFile) await Deno.remove(dir.path(`out/${stem}.run.json`));
    else {
      await dir.write(`out/${stem}.run.json`, JSON.stringify({ ...runFile, summary: null }));
    }
  }
  const text = await statusOf(output);
  assertStringIncludes(text, "2 shards: 2 running or killed");
  assertStringIncludes(text, "have started: 6 of 10 finished, 2 of them failed");
});

Deno.test("the status tells a shard whose disk failed from one that could not start", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out");
  await planFor({ stem: `${output}/in`, isNamed: false, wholeResults: [] }, [input], 2);
  for (const [index, reason] of [[0, null], [1, "it could not start"]] as const) {
    const status = { retort: "0.1.0", beat: 1, started: "", ended: true, state: "failed", reason };
    await dir.write(`out/.retort/in-0000${index}-of-00002.status.json`, JSON.stringify(status));
  }
  const text = await statusOf(output);
  assertStringIncludes(text, "2 shards: 1 failed, 1 failed to start\n");
  assertStringIncludes(text, "shard 0 of 2: failed: its log says why\n");
});

Deno.test("the status names a shard whose run file is damaged, beside the others", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out");
  await runShards(input, `${output}/`, 2);
  await dir.write("out/in-00001-of-00002.run.json", "{");
  const text = await statusOf(output);
  assertStringIncludes(text, "2 shards: 1 done, 1 damaged");
  assertStringIncludes(text, "shard 1 of 2: damaged: Cannot read");
});

Deno.test("the status counts failed rows, and names the logs until all is done", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out");
  await dir.write("out/.retort/logs/x.log", "");
  const run = (index: number) =>
    runShard(input, `${output}/`, { shard: { index, count: 2 }, refused: ["p0", "p2", "p8"] });
  await run(0);
  const half = await statusOf(output);
  assertStringIncludes(half, "2 shards: 1 done, 1 not started");
  assertStringIncludes(half, `Logs: ${output}/.retort/logs/`);
  await run(1);
  const whole = await statusOf(output);
  assertStringIncludes(
    whole,
    "Rows of the shards that have started: 10 of 10 finished, 3 of them failed",
  );
  assertEquals(whole.includes("Logs:"), false);
});

Deno.test("until a shard has started, the status is not that of other runs in the folder", async () => {
  await using dir = await tempDir();
  const other = await dir.write("other.jsonl", prompts(0, 4)), output = dir.path("out");
  await runShard(other, `${output}/`, {});
  const input = await dir.write("in.jsonl", prompts(10, 20));
  await planFor({ stem: `${output}/in`, isNamed: false, wholeResults: [] }, [input], 2);
  const text = await statusOf(output);
  assertStringIncludes(text, "2 shards: 2 not started");
  assertStringIncludes(text, "have started: 0 of 0 finished");
});

Deno.test("the status names a shard whose results were deleted, and is not done", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out");
  await runShards(input, `${output}/`, 2, { refused: ["p5"] });
  assertStringIncludes(await statusOf(output), "2 shards: 2 done");
  const results = dir.path("out/in-00001-of-00002.jsonl");
  await Deno.rename(results, results.replace(".jsonl", ".rescued-1.jsonl"));
  assertStringIncludes(await statusOf(output), "2 shards: 2 done");
  await Deno.remove(results.replace(".jsonl", ".rescued-1.jsonl"));
  const text = await statusOf(output);
  assertStringIncludes(text, "2 shards: 1 done, 1 without its results");
  assertStringIncludes(text, `shard 1 of 2: without its results: "${results}" is gone`);
  assertStringIncludes(text, "have started: 6 of 10 finished, 1 of them failed");
});

Deno.test("a limit that shards of compressed files cannot keep is refused before the job is in the queue", async () => {
  await using dir = await tempDir();
  const inputs = [dir.path("a.jsonl.gz"), dir.path("b.jsonl.gz")];
  for (const path of inputs) {
    const rows = new Blob(['{"prompt":"p"}\n']).stream();
    await Deno.writeFile(path, rows.pipeThrough(new CompressionStream("gzip")));
  }
  const flags = ["-o", dir.path("out/"), "-m", "m", "--shards=2"];
  assertExit(await runCli(["submit", "slurm", ...inputs, ...flags]), 0);
  const { code, stdout, stderr } = await runCli([
    ...["submit", "slurm", ...inputs, ...flags, "--limit=1"],
  ]);
  assertEquals([code, stdout], [2, ""], stderr);
  assertStringIncludes(stderr, "Cannot use --limit with shards of compressed files");
});

Deno.test("a job is refused if its shards have answers of another model, or were moved by a merge", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 10)), output = dir.path("out/");
  // Shard 0 has no answers, so only a look at all shards finds those of shard 1.
  await runShard(input, output, { shard: { index: 1, count: 2 } });
  for (const where of [["slurm"], ["kubernetes", ...kubernetesIn(dir)]]) {
    const submit = (...flags: string[]) =>
      runCli(["submit", ...where, input, "-o", output, "--shards=2", ...flags]);
    for (const flags of [["-m", "other"], ["-m", "echo", "-p", "seed=1"]]) {
      const { code, stdout, stderr } = await submit(...flags);
      assertEquals([code, stdout], [2, ""], stderr);
      assertStringIncludes(stderr, 'in-00001-of-00002.jsonl" were created with different settings');
    }
    assertExit(await submit("-m", "other", "--allow-mixed"), 0);
    assertExit(await submit("-m", "echo"), 0);
  }
  await runShard(input, output, { shard: { index: 0, count: 2 } });
  const merge = ["merge", output, "-o", dir.path("merged/in.jsonl"), "--tidy"];
  assertExit(await runCli(merge), 0);
  const merged = await runCli(["submit", "slurm", input, "-o", output, "--shards=2", "-m", "echo"]);
  assertEquals([merged.code, merged.stdout], [2, ""], merged.stderr);
  assertStringIncludes(merged.stderr, "the shards were merged, and their files were moved");
});

Deno.test("a job continues whose teachers are in a list that --base-url names", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", prompts(0, 10));
  const list = await dir.write("list.txt", `${server.url}\n`);
  const config = await dir.write(
    "c.yaml",
    `teachers: [{ model: a }, { model: b, base_url: "${server.url}" }]\n`,
  );
  const flags = [input, "-o", dir.path("out/"), `--config=${config}`, `--base-url=@${list}`];
  assertExit(await runCli([...flags, "--shard=0/2"]), 0);
  assertExit(await runCli(["submit", "slurm", ...flags, "--shards=2"]), 0);
});

Deno.test("a flag that every teacher of the configuration overrides is refused before the job is in the queue", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 2));
  const config = await dir.write("c.yaml", "teachers: [{ model: a }]\n");
  const flags = [input, "-o", dir.path("out/"), "--shards=2", `--config=${config}`, "-m", "m"];
  for (const where of [["slurm"], ["kubernetes", ...kubernetesIn(dir)]]) {
    const { code, stdout, stderr } = await runCli(["submit", ...where, ...flags]);
    assertEquals([code, stdout], [2, ""], stderr);
    assertStringIncludes(
      stderr,
      "Cannot use --model: every teacher of the configuration has its own",
    );
  }
});
