/** The commands that a run prints at its end work as printed. @module */

import { assert, assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { type CliResult, REPOSITORY, runCli, shellWords } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, numberedRows } from "./fixture.ts";

/** Splits a printed command as a shell does, and runs it. */
async function runPrinted({ stderr }: CliResult): Promise<CliResult> {
  const command = /To (?:continue|retry)\s+deno task distill (.+)/.exec(stderr)?.[1];
  assert(command !== undefined, stderr);
  return await runCli(await shellWords(command), { cwd: REPOSITORY });
}

const REFUSES = "--simulate=latency=1,refusals=0.4";

Deno.test({
  name:
    "after a retry with other parameters, the printed command sends the pending rows with those of the run",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await dir.write("in.jsonl", numberedRows(20));
    await dir.write("c.yaml", "model: sim\nparams:\n  top_p: 1.0\n");
    for (
      const [name, first, second] of [
        ["flags", ["-m", "sim", "-p", "temperature=0.60"], ["-m", "sim", "-p", "temperature=1"]],
        ["none", ["-m", "sim"], ["-m", "sim", "-p", "top_p=0.9", "--params", '{"a":"it\'s"}']],
        ["config", ["-m", "sim", "-p", "seed=12345678901234567890"], [
          "--config",
          dir.path("c.yaml"),
        ]],
      ] as const
    ) {
      const files = [dir.path("in.jsonl"), "-o", dir.path(`${name}/`)];
      assertExit(await runCli([...files, ...first, REFUSES, "--limit", "10"]), 3);
      const retried = await runCli(["retry", ...files, ...second, "--simulate=latency=1"]);
      assertExit(retried, 3);
      assertMatch(retried.stderr, /Pending +10\n/);
      assertExit(await runPrinted(retried), 0);
      assertEquals((await dir.rows(`${name}/in.jsonl`)).length, 20, name);
    }
  },
});

Deno.test({
  name: "the printed command sends pending rows to the teachers of --config after such a retry",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await using server = serveLedger(({ prompt, body }) =>
      prompt === "prompt 3" && body.temperature !== 1 ? errorAnswer(400) : undefined
    );
    await dir.write("in.jsonl", numberedRows(8));
    const config = await dir.write(
      "c.yaml",
      `teachers:\n  - {base-url: "${server.url}", model: m}\nparams: {top_p: 1.0}\n`,
    );
    const first = ["-p", "temperature=0.60"], retry = ["-p", "temperature=1"];
    for (const [name, before, after] of [["own", first, retry], ["file", [], retry]] as const) {
      const args = [dir.path("in.jsonl"), "-o", dir.path(`${name}/`), "--config", config];
      assertExit(await runCli([...args, ...before, "--limit", "4"]), 3);
      const retried = await runCli(["retry", ...args, ...after]);
      assertExit(retried, 3);
      assertMatch(retried.stderr, /Pending +4\n/);
      assertExit(await runPrinted(retried), 0);
      assertEquals((await dir.rows(`${name}/in.jsonl`)).length, 8, name);
    }
    const temperatures = server.requests.map(({ body }) => [body.temperature, body.top_p]);
    const [own, file] = [temperatures.slice(0, 9), temperatures.slice(9)];
    assertEquals(own.filter(([temperature]) => temperature === 0.6).length, 8);
    assertEquals(file.filter(([temperature]) => temperature === undefined).length, 8);
    assertEquals(temperatures.every(([, top_p]) => top_p === 1), true);
  },
});

Deno.test({
  name:
    "the printed command sends pending rows although the file of --config retries or starts over",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await dir.write("in.jsonl", numberedRows(6));
    const settings =
      "model: sim\nsimulate: latency=1\nquiet: false\nlock: true\nparams: {top_p: 1.0}\n";
    for (const extra of ["retry: true", "retry: [timeout, 429]"]) {
      await dir.write("c.yaml", `${settings}${extra}\n`);
      const output = dir.path(extra.length > 12 ? "types/" : "all/");
      const args = [dir.path("in.jsonl"), "-o", output, "--config", dir.path("c.yaml")];
      const first = await runCli(args);
      assertExit(first, 3);
      assertExit(await runPrinted(first), 0);
    }
    await dir.write("c.yaml", `${settings}no-resume: true\n`);
    const args = [dir.path("in.jsonl"), "-o", dir.path("over/"), "--config", dir.path("c.yaml")];
    const failing = await runCli([...args, REFUSES]);
    assertExit(failing, 3);
    assertExit(await runPrinted(failing), 3);
    assertEquals((await dir.rows("over/in_error.jsonl")).length > 0, true);
  },
});
