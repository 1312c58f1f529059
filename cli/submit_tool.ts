/**
 * Runs the programs of schedulers: `sbatch`, `squeue`, `kubectl`, …
 *
 * @module
 */

import { SinkError, UsageError } from "../lib/errors.ts";

/** Each needs the permission to be run. */
export type Tool = "sbatch" | "squeue" | "scancel" | "scontrol" | "kubectl";

/**
 * Calls a program and returns its stdout; undefined if it is missing, may not be called, or fails.
 */
export async function tryTool(tool: Tool, args: readonly string[]): Promise<string | undefined> {
  if (!mayRun(tool)) return undefined;
  try {
    const { success, stdout } = await call(tool, args, "");
    return success ? stdout : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Calls a program with `input` as its stdin, and returns its stdout.
 *
 * @throws {UsageError} if it is missing or may not be called
 * @throws {SinkError} if it fails
 */
export async function useTool(tool: Tool, args: readonly string[], input: string): Promise<string> {
  if (!mayRun(tool)) {
    throw new UsageError(
      `Cannot call ${tool}: Retort was started without the permission for it. Start it with ` +
        "deno task submit, or pipe what submit prints",
    );
  }
  let result: Awaited<ReturnType<typeof call>>;
  try {
    result = await call(tool, args, input);
  } catch (cause) {
    throw new UsageError(`Cannot call ${tool}: ${(cause as Error).message}`, { cause });
  }
  if (result.success) return result.stdout;
  throw new SinkError(`Cannot submit: ${tool} says: ${result.stderr.trim()}`);
}

function mayRun(command: Tool): boolean {
  return Deno.permissions.querySync({ name: "run", command }).state === "granted";
}

async function call(tool: Tool, args: readonly string[], input: string) {
  const child = new Deno.Command(tool, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
