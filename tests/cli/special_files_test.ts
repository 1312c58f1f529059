/** Paths that are no files: commands say what they are instead of waiting for them. @module */

import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { main } from "../../cli.ts";
import { UsageError } from "../../lib/errors.ts";
import { readRunFile } from "../../lib/run/run_file.ts";
import { readPlan } from "../../lib/shards/plan.ts";
import { resultLine } from "../data/lines.ts";
import { fakeIo, POSIX } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

async function run(args: readonly string[]) {
  let text = "";
  const io = fakeIo({ writeErr: (more) => void (text += more) });
  return { code: await main([...args], io), text };
}

/** Command lines that read the path `x`. */
function commands(dir: TempDir, x: string): string[][] {
  const [rows, out, results] = ["rows.jsonl", "new/", "other/results.jsonl"].map(dir.path);
  const start = [rows, "-o", out, "-m", "m", "--base-url"];
  return [
    [x, "-o", out, "--simulate"],
    ["retry", x, "-o", out, "--simulate"],
    ["verify", x, "-o", out],
    ["convert", x, "-o", `${out}x.jsonl`],
    ["export", x, "-o", `${out}x.jsonl`, "--format", "messages"],
    ["export", rows, "-o", `${out}x.jsonl`, "--format", "messages", "--uids", `@${x}`],
    ["merge", x, "-o", results],
    ["merge", x, "-o", results, "--no-proof"],
    ["stats", x],
    ["view", x],
    ["monitor", x],
    ["submit", "slurm", x, "-o", out, "--shards", "2", "--simulate"],
    [...start, `@${x}`],
    [...start, "http://127.0.0.1:1", "--ca-file", x],
    [...start, "http://127.0.0.1:1", "--api-key-file", x],
    [rows, "-o", out, "--simulate", "--config", x],
    [rows, "-o", out, "--simulate", "--system", `@${x}`],
    [rows, "-o", out, "--simulate", "--json-schema", x],
    [rows, "-o", out, "--simulate", "--report", x],
    [rows, "-o", x, "--simulate"],
  ];
}

Deno.test("a FIFO and a socket are refused wherever a file is read", POSIX, async () => {
  await using dir = await tempDir();
  await dir.write("rows.jsonl", '{"prompt":"p"}\n');
  const fifo = dir.path("fifo.jsonl"), socket = dir.path("socket.jsonl");
  assertEquals((await new Deno.Command("mkfifo", { args: [fifo] }).output()).code, 0);
  using _listener = Deno.listen({ transport: "unix", path: socket });
  for (const path of [fifo, socket]) {
    for (const args of commands(dir, path)) {
      const { code, text } = await run(args);
      assertEquals(code, 2, `${args.join(" ")}\n${text}`);
      assertEquals(text.includes("os error"), false, text);
      // These look for other files in the same place, or at the name alone.
      if (args[0] === "monitor" || args.includes("--report")) continue;
      if (args[0] === "merge" && !args.includes("--no-proof")) continue;
      assertStringIncludes(text, path === fifo ? "is a FIFO" : "is a socket");
    }
  }
  const output = await run(["convert", dir.path("rows.jsonl"), "-o", socket]);
  assertEquals([output.code, output.text.includes("it is a socket")], [2, true]);
  assertEquals(await dir.exists("new"), false);
});

Deno.test("a run does not wait for a FIFO in the place of one of its files", POSIX, async () => {
  await using dir = await tempDir();
  await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
  const runFile = dir.path("out/x.run.json"), plan = dir.path("out/.retort/x.shards-2.json");
  await Deno.mkdir(dir.path("out/.retort"));
  assertEquals((await new Deno.Command("mkfifo", { args: [runFile, plan] }).output()).code, 0);
  await assertRejects(() => readRunFile(runFile), UsageError, "it is a FIFO");
  await assertRejects(() => readPlan(plan), UsageError, "it is a FIFO");
  assertEquals((await run(["stats", dir.path("out/")])).code, 0);
  const merge = await run(["merge", dir.path("out/"), "-o", dir.path("m/all.jsonl")]);
  assertEquals([merge.code, merge.text.includes("it is a FIFO")], [2, true], merge.text);
});
