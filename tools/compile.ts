/**
 * Builds the standalone executable: `deno task compile`. It has the permissions and V8 flags of the
 * task `distill` in `deno.json`, and may also run the programs of the task `submit`. `--include`
 * embeds workers, which `deno compile` does not find. Arguments are passed to `deno compile`, such
 * as `--target x86_64-pc-windows-msvc --output dist/retort.exe`.
 *
 * @module
 */

const ROOT = new URL("../", import.meta.url);
const SEARCHED_FOLDERS = ["cli", "lib", "web"];

export async function compileArgs(extra: readonly string[] = []): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const words: string[] = tasks.distill.command.split(" ");
  const programs = /--allow-run=(\S+)/.exec(tasks.submit.command)![1];
  const flags = words.filter((word) => /^--(?:v8-flags|allow-)/.test(word))
    .map((flag) => flag.startsWith("--allow-run=") ? `${flag},${programs}` : flag);
  const includes = (await findWorkers()).flatMap((worker) => ["--include", worker]);
  const output = extra.includes("--output") ? [] : ["--output", "dist/retort"];
  return ["compile", "--quiet", ...flags, ...includes, ...output, ...extra, "cli.ts"];
}

/** Returns the modules that are started as workers, as paths from the root. */
export async function findWorkers(): Promise<string[]> {
  const workers = new Set<string>();
  for (const folder of SEARCHED_FOLDERS) await collectWorkersBelow(`${folder}/`, workers);
  await collectWorkersIn("cli.ts", workers);
  return [...workers].sort();
}

async function collectWorkersBelow(folder: string, workers: Set<string>): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) await collectWorkersBelow(`${folder}${name}/`, workers);
    else if (name.endsWith(".ts")) await collectWorkersIn(`${folder}${name}`, workers);
  }
}

async function collectWorkersIn(path: string, workers: Set<string>): Promise<void> {
  const code = await Deno.readTextFile(new URL(path, ROOT));
  const workerStart = /new Worker\(\s*new URL\("([^"]+)", import\.meta\.url\)/g;
  for (const [, specifier] of code.matchAll(workerStart)) {
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
