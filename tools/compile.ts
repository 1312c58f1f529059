/**
 * Builds the standalone executable: `deno task compile`.
 *
 * Permissions and V8 flags are those of the `distill` task of `deno.json`. Workers are embedded by
 * name, because `deno compile` does not find them. Further arguments go to `deno compile`, such as
 * `--target x86_64-pc-windows-msvc --output dist/retort.exe`.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);
/** Folders that are searched for workers. */
const FOLDERS = ["cli", "lib", "web"];

/** Returns the arguments of `deno compile`. */
export async function compileArgs(further: readonly string[] = []): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const words: string[] = tasks.distill.command.split(" ");
  const flags = words.filter((word) => /^--(?:v8-flags|allow-)/.test(word));
  const includes = (await findWorkers()).flatMap((worker) => ["--include", worker]);
  const output = further.includes("--output") ? [] : ["--output", "dist/retort"];
  return ["compile", "--quiet", ...flags, ...includes, ...output, ...further, "cli.ts"];
}

/** Returns the modules that are started as workers, by their paths from the root. */
export async function findWorkers(): Promise<string[]> {
  const workers = new Set<string>();
  for (const folder of FOLDERS) await collectWorkers(`${folder}/`, workers);
  await collectFrom("cli.ts", workers);
  return [...workers].sort();
}

async function collectWorkers(folder: string, workers: Set<string>): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) await collectWorkers(`${folder}${name}/`, workers);
    else if (name.endsWith(".ts")) await collectFrom(`${folder}${name}`, workers);
  }
}

async function collectFrom(path: string, workers: Set<string>): Promise<void> {
  const code = await Deno.readTextFile(new URL(path, ROOT));
  const started = /new Worker\(\s*new URL\("([^"]+)", import\.meta\.url\)/g;
  for (const [, specifier] of code.matchAll(started)) {
    workers.add(new URL(specifier, `file:///${path}`).pathname.slice(1));
  }
}

if (import.meta.main) {
  const child = new Deno.Command(Deno.execPath(), {
    args: await compileArgs(Deno.args),
    cwd: ROOT,
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  Deno.exit((await child.status).code);
}
