/** What page and report say about the run. @module */

import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
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

function about(parts: Parameters<typeof makeSummary>[0] | undefined, system?: string) {
  const args = parseCommandLine(["in.jsonl", "-o", "out/", "-m", "qwen3"]);
  const request = {
    run: { input: ["in.jsonl"], output: "out/" },
    generator: { params: { temperature: 0.7 }, system },
  };
  return aboutRun(args, { thisRun: args, pendingRows: args }, request, io)(
    parts === undefined ? null : makeSummary(parts),
  );
}

Deno.test("aboutRun() names command, inputs, output, parameters and texts, and no command yet", () => {
  const { facts, commands } = about(undefined, "Be brief");
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
});

Deno.test("aboutRun() truncates a very long text", () => {
  const { facts } = about(undefined, "x".repeat(1e6));
  assertEquals(facts.at(-1)?.text.length, 20_000);
});
