/**
 * The TypeScript of README and docs, and the scripts in examples/, run unchanged. Their types are
 * checked where they are imported from an address: tests/e2e/url_import_test.ts.
 *
 * @module
 */

import { assert, assertEquals, assertGreaterOrEqual } from "../../lib/deps/std_assert.ts";
import { serveSimulatedTeacher } from "../../lib/simulate/mod.ts";
import { distillFiles, openai } from "../../mod.ts";
import { IMPORTED_FROM, pageCode, TEACHER } from "../support/page_code.ts";
import { cleanEnv, REPOSITORY } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { pathToFileURL } from "node:url";

Deno.test("the TypeScript of README and docs runs", async (t) => {
  const examples = await pageCode();
  assertGreaterOrEqual(examples.length, 10);
  await using simulated = serveSimulatedTeacher({ latency: 0, tokens: 5 });
  for (const [index, { place, code }] of examples.entries()) {
    await t.step(place, async () => {
      await using dir = await tempDir();
      const input = await dir.write("prompts.jsonl", [{ prompt: "one" }, { prompt: "two" }]);
      if (code.includes("mergeRuns")) await runShards(input, dir.path("out/"), simulated.url);
      const script = dir.path(`example_${index}.ts`);
      const here = code.replaceAll(IMPORTED_FROM, new URL("../../", import.meta.url).href)
        .replaceAll(TEACHER, simulated.url)
        // Other tests use the working directory of this process, too.
        .replaceAll(
          /"(prompts\.jsonl|train\.jsonl|(?:out|all)\/[\w.]*)"/g,
          (_, path) => JSON.stringify(dir.path(path)),
        )
        .replaceAll("console.", "globalThis.quiet.");
      await Deno.writeTextFile(script, here);
      await import(pathToFileURL(script).href);
    });
  }
  assertGreaterOrEqual(simulated.posts, examples.length);
});

/** Runs both shards, which an example merges. */
async function runShards(input: string, output: string, baseUrl: string): Promise<void> {
  await using teacher = openai({ baseUrl, model: "simulated" });
  for (const index of [0, 1]) {
    await distillFiles(input, output, { teacher, shard: { index, count: 2 } });
  }
}

/** Silences what examples print. */
Reflect.set(globalThis, "quiet", { log() {}, warn() {} });

Deno.test("the scripts in examples/ run", async () => {
  await using dir = await tempDir();
  const prompts = `${REPOSITORY}/examples/prompts.jsonl`;
  const count = (await Deno.readTextFile(prompts)).trim().split("\n").length;
  const library = await deno(dir, ["run", "-A", `${REPOSITORY}/examples/library.ts`]);
  assertEquals(library.code, 0, library.text);
  assert(library.text.includes(`${count} answers, 0 failures`), library.text);
  const pipeline = `${REPOSITORY}/examples/pipeline.ts`;
  const piped = await deno(dir, ["run", "-A", pipeline, prompts, "answers.jsonl"]);
  assertEquals(piped.code, 0, piped.text);
  const answers = await dir.rows("answers.jsonl");
  assertEquals(answers.length, count);
  assert(answers.every(({ response }) => typeof response === "string" && response !== ""));
});

async function deno(dir: TempDir, args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: dir.root,
    clearEnv: true,
    env: cleanEnv(dir.root),
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
