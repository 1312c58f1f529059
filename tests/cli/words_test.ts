/** Tests of cli/help.ts: words typed instead of a command or a flag. @module */

import { fileURLToPath } from "node:url";
import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { VERSION } from "../../lib/version.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { type CliOptions, runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "../e2e/fixture.ts";
import { commandHelp, mainHelp, withoutAliases } from "../../cli/help.ts";

async function said(args: string[], code: number, options?: CliOptions): Promise<string> {
  const result = await runCli(args, options);
  assertExit(result, code);
  return code === 0 ? result.stdout : result.stderr;
}

Deno.test("help and version are shown however they are requested", async () => {
  for (const args of [["version"], ["-v"], ["-V"], ["--version"], ["-version"]]) {
    assertEquals(await said(args, 0), `retort ${VERSION}\n`, args.join(" "));
  }
  for (const args of [["help"], ["-h"], ["-help"], ["-?"]]) {
    assertStringIncludes(await said(args, 0), mainHelp(), args.join(" "));
  }
  for (const args of [["help", "export"], ["export", "help"], ["export", "--help"]]) {
    assertStringIncludes(await said(args, 0), commandHelp("export"), args.join(" "));
  }
});

Deno.test("an input may be called like a member of every object", () => {
  assertEquals(withoutAliases(["toString", "-o", "constructor"]), [
    "toString",
    "-o",
    "constructor",
  ]);
});

Deno.test("a command that is mistyped or in the wrong place is reported", async () => {
  const cases: [args: string[], message: string][] = [
    [
      ["exprot", "a.jsonl"],
      'Cannot run "exprot": it is neither a command nor a file. Did you mean "export"?',
    ],
    [["exprot", "a.jsonl", "--format", "messages"], 'Did you mean "export"?'],
    [["verfiy", "a.jsonl"], 'Did you mean "verify"?'],
    [["Export", "a.jsonl"], 'Did you mean "export"?'],
    [["simluate"], 'Did you mean "simulate"?'],
    [["retyr", "a.jsonl"], 'Did you mean "retry"?'],
    [["halp"], 'Did you mean "help"?'],
    [["resume", "a.jsonl"], "Run the same command again: a run continues by itself"],
    [["check", "a.jsonl"], '"verify" checks an output, --dry-run an input'],
    [["help", "exprot"], 'Cannot show help for "exprot": the commands are run, retry,'],
    [["help", "exprot"], 'Did you mean "export"?'],
    [["submit", "slrum"], 'status or cancel. Did you mean "slurm"?'],
    [["help", "export", "run"], 'Cannot show help for "export run"'],
    [["-o", "out/", "retry", "a.jsonl"], 'The command "retry" must be the first word'],
  ];
  for (const [args, message] of cases) {
    assertStringIncludes(await said(args, 2), message, args.join(" "));
  }
});

Deno.test("a dry run without any row announces no request", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", "");
  const args = [input, "-o", dir.path("out/"), "--base-url", "http://127.0.0.1:9/v1", "-m", "m"];
  const { stdout, stderr } = await runCli([...args, "--allow-empty", "--dry-run"]);
  assertEquals([stdout, stderr.trim().split("\n").at(-1)], ["null\n", "No rows to send"]);
});

Deno.test("a file may have a name similar to a command", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  await dir.write("exports", numberedRows(1));
  const args = ["exports", "-o", "out/"];
  const script = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  assertExit(await distill(server, args, { cwd: dir.root, script }), 0);
  assertEquals(server.posts, 1);
});

Deno.test("a flag of other programs is answered with its equivalent", async () => {
  const cases: [args: string[], message: string][] = [
    [["a.jsonl", "--silent"], "Did you mean --quiet?"],
    [["a.jsonl", "--quite"], "Did you mean --quiet?"],
    [["a.jsonl", "--input", "b"], "Inputs are named without a flag"],
    [["a.jsonl", "-model", "x"], "Cannot use -model: long flags have two dashes, as in --model"],
    [["a.jsonl", "-output=x"], "Cannot use -output: long flags have two dashes, as in --output"],
  ];
  for (const [args, message] of cases) assertStringIncludes(await said(args, 2), message);
});

Deno.test("--quiet prints problems only", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt }) =>
    prompt === "prompt 2"
      ? Response.json({ error: { message: "too long" } }, { status: 400 })
      : undefined
  );
  const good = await dir.write("good.jsonl", numberedRows(2));
  const bad = await dir.write("bad.jsonl", numberedRows(3));
  const out = dir.path("out/");
  const quiet = async (args: string[], code: number) => {
    const result = await distill(server, args);
    assertExit(result, code);
    return result.stdout + result.stderr;
  };
  assertEquals(await quiet([good, "-o", out, "--quiet"], 0), "");
  assertEquals(
    await quiet([bad, "-o", out, "-q"], 3),
    `1 row failed: see ${out}bad_error.jsonl\n`,
  );
  assertStringIncludes(
    await quiet([good, "-o", dir.path("other/"), "-p", "temperatur=1", "-q"], 0),
    'Warning: Retort does not know the parameter "temperatur", and sends it as it is',
  );
  const other = dir.path("another/");
  const dryRun = await distill(server, [
    good,
    "-o",
    other,
    "-p",
    "temperatur=1",
    "-q",
    "--dry-run",
  ]);
  assertExit(dryRun, 0);
  assertStringIncludes(dryRun.stderr, 'Warning: Retort does not know the parameter "temperatur"');
  assertEquals(await said(["verify", good, "-o", out, "-q"], 0), "");
  const exported = dir.path("train.jsonl");
  const args = ["export", `${out}good.jsonl`, "-o", exported, "--format", "messages", "-q"];
  const result = await runCli(args);
  assertExit(result, 0);
  assertEquals(result.stdout + result.stderr, "");
  assertEquals((await dir.rows("train.jsonl")).length, 2);
});
