/**
 * Runs parts of a measurement in separate processes: scenarios, which have a heap and compiled code
 * of their own; helpers, whose cost does not count as Retort's; and other programs.
 * `deno run bench/processes.ts SCENARIO OPTIONS` prints the result of a scenario as JSON.
 *
 * @module
 */

// Imports only types, because helpers load this module, too, and must not load the scenarios.
import type * as scenarios from "./scenarios.ts";

// deno-lint-ignore no-explicit-any -- the options of any scenario
type Scenario = (options: any) => Promise<unknown>;
type Scenarios = {
  [Name in keyof typeof scenarios as typeof scenarios[Name] extends Scenario ? Name : never]:
    typeof scenarios[Name];
};

export async function inChild<Name extends keyof Scenarios>(
  name: Name,
  options: Parameters<Scenarios[Name]>[0],
): Promise<Awaited<ReturnType<Scenarios[Name]>>> {
  const script = [import.meta.filename!, name, JSON.stringify(options)];
  const { stdout } = await denoRun([...await v8Flags(), "--allow-all", ...script]);
  return JSON.parse(stdout);
}

/** Returns the V8 flags of the task `distill`, so that the bench measures what users run. */
export async function v8Flags(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  return tasks.distill.command.match(/--v8-flags=\S+/g) ?? [];
}

export function denoRun(args: readonly string[]): Promise<Finished> {
  return runProgram(Deno.execPath(), ["run", "--quiet", ...args]);
}

interface Finished {
  readonly elapsedMs: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program. Throws with its stderr if it fails. */
export async function runProgram(command: string, args: readonly string[]): Promise<Finished> {
  const startedMs = performance.now();
  const output = await new Deno.Command(command, { args: [...args] }).output();
  const elapsedMs = performance.now() - startedMs;
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  if (!output.success) throw new Error(`Cannot measure "${command} ${args.join(" ")}": ${stderr}`);
  return { elapsedMs, stdout, stderr };
}

export interface Helper<Report> extends AsyncDisposable {
  /** The line that the helper printed when it was ready. */
  readonly greeting: string;
  /** Ends the helper, and resolves with its result. */
  end(): Promise<Report>;
}

/**
 * Starts a script of this folder with its options as JSON. The script prints a line when it is
 * ready and, when its stdin ends, its result as JSON. Rejects if the script ends before it is
 * ready.
 */
export async function startHelper<Report>(
  script: string,
  options: object,
): Promise<Helper<Report>> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", script, JSON.stringify(options)],
    cwd: import.meta.dirname,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const read = async (isEnough: () => boolean) => {
    for (let isDone = false; !isDone && !isEnough();) {
      const { value = "", done } = await reader.read();
      text += value;
      isDone = done;
    }
  };
  async function finish(): Promise<Report> {
    // Closing fails if the helper has already ended.
    await child.stdin.close().catch(() => {});
    await read(() => false);
    const { success } = await child.status;
    if (!success) throw new Error(`Cannot measure with "${script}": its process failed`);
    return JSON.parse(text);
  }
  let finished: Promise<Report> | undefined;
  await read(() => text.includes("\n"));
  const [greeting] = text.split("\n", 1);
  text = text.slice(greeting.length + 1);
  if (greeting === "") {
    await finish().catch(() => {});
    throw new Error(`Cannot measure with "${script}": its process ended before it was ready`);
  }
  const end = () => finished ??= finish();
  return {
    greeting,
    end,
    [Symbol.asyncDispose]: () => end().then(() => {}, () => {}),
  };
}

/** Resolves when the helper's stdin ends. */
export async function untilEnd(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}

async function printResult([name, options]: readonly string[]): Promise<void> {
  const all: Record<string, unknown> = await import("./scenarios.ts");
  console.log(JSON.stringify(await (all[name] as Scenario)(JSON.parse(options))));
}

// This call is not awaited, because the scenarios import this module and would wait for it.
if (import.meta.main) printResult(Deno.args);
