/**
 * Runs the tests, including those in the documentation: `deno task test`. Imports the test files
 * into a few modules, because Deno loads and compiles the program again for each module: the files
 * of `tests/cli/` take a third of the CPU in one module.
 *
 * `--page` also runs the tests of the pages, at the same time. Other flags go to `deno test`.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

const ROOT = new URL("../", import.meta.url);
/** Number of modules. With fewer, the last one would run alone for a while. */
const MODULE_COUNT = 12;
/** Folders whose tests have tasks of their own. */
const FOLDERS_OF_OTHER_TASKS = ["tests/browser/", "tests/trainers/", "tests/cluster/"];

/** Returns the sorted paths of the test files below a folder, from the root of the repository. */
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
    const modules = await Promise.all(Array.from({ length: MODULE_COUNT }, async (_, module) => {
      // Neighbors go to different modules, because files beside a slow one are often slow, too.
      const imports = files.filter((_, i) => i % MODULE_COUNT === module)
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

/**
 * Runs the tests of the pages, and prints nothing: the output would mix with that of the tests that
 * run at the same time.
 */
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
  const code = await runTests(flags, [...FOLDERS_OF_OTHER_TASKS, ...ignored]);
  const output = await pageTests;
  if (output !== undefined) {
    const decoder = new TextDecoder();
    console.log(decoder.decode(output.stdout));
    console.error(decoder.decode(output.stderr));
  }
  Deno.exit(code || output?.code);
}
