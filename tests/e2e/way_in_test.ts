/** Where paths lead and which commands are printed, for each way to start the program. @module */

import { dirname } from "../../lib/deps/std_path.ts";
import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { shellWord } from "../../lib/printable.ts";
import { cleanEnv, POSIX, REPOSITORY } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

interface Ended {
  readonly code: number;
  readonly text: string;
}

/** Types a line into a shell. */
async function type(line: string, cwd: string, env: Record<string, string>): Promise<Ended> {
  const shell = new Deno.Command("sh", { args: ["-c", line], cwd, clearEnv: true, env });
  const { code, stdout, stderr } = await shell.output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Runs in a folder of its own, and pastes what is printed. */
async function runAndPaste(
  dir: TempDir,
  start: string,
  shown: string,
  env: Record<string, string>,
): Promise<void> {
  const folder = `my "data" ${shown.length}`;
  await dir.write(`${folder}/in put.jsonl`, [{ id: "1", prompt: "one" }, {
    id: "2",
    prompt: "two",
  }]);
  const cwd = dir.path(folder);
  const system = shellWord(`it's "$HOME"`);
  const simulate = "--simulate=latency=0,refusals=1";
  const first = await type(
    `${start} 'in put.jsonl' -o 'o ut/' ${simulate} --system ${system}`,
    cwd,
    env,
  );
  assertEquals(first.code, 3, first.text);
  const [, printed] = /To retry {2,}(.*)/.exec(first.text) ?? [];
  assert(printed?.startsWith(`${shown} retry 'in put.jsonl' -o 'o ut/'`), first.text);
  const again = await type(printed.replace("refusals=1", "refusals=0"), cwd, env);
  assertEquals(again.code, 0, again.text);
  const results = await dir.rows(`${folder}/o ut/in put.jsonl`);
  assertEquals(results.map(({ id }) => id).toSorted(), ["1", "2"]);
  // The same words in front: one of the ways is enough.
  if (shown !== "retort") return;
  const [, toExport] = /To export {2,}(.*)/.exec(again.text) ?? [];
  assert(toExport?.startsWith(`${shown} export 'o ut/in put.jsonl'`), again.text);
  const exported = await type(toExport, cwd, env);
  assertEquals(exported.code, 0, exported.text);
  assertEquals((await dir.rows(`${folder}/train.jsonl`)).length, 2);
}

/** What the README and its page say of an installation from a clone. */
async function installCommand(): Promise<string> {
  const [readme, page] = await Promise.all(
    ["README.md", "docs/install.md"].map(async (path) => {
      const text = await Deno.readTextFile(`${REPOSITORY}/${path}`);
      return /^deno install (?:.*\\\n)*.*cli\.ts$/m.exec(text)?.[0].replaceAll(/\\\n\s*/g, "");
    }),
  );
  assertEquals(readme, page);
  return page!;
}

Deno.test(
  "the command that is printed can be pasted, however and wherever the program was started",
  POSIX,
  async () => {
    await using dir = await tempDir();
    // The Deno that runs the tests is the one that the commands mean.
    const clean = cleanEnv(dir.root);
    const home = { ...clean, PATH: `${dirname(Deno.execPath())}:${clean.PATH}` };
    const config = shellWord(`${REPOSITORY}/deno.json`), script = shellWord(`${REPOSITORY}/cli.ts`);
    // As the pages have it, but for its place.
    const install = (await installCommand()).replace(
      " cli.ts",
      ` --root ${shellWord(dir.root)} ${script}`,
    );
    const installed = await type(install, dir.root, home);
    assertEquals(installed.code, 0, installed.text);
    const withRetort = { ...home, PATH: `${dir.path("bin")}:${home.PATH}` };
    const task = `deno task --config ${config} distill`;
    await Promise.all([
      runAndPaste(dir, task, task, home),
      runAndPaste(dir, `deno run -A ${script}`, `deno run -A ${script}`, home),
      runAndPaste(dir, "retort", "retort", withRetort),
    ]);
  },
);
