/** What page and report say about the run. @module */

import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { asRetry } from "../../cli/continue.ts";
import { aboutRun } from "../../cli/run_command.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { makeSummary } from "../progress/fixtures.ts";

const FILE = {
  input: "in.jsonl",
  results: "out/in.jsonl",
  failures: "out/in_error.jsonl",
  total: 2,
  succeeded: 1,
  failed: 1,
  pending: 0,
};

const io = { program: "retort", env: () => undefined };

function about(
  parts: Parameters<typeof makeSummary>[0] | undefined,
  { system, isRetry = false }: { system?: string; isRetry?: boolean } = {},
) {
  const args = parseCommandLine(["in.jsonl", "-o", "out/", "-m", "qwen3"]);
  const request = {
    run: { input: ["in.jsonl"], output: "out/" },
    generator: { params: { temperature: 0.7 }, system },
  };
  const nextArgs = { thisRun: args, pendingRows: args };
  return aboutRun(args, () => isRetry ? asRetry(nextArgs) : nextArgs, request, io)(
    parts === undefined ? null : makeSummary(parts),
  );
}

Deno.test("aboutRun() names command, inputs, output, parameters and texts, and no command yet", () => {
  const { facts, commands } = about(undefined, { system: "Be brief" });
  const byName = Object.fromEntries(facts.map(({ name, text }) => [name, text]));
  assertEquals(byName.Command, "retort in.jsonl -o out/ -m qwen3");
  assertStringIncludes(byName.Version, "retort ");
  assertEquals([byName.Input, byName.Output, byName.Parameters, byName["System prompt"]], [
    "in.jsonl",
    "out/",
    '{"temperature":0.7}',
    "Be brief",
  ]);
  assertEquals([byName.Template, commands], [undefined, []]);
});

Deno.test("aboutRun() names the commands that retry, continue and export", () => {
  const named = (parts: Parameters<typeof makeSummary>[0]) =>
    about({ files: [FILE], pending: 0, ...parts }).commands
      .map(({ name, command }) => `${name}: ${command}`);
  const exported = "Export: retort export out/in.jsonl -o train.jsonl --format messages";
  assertEquals(named({ state: "done", failures_on_disk: 1 }), [
    "Retry: retort retry in.jsonl -o out/ -m qwen3",
    exported,
  ]);
  assertEquals(
    named({ state: "halted", pending: 1 })[0],
    "Continue: retort in.jsonl -o out/ -m qwen3",
  );
  assertEquals(named({ state: "done", failures_on_disk: 0 }), [exported]);
  assertEquals(named({ state: "done", files: [{ ...FILE, succeeded: 0 }] }), []);
  assertEquals(named({ state: "done", files: Array(9).fill(FILE) }), [], "it would be too long");
});

Deno.test("aboutRun() continues a stopped retry that the page requested as a retry", () => {
  const stopped = { state: "interrupted", pending: 0, failures_on_disk: 1 } as const;
  const [{ command }] = about(stopped, { isRetry: true }).commands;
  assertEquals(command, "retort retry in.jsonl -o out/ -m qwen3");
});

Deno.test("aboutRun() truncates a very long text", () => {
  const { facts } = about(undefined, { system: "x".repeat(1e6) });
  assertEquals(facts.at(-1)?.text.length, 20_000);
});
