/** Names of files and models, and prompts, with control sequences: no command prints them. */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { type CliResult, POSIX, runCli, shellWords } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit } from "./fixture.ts";

/** A title, a color by C1 and by escape, reversed text, a direction mark, a forged line. */
const HOSTILE = "x\x1b]0;owned\x07\x9b31m\x1b[2Jy\u202ez\u2066\u061c\u200f\r\x7fw";

// deno-lint-ignore no-control-regex
const STEERING = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

function assertHarmless(name: string, { stdout, stderr }: CliResult): void {
  for (const text of [stdout, stderr]) {
    assertEquals([name, STEERING.exec(text)?.[0], text], [name, undefined, text]);
  }
}

Deno.test(
  "no name of a file or a model and no prompt can control the terminal",
  POSIX,
  async () => {
    await using dir = await tempDir();
    await using server = serveLedger((request) =>
      request.prompt.includes("halt")
        ? new Response(`no money ${HOSTILE}`, { status: 402 })
        : undefined
    );
    const rows = [{ id: HOSTILE, prompt: HOSTILE }, { id: "2", prompt: "ok" }];
    const input = await dir.write(`${HOSTILE}.jsonl`, rows);
    const bad = await dir.write(`bad${HOSTILE}.jsonl`, `{"prompt":"p"}\n${HOSTILE}\n`);
    const halting = await dir.write(`halt${HOSTILE}.jsonl`, [{ prompt: "halt" }, {
      prompt: "halt 2",
    }]);
    const out = dir.path(`out${HOSTILE}/`);
    const results = `${out}${HOSTILE}.jsonl`;
    const model = ["-m", HOSTILE, "--base-url", server.url];
    const exported = dir.path(`t${HOSTILE}.jsonl`);
    const config = await dir.write(
      `c${HOSTILE}.yaml`,
      `"mod${HOSTILE.replaceAll(/[^\x20-\x7e]/g, "")}": 1\n`,
    );
    const cases: [name: string, code: number, args: string[]][] = [
      ["dry run", 0, [input, "-o", out, ...model, "--dry-run"]],
      ["run", 0, [input, "-o", out, ...model, "--report", dir.path(`r${HOSTILE}.html`)]],
      ["run again", 0, [input, "-o", out, ...model]],
      ["run as JSON", 0, [
        input,
        "-o",
        dir.path(`json${HOSTILE}/`),
        ...model,
        "--progress",
        "json",
      ]],
      ["run in plain lines", 0, [
        input,
        "-o",
        dir.path(`plain${HOSTILE}/`),
        ...model,
        "--progress",
        "plain",
      ]],
      ["halted", 5, [halting, "-o", out, ...model]],
      ["halted and quiet", 5, [halting, "-o", out, ...model, "--quiet"]],
      ["bad rows", 2, [bad, "-o", out, ...model]],
      ["skipped bad rows", 3, [bad, "-o", out, ...model, "--skip-bad-rows"]],
      ["skipped bad rows, quiet", 3, [bad, "-o", out, ...model, "--skip-bad-rows", "--quiet"]],
      ["another model", 2, [input, "-o", out, "-m", `${HOSTILE}2`, "--base-url", server.url]],
      ["verify", 0, ["verify", input, "-o", out]],
      ["verify what is not whole", 3, ["verify", halting, "-o", out]],
      ["export", 0, ["export", results, "-o", exported, "--format", "messages"]],
      ["export over a file", 2, ["export", results, "-o", exported, "--format", HOSTILE]],
      ["export nothing", 2, ["export", `${results}2`, "-o", exported, "--format", "messages"]],
      ["no such file", 2, [`${input}2`, "-o", out, ...model]],
      ["no such flag", 2, [input, `--${HOSTILE}`]],
      ["no such choice", 2, [input, "-o", out, ...model, "--fsync", HOSTILE]],
      ["no such help", 2, ["help", HOSTILE]],
      ["no such address", 2, [input, "-o", out, "-m", "m", "--base-url", HOSTILE]],
      ["no such configuration", 2, ["--config", `${config}2`]],
      ["a bad configuration", 2, ["--config", config]],
      ["no such host for the monitor", 2, [
        input,
        "-o",
        out,
        ...model,
        "--monitor",
        "--monitor-host",
        HOSTILE,
      ]],
      ["no such simulation", 2, [input, "-o", out, `--simulate=${HOSTILE}=1`]],
    ];
    const outputs = new Map<string, CliResult>();
    for (const [name, code, args] of cases) {
      const result = await runCli(args);
      assertHarmless(name, result);
      assertExit(result, code);
      outputs.set(name, result);
    }
    const preview = JSON.parse(outputs.get("dry run")!.stdout);
    assertEquals(preview.body.messages[0].content, HOSTILE);
    assertEquals(preview.body.model, HOSTILE);
    const command = /To continue:?\s+(.*)/.exec(outputs.get("halted")!.stderr)?.[1] ?? "";
    assertStringIncludes(command, "$'");
    const words = await shellWords(command, "bash");
    assert(words.includes(halting) && words.includes(out) && words.includes(HOSTILE));
  },
);
