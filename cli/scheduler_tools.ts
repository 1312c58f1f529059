/** Calls the command-line tools of Slurm and Kubernetes. @module */

import { SinkError, UsageError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import type { Io } from "./io.ts";
import { findInPath } from "./program.ts";

/** Programs that the task `submit` of `deno.json` may run. */
export type Tool = "sbatch" | "squeue" | "scancel" | "scontrol" | "kubectl";

export type ToolResult =
  | { readonly kind: "done"; readonly text: string }
  /** The program is not installed: this machine cannot reach the scheduler. */
  | { readonly kind: "missing" }
  /** Retort was started without the permission to run the program. */
  | { readonly kind: "refused" }
  /**
   * `error` is the program's stderr, its exit code if stderr is empty, or the reason why the
   * program could not start. `text` is its stdout.
   */
  | { readonly kind: "failed"; readonly error: string; readonly text: string };

export type ToolProblem = Exclude<ToolResult, { kind: "done" }>;

export async function tryTool(
  tool: Tool,
  args: readonly string[],
  { env }: Pick<Io, "env">,
  input = "",
): Promise<ToolResult> {
  if (!isGranted({ name: "run", command: tool })) {
    // Deno may deny this permission because the tool is not installed. The search for the tool
    // needs the permission to read; without it, Deno would prompt the user.
    const isMissing = isGranted({ name: "read" }) &&
      findInPath({ env, isGranted: () => true }, tool, ".exe") === undefined;
    return { kind: isMissing ? "missing" : "refused" };
  }
  try {
    const { success, code, stdout, stderr } = await runTool(tool, args, input);
    if (success) return { kind: "done", text: stdout };
    return { kind: "failed", error: stderr.trim() || `exit code ${code}`, text: stdout };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "missing" };
    return { kind: "failed", error: (error as Error).message, text: "" };
  }
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/**
 * Lists the queued and running tasks of the jobs with these names, one per line. Uses `squeue`,
 * because `sacct` needs Slurm accounting.
 *
 * @param format What to print of a task: its ID (`%i`) or its state (`%T`).
 */
export async function queueOf(
  names: readonly string[],
  format: "%i" | "%T",
  io: Io,
): Promise<ToolResult> {
  // `--all` includes jobs in hidden partitions.
  const args = ["--noheader", "--all", "--array", `--name=${names}`, `--format=${format}`];
  return await tryTool("squeue", args, io);
}

/**
 * Calls a tool that submits a job. Returns the tool's output.
 *
 * @throws {UsageError} If the tool cannot be run.
 * @throws {SinkError} If the tool fails. The message contains its stderr.
 */
export async function callTool(
  tool: Tool,
  args: readonly string[],
  io: Io,
  input: string,
): Promise<string> {
  const result = await tryTool(tool, args, io, input);
  if (result.kind === "done") return result.text;
  throw submitError(tool, result);
}

export function submitError(tool: Tool, problem: ToolProblem): SinkError | UsageError {
  if (problem.kind !== "failed") {
    return new UsageError(
      `Cannot submit: ${
        problemText(tool, problem)
      }. Leave out --send to print the input for ${tool}`,
    );
  }
  const reason = isWithoutCluster(tool, problem.error)
    ? problemText(tool, problem)
    : `${tool} failed: ${problem.error}`;
  return new SinkError(`Cannot submit: ${reason}`);
}

/** Returns why a tool could not be run or failed, as a clause: `squeue is not installed here`. */
export function problemText(tool: Tool, problem: ToolProblem): string {
  if (problem.kind === "missing") return `${tool} is not installed here`;
  if (problem.kind === "refused") {
    return `Retort has no permission to run ${tool}: start it with deno task submit`;
  }
  if (isWithoutCluster(tool, problem.error)) return "kubectl has no cluster configured here";
  return `${tool} failed: ${firstErrorOf(problem.error)}`;
}

/** Matches errors of a kubectl without a configuration, which connects to localhost:8080. */
const NO_CLUSTER =
  /\blocalhost:8080\b|no configuration has been provided|current-context is not set/;

function isWithoutCluster(tool: Tool, error: string): boolean {
  return tool === "kubectl" && NO_CLUSTER.test(error);
}

/** Matches log lines of kubectl: `E0131 10:00:00.000000  7 memcache.go:265] …`. */
const LOG_LINE = /^[IWEF]\d{4} /;

function firstErrorOf(error: string): string {
  const lines = error.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return printable(lines.find((line) => !LOG_LINE.test(line)) ?? lines[0]);
}

export function noJobIn(namespace: string | undefined): string {
  const place = namespace === undefined
    ? "the current namespace; --namespace names another"
    : `the namespace ${namespace}`;
  return `no job of this output in ${place}`;
}

export function namespaceFlags(namespace: string | undefined): string[] {
  return namespace === undefined ? [] : [`--namespace=${namespace}`];
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
