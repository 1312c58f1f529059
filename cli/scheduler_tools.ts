/** Calls the command-line tools of Slurm and Kubernetes. @module */

import { SinkError, UsageError } from "../lib/errors.ts";
import { exists } from "../lib/files.ts";
import { printable } from "../lib/printable.ts";
import type { Io } from "./io.ts";

/** Programs that the task `submit` of `deno.json` may run. */
export type Tool = "sbatch" | "squeue" | "scancel" | "scontrol" | "kubectl";

/** What came of calling a tool. */
export type ToolResult =
  | { readonly kind: "done"; readonly text: string }
  /** The program is not installed: this machine is no client of the scheduler. */
  | { readonly kind: "missing" }
  /** Retort was started without the permission to run the program. */
  | { readonly kind: "refused" }
  | { readonly kind: "failed"; readonly reason: string };

export async function tryTool(
  tool: Tool,
  args: readonly string[],
  { env }: Io,
): Promise<ToolResult> {
  if (!mayRun(tool)) return { kind: await isMissing(tool, env) ? "missing" : "refused" };
  try {
    const { success, code, stdout, stderr } = await runTool(tool, args, "");
    if (success) return { kind: "done", text: stdout };
    return { kind: "failed", reason: firstErrorOf(stderr) ?? `exit code ${code}` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "missing" };
    return { kind: "failed", reason: printable((error as Error).message) };
  }
}

/** Deno grants the permission to run `squeue` only where it is installed. */
async function isMissing(tool: Tool, env: Io["env"]): Promise<boolean> {
  // Deno would ask the user for the permission.
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return false;
  const isWindows = Deno.build.os === "windows";
  for (const folder of (env("PATH") ?? "").split(isWindows ? ";" : ":")) {
    if (await exists(`${folder || "."}/${tool}${isWindows ? ".exe" : ""}`)) return false;
  }
  return true;
}

/** Why a tool gave no answer, to follow "Kubernetes: " or "Slurm: ". */
export function whyNot(tool: Tool, result: Exclude<ToolResult, { kind: "done" }>): string {
  if (result.kind === "missing") return `not asked, ${tool} is not installed here`;
  if (result.kind === "refused") {
    return `not asked, Retort may not run ${tool}: start it with deno task submit`;
  }
  return `${tool} failed: ${result.reason}`;
}

/** `kubectl` logs its attempts before the error: `E0131 10:00:00.000000  7 memcache.go:265] …`. */
const LOG_LINE = /^[IWEF]\d{4} /;

function firstErrorOf(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const line = lines.find((line) => !LOG_LINE.test(line)) ?? lines.at(0);
  return line === undefined ? undefined : printable(line);
}

export async function callTool(
  tool: Tool,
  args: readonly string[],
  input: string,
): Promise<string> {
  if (!mayRun(tool)) {
    throw new UsageError(
      `Cannot call ${tool}: Retort was started without the permission for it. Start it with ` +
        "deno task submit, or pipe what submit prints",
    );
  }
  let result: Awaited<ReturnType<typeof runTool>>;
  try {
    result = await runTool(tool, args, input);
  } catch (cause) {
    throw new UsageError(`Cannot call ${tool}: ${(cause as Error).message}`, { cause });
  }
  if (result.success) return result.stdout;
  throw new SinkError(`Cannot submit: ${tool} says: ${result.stderr.trim()}`);
}

export function inNamespace(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : [`--namespace=${namespace}`];
}

function mayRun(command: Tool): boolean {
  return Deno.permissions.querySync({ name: "run", command }).state === "granted";
}

async function runTool(tool: Tool, args: readonly string[], input: string) {
  const child = new Deno.Command(tool, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { success, code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
