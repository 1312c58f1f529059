/**
 * Finds the words with which the user started this program, so that printed commands work. Also
 * finds the runs that earlier versions left in the folder of `deno.json`.
 *
 * @module
 */

import { basename, dirname, isAbsolute, join, relative, resolve } from "../lib/deps/std_path.ts";
import { UsageError } from "../lib/errors.ts";
import { RESULTS_EXTENSION, statOf, stemOf } from "../lib/files.ts";
import { PROGRAM_NAME, shellWord } from "../lib/printable.ts";
import type { Io } from "./io.ts";

/** Environment variable with the user's working directory, set by the tasks of `deno.json`. */
export const FOLDER_VARIABLE = "RETORT_CWD";

/** Permissions that a printed `deno run` repeats one by one. */
const PERMISSIONS = ["net", "read", "write", "env", "run", "import"] as const;

export interface ProcessStart {
  readonly isStandalone: boolean;
  /** Path of Deno, or of the executable. */
  readonly execPath: string;
  /** URL of `cli.ts`. */
  readonly mainModule: string;
  readonly denoVersion: string;
  /** The user's working directory. */
  readonly folder: string;
  /** The process's working directory: under `deno task`, the folder of `deno.json`. */
  readonly startFolder: string;
  /** @default this system */
  readonly os?: typeof Deno.build.os;
  env(name: string): string | undefined;
  isGranted(permission: typeof PERMISSIONS[number] | "sys" | "ffi"): boolean;
}

/**
 * Returns the words that start this program: `retort`, `deno task distill`,
 * `npx -y deno@2.9.6 task distill`, `deno run -A cli.ts`, …
 */
export function programOf(start: ProcessStart): string {
  if (start.isStandalone) return executableOf(start);
  if (start.env(FOLDER_VARIABLE) !== undefined) return taskOf(start);
  if (isInstalled(start)) return PROGRAM_NAME;
  return `${denoOf(start)} run${permissionsOf(start)} ${scriptOf(start)}`;
}

function executableOf(start: ProcessStart): string {
  const { execPath, folder, os } = start;
  const name = basename(execPath);
  const path = findInPath(start, name);
  if (path !== undefined && realPathOf(path) === execPath) return programWord(name, os);
  return programWord(fromHere(execPath, folder), os);
}

/**
 * Returns the first word of a command. On Windows, cmd.exe cannot start `./x`, and PowerShell
 * treats a quoted word as a value unless `&` is before it.
 */
function programWord(path: string, os: ProcessStart["os"] = Deno.build.os): string {
  if (os !== "windows") return shellWord(path, os);
  const word = shellWord(path.replace(/^\.\//, ".\\"), os);
  return /^["']/.test(word) ? `& ${word}` : word;
}

/** Returns the task's command, with `--config` if the user's folder needs it. */
function taskOf(start: ProcessStart): string {
  const { folder, startFolder } = start;
  const config = configAbove(folder) === startFolder
    ? ""
    : ` --config ${shellWord(join(startFolder, "deno.json"))}`;
  return `${denoOf(start)} task${config} distill`;
}

/** Returns the folder whose configuration `deno task` uses. */
function configAbove(folder: string): string | undefined {
  for (let here = folder;; here = dirname(here)) {
    if (["deno.json", "deno.jsonc", "package.json"].some((name) => isFile(join(here, name)))) {
      return here;
    }
    if (dirname(here) === here) return undefined;
  }
}

/**
 * Whether the first `retort` in PATH is a script of `deno install` with the URL or the JSR package
 * of this program.
 */
function isInstalled(start: ProcessStart): boolean {
  const { mainModule } = start;
  const jsrPackage = /^https:\/\/jsr\.io\/(@[^/]+\/[^/]+)\//.exec(mainModule)?.[1];
  const path = findInPath(start, PROGRAM_NAME, ".cmd");
  if (path === undefined) return false;
  const text = readBeginning(path);
  return text.includes(mainModule) ||
    (jsrPackage !== undefined && text.includes(`jsr:${jsrPackage}`));
}

function denoOf(start: ProcessStart): string {
  const runner = runnerOf(start);
  if (runner !== undefined) return `${runner} deno@${start.denoVersion}`;
  if (!start.isGranted("read")) return "deno";
  return findInPath(start, "deno", ".exe") === undefined
    ? programWord(start.execPath, start.os)
    : "deno";
}

/** Returns the tool that has downloaded Deno to a cache outside of PATH, such as `npx -y`. */
function runnerOf({ env, execPath }: ProcessStart): string | undefined {
  if (env("npm_command") === "exec" && env("npm_lifecycle_event") === "npx") return "npx -y";
  if (/[\\/]dlx[-\\/]/.test(execPath)) return "pnpm dlx";
  return /[\\/]bunx-/.test(execPath) ? "bunx" : undefined;
}

/**
 * Lists only unrestricted permissions: partial ones cannot be queried, and Deno prompts for them
 * again.
 */
function permissionsOf({ isGranted }: ProcessStart): string {
  if (([...PERMISSIONS, "sys", "ffi"] as const).every(isGranted)) return " -A";
  return PERMISSIONS.filter(isGranted).map((name) => ` --allow-${name}`).join("");
}

function scriptOf({ mainModule, folder }: ProcessStart): string {
  if (!mainModule.startsWith("file:")) return shellWord(mainModule);
  return shellWord(fromHere(pathOfUrl(mainModule), folder));
}

function fromHere(path: string, folder: string): string {
  const relativePath = relative(folder, path);
  if (relativePath.startsWith("..") || isAbsolute(relativePath)) return path;
  return `./${relativePath.replaceAll("\\", "/")}`;
}

function pathOfUrl(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return resolve(/^\/[a-z]:/i.test(path) ? path.slice(1) : path);
}

/**
 * Returns the path of the first file with this name in PATH; undefined if there is none, or without
 * the permission to read.
 *
 * @param extension The extension that the file may have on Windows.
 */
export function findInPath(
  { env, isGranted, os = Deno.build.os }: Pick<ProcessStart, "env" | "isGranted" | "os">,
  name: string,
  extension = "",
): string | undefined {
  if (!isGranted("read")) return undefined;
  const isWindows = os === "windows";
  const names = isWindows ? [name, name + extension] : [name];
  for (const folder of (env("PATH") ?? "").split(isWindows ? ";" : ":")) {
    if (folder === "") continue;
    const path = names.map((name) => join(folder, name)).find(isFile);
    if (path !== undefined) return path;
  }
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

/** Number of bytes of a script that are read. Scripts of `deno install` are shorter. */
const SCRIPT_BYTES = 4_096;

function readBeginning(path: string): string {
  try {
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(SCRIPT_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
  } catch {
    return "";
  }
}

/**
 * Throws if a run of this name is not in the user's folder but in that of `deno.json`, where
 * earlier versions put it: a new run would pay for its answers again.
 *
 * @param alternative What else the user can do, at the end of the error.
 */
export async function refuseFormerFolder(
  { input, output }: { readonly input: readonly string[]; readonly output: string },
  { folders }: Pick<Io, "folders">,
  alternative = ". To start a new one here: --no-resume",
): Promise<void> {
  if (folders === undefined || folders.user === folders.start || isAbsolute(output)) return;
  const { findInputs, outputFilesOf } = await import("../lib/run/mod.ts");
  // The run itself reports a wrong input or output.
  const outputs = await findInputs(input)
    .then(({ files }) => outputFilesOf(files, output)).catch(() => []);
  for (const { results } of outputs) {
    const here = join(folders.user, results), former = join(folders.start, results);
    if (await hasRun(here) || !await hasRun(former)) continue;
    const formerOutput = RESULTS_EXTENSION.test(output) ? former : `${dirname(former)}/`;
    throw new UsageError(
      `Cannot use "${here}": it contains no run, but earlier versions resolved relative paths ` +
        `elsewhere and left a run at "${former}". To use that one: -o ${shellWord(formerOutput)}` +
        alternative,
    );
  }
}

/** Whether there is a run file or, from older versions, a results file without one. */
async function hasRun(results: string): Promise<boolean> {
  const infos = await Promise.all([`${stemOf(results)}.run.json`, results].map(statOf));
  return infos.some((info) => info?.isFile);
}
