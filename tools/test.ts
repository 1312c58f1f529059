/**
 * Runs the tests, in the documentation too: `deno task test`. All files of a folder like `tests/cli/`
 * in one module take a third of the CPU: Deno loads and compiles the program anew for each module.
 *
 * Flags are those of `deno test`, and `--page`: the tests of the pages run at the same time.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

const ROOT = new URL("../", import.meta.url);
/** Enough that they end at about the same time. */
const MODULES = 12;
/** Run by tasks of their own. */
const OTHERS = ["tests/browser/", "tests/trainers/", "tests/cluster/"];

/** The test files below a folder of the repository, in order. */
async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}${name}`;
    if (isDirectory) found.push(...await testFiles(`${path}/`));
    else if (name.endsWith("_test.ts")) found.push(path);
  }
  return found.sort();
}

async function runTests(flags: readonly string[], ignored: readonly string[]): Promise<number> {
  const files = (await testFiles("tests/"))
    .filter((path) => !ignored.some((folder) => path.startsWith(folder)));
  const dir = await Deno.makeTempDir({ prefix: "retort_tests_" });
  try {
    const modules = await Promise.all(Array.from({ length: MODULES }, async (_, module) => {
      // Neighbors are in different modules, because a slow test rarely comes alone.
      const imports = files.filter((_, i) => i % MODULES === module)
        .map((path) => `import "${new URL(path, ROOT)}";\n`);
      const path = `${dir}/tests_${module + 1}.ts`;
      await Deno.writeTextFile(path, imports.join(""));
      return pathToFileURL(path).href;
    }));
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["test", "--quiet", "--no-check", "--allow-all", "--parallel", "--doc"],
        ...["--config", "deno.json", ...flags, ...modules, "lib/", "web/", "mod.ts"],
      ],
      cwd: ROOT,
    }).spawn().status;
    return code;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Each test of a page waits for its Chromium much of the time, in which other tests can run. */
function runPageTests(flags: readonly string[]): Promise<Deno.CommandOutput> {
  const args = ["task", "--quiet", "test-page", ...flags];
  return new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
}

if (import.meta.main) {
  const { flags = [], ignores = [], page } = Object.groupBy(
    Deno.args,
    (arg) => arg === "--page" ? "page" : arg.startsWith("--ignore=") ? "ignores" : "flags",
  );
  const ignored = ignores.flatMap((arg) => arg.slice("--ignore=".length).split(","));
  const pageTests = page && runPageTests(flags);
  const code = await runTests(flags, [...OTHERS, ...ignored]);
  const output = await pageTests;
  if (output !== undefined) {
    const decoder = new TextDecoder();
    console.log(decoder.decode(output.stdout));
    console.error(decoder.decode(output.stderr));
  }
  Deno.exit(code || output?.code);
}
