/** No export destroys a user's data. @module */

import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { convertFiles, type ExportOptions, exportResults } from "../../lib/export/mod.ts";
import { assertExit } from "../e2e/fixture.ts";
import { cleanEnv, type CliOptions, DENO_RUN, REPOSITORY, runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf, runFile } from "./results.ts";

/** A folder with a finished run over `prompts.jsonl`. */
async function folderOfRun(): Promise<TempDir> {
  const dir = await tempDir();
  const prompts = await dir.write("prompts.jsonl", [{ prompt: "hi" }]);
  const line = resultLineOf({ prompt: "hi" }, { source: `${prompts}:1` });
  await dir.write("out/prompts.jsonl", line + "\n");
  await dir.write(
    "out/prompts.run.json",
    runFile({}).replace('"prompts.jsonl"', JSON.stringify(prompts)),
  );
  await dir.write("out/prompts_error.jsonl", `{"uid":"x","prompt_hash":"","error":{}}\n`);
  return dir;
}

function exportTo(dir: TempDir, output: string, options: Partial<ExportOptions> = {}) {
  const results = dir.path("out/prompts.jsonl");
  return exportResults({ results, output: dir.path(output), format: "messages", ...options });
}

Deno.test("an export replaces a file that is not empty only with permission", async () => {
  await using dir = await folderOfRun();
  await dir.write("train.jsonl", "mine\n");
  await assertRejects(
    () => exportTo(dir, "train.jsonl"),
    UsageError,
    `Cannot write "${dir.path("train.jsonl")}": it is not empty. ` +
      "Add --replace to replace it, or name another output",
  );
  assertEquals(await dir.read("train.jsonl"), "mine\n");
  await exportTo(dir, "train.jsonl", { replace: true });
  assertEquals((await dir.rows("train.jsonl")).length, 1);
  await dir.write("empty.jsonl", "");
  await exportTo(dir, "empty.jsonl");
  assertEquals((await dir.rows("empty.jsonl")).length, 1);
});

Deno.test("an export never replaces a run's input or output, nor a folder", async () => {
  await using dir = await folderOfRun();
  // Another run's results without their run file, and this run's input under other names.
  await dir.write("moved.jsonl", resultLineOf({ id: 'a"b', prompt: "x" }) + "\n");
  await Deno.symlink(dir.path("prompts.jsonl"), dir.path("link.jsonl"));
  await Deno.link(dir.path("prompts.jsonl"), dir.path("hard.jsonl"));
  await Deno.mkdir(dir.path("folder"));
  const input = `it is the input that "${dir.path("out/prompts.jsonl")}" was made from`;
  const cases: [output: string, problem: string][] = [
    ["prompts.jsonl", input],
    ["link.jsonl", input],
    ["hard.jsonl", input],
    ["out/../prompts.jsonl", input],
    ["out/prompts.jsonl", "it is a results file that is exported"],
    ["out/prompts_error.jsonl", "it is the failures file of a run"],
    ["out/prompts.run.json", "it is the run file of a run"],
    ["moved.jsonl", "it is a results file of Retort"],
    ["folder", "it is a folder: name a file in it"],
    ["new/", "it is a folder: name a file in it"],
  ];
  const names = ["prompts.jsonl", "out/prompts.jsonl", "out/prompts_error.jsonl", "moved.jsonl"];
  const before = await Promise.all(names.map((name) => dir.read(name)));
  for (const [output, problem] of cases) {
    for (const replace of [false, true]) {
      await assertRejects(() => exportTo(dir, output, { replace }), UsageError, problem);
    }
  }
  assertEquals(await Promise.all(names.map((name) => dir.read(name))), before);
});

Deno.test("an export knows the run's input without the run file, by the source of its rows", async () => {
  await using dir = await folderOfRun();
  await Deno.remove(dir.path("out/prompts.run.json"));
  const options = { replace: true };
  await assertRejects(() => exportTo(dir, "prompts.jsonl", options), UsageError, "it is the input");
  assertEquals(await dir.read("prompts.jsonl"), '{"prompt":"hi"}\n');
});

Deno.test("an export through a link replaces what it points to, and the link stays", async () => {
  await using dir = await folderOfRun();
  await dir.write("real/train.jsonl", "old\n");
  await Deno.symlink(dir.path("real/train.jsonl"), dir.path("train.jsonl"));
  await exportTo(dir, "train.jsonl", { replace: true });
  assertEquals((await dir.rows("real/train.jsonl")).length, 1);
  assertEquals((await Deno.lstat(dir.path("train.jsonl"))).isSymlink, true);
});

Deno.test("an export without results is refused unless allowed", async () => {
  await using dir = await folderOfRun();
  await dir.write("out/prompts.jsonl", "");
  await assertRejects(
    () => exportTo(dir, "train.jsonl"),
    UsageError,
    "there is no result. Add --allow-empty if this is intended",
  );
  assertEquals(await dir.exists("train.jsonl"), false);
  assertEquals((await exportTo(dir, "train.jsonl", { allowEmpty: true })).rows, 0);
  assertEquals(await dir.read("train.jsonl"), "");
});

const TASK_PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write", "--allow-env"];

async function exportCli(dir: TempDir, args: string[], code: number, options?: CliOptions) {
  const results = dir.path("out/prompts.jsonl");
  const result = await runCli(["export", results, "--format", "messages", ...args], options);
  assertExit(result, code);
  return result;
}

Deno.test("export refuses on the command line too, with exit code 2", async () => {
  await using dir = await folderOfRun();
  const prompts = dir.path("prompts.jsonl"), train = await dir.write("train.jsonl", "mine\n");
  for (const more of [[], ["--replace"]]) {
    const { stderr } = await exportCli(dir, ["-o", prompts, ...more], 2);
    assertStringIncludes(stderr, `Cannot write "${prompts}": it is the input that`);
  }
  const { stderr } = await exportCli(dir, ["-o", train], 2);
  assertStringIncludes(stderr, "Add --replace to replace it");
  assertEquals([await dir.read("prompts.jsonl"), await dir.read("train.jsonl")], [
    '{"prompt":"hi"}\n',
    "mine\n",
  ]);
  const split = await exportCli(dir, ["-o", train, "--replace", "--validation", "1%"], 0);
  const validation = dir.path("train.validation.jsonl");
  assertStringIncludes(split.stderr, `Wrote 1 row to ${train} and 0 to ${validation}\n`);
  await dir.write("out/prompts.jsonl", "");
  const none = await exportCli(dir, ["-o", dir.path("none.jsonl")], 2);
  assertStringIncludes(none.stderr, "there is no result. Add --allow-empty");
  await exportCli(dir, ["-o", dir.path("none.jsonl"), "--allow-empty"], 0);
});

Deno.test({
  name: "export writes to pipes and devices, standard output included",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await folderOfRun();
    for (const output of ["/dev/stdout", "-", "/dev/fd/1"]) {
      for (const permissions of [TASK_PERMISSIONS, ["-A"]]) {
        const { stdout, stderr } = await exportCli(dir, ["-o", output], 0, { permissions });
        assertEquals(JSON.parse(stdout).messages[0], { role: "user", content: "hi" });
        const note = "Note: 1 row failed and is not in the output: the command retry sends";
        assertEquals(stderr, `${note} failed rows again\nWrote 1 row to ${output}\n`);
      }
    }
    await exportCli(dir, ["-o", "/dev/null"], 0);
    const fifo = dir.path("fifo");
    assertEquals((await new Deno.Command("mkfifo", { args: [fifo] }).output()).code, 0);
    const read = Deno.readTextFile(fifo);
    await exportCli(dir, ["-o", fifo], 0);
    assertEquals(JSON.parse(await read).messages.length, 2);
    assertEquals((await Deno.stat(fifo)).isFifo, true);
  },
});

Deno.test({
  name: "export ends with a word where no one reads the pipe, or the disk is full",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await folderOfRun();
    const line = resultLineOf({ prompt: "x".repeat(100_000) });
    await dir.write("out/prompts.jsonl", `${line}\n`.repeat(50));
    await Deno.remove(dir.path("out/prompts.run.json"));
    for (
      const [redirection, message] of [["| true", "its reader has ended"], [
        "> /dev/full",
        "No space left",
      ]]
    ) {
      const { stderr } = await new Deno.Command("bash", {
        args: [
          "-c",
          `set -o pipefail; "$@" ${redirection}; echo "code $?" >&2`,
          "bash",
          ...[Deno.execPath(), ...DENO_RUN, "-A", `${REPOSITORY}/cli.ts`, "export"],
          ...[dir.path("out/prompts.jsonl"), "-o", "-", "--format", "messages"],
        ],
        clearEnv: true,
        env: cleanEnv(dir.path("home")),
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertStringIncludes(text, `Cannot write "-": ${message}`);
      assertStringIncludes(text, "code 6");
    }
  },
});

/** Aborts when the export asks for the `n`th time whether it may continue. */
function abortedAt(n: number): AbortSignal {
  class CountedSignal extends EventTarget {
    readonly aborted = false;
    readonly reason = new DOMException("stopped", "AbortError");
    #count = 0;
    throwIfAborted(): void {
      if (++this.#count === n) throw this.reason;
    }
  }
  return new CountedSignal() as unknown as AbortSignal;
}

for (const n of [1, 4, 6]) {
  Deno.test(`an export that is aborted at row ${n} of two passes over 3 leaves no file`, async () => {
    await using dir = await tempDir();
    const lines = [1, 2, 3].map((id) =>
      resultLineOf({ id, prompt: `${id}` }, { source: `p.jsonl:${id}` })
    );
    const results = await dir.write("in/x.jsonl", `${lines.join("\n")}\n`);
    const output = dir.path("out/train.jsonl"), folder = dir.path("out/set");
    const common = { results, output, validation: 0.5 };
    for (
      const run of [
        () => exportResults({ ...common, format: "messages", signal: abortedAt(n) }),
        () => exportResults({ ...common, output: folder, format: "dataset", signal: abortedAt(n) }),
        () => convertFiles({ input: results, output, shuffle: 1, signal: abortedAt(n) }),
      ]
    ) {
      const error = await assertRejects(run, DOMException);
      assertEquals(error.name, "AbortError");
      const left = await Array.fromAsync(Deno.readDir(dir.path("out")), ({ name }) => name)
        .catch(() => []);
      assertEquals(left, []);
    }
    assertEquals((await exportResults({ ...common, format: "messages" })).rows, 3);
  });
}
