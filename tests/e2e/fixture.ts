/**
 * Shared code of the end-to-end tests: the command line against a server, and prompts.
 *
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import {
  cleanEnv,
  type CliOptions,
  type CliProcess,
  type CliResult,
  DENO_RUN,
  REPOSITORY,
  runCli,
  startCli,
  startHere,
} from "../support/process.ts";
import type { TempDir } from "../support/temp.ts";

/** Runs the command line against a server to its end. */
export async function distill(
  server: { url: string },
  args: string[],
  options?: CliOptions,
): Promise<CliResult> {
  return await runCli(argsFor(server, args), options);
}

/** Starts the command line against a server. */
export async function startDistill(
  server: { url: string },
  args: string[],
  options?: CliOptions,
): Promise<CliProcess> {
  return await startCli(argsFor(server, args), options);
}

/** Starts the command line against a server in this process: nothing kills it. */
export function distillHere(
  server: { url: string },
  args: string[],
  options?: Pick<CliOptions, "env">,
): CliProcess {
  return startHere(argsFor(server, args), options);
}

/** Starts the command line in a shell that has run `limits` before, such as `ulimit -n 320`. */
export function startLimited(
  limits: string,
  args: string[],
  dir: TempDir,
  stderr: "piped" | "null" = "null",
): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: [
      "-c",
      `${limits}; exec "$@"`,
      "sh",
      Deno.execPath(),
      ...DENO_RUN,
      "-A",
      "cli.ts",
      ...args,
    ],
    cwd: REPOSITORY,
    clearEnv: true,
    env: cleanEnv(dir.path("home")),
    stdout: "null",
    stderr,
  }).spawn();
}

/** The arguments with the address of a server and a model, unless they are given. */
export function argsFor(server: { url: string }, args: string[]): string[] {
  const model = args.includes("-m") ? [] : ["-m", "test-model"];
  return [...args, "--base-url", server.url, ...model];
}

/** Rows with a prompt each: `{"id":"row-0","prompt":"prompt 0"}`, … */
export function numberedRows(count: number): { id: string; prompt: string }[] {
  return Array.from({ length: count }, (_, i) => ({ id: `row-${i}`, prompt: `prompt ${i}` }));
}

/** Fails with what the process wrote unless it ended with this exit code. */
export function assertExit(result: CliResult, code: number): void {
  assertEquals(result.code, code, `${result.stdout}\n${result.stderr}`);
}

/** Proves with `verify` that every row has a result. */
export async function assertVerified(dir: TempDir, input: string, output: string): Promise<void> {
  assertExit(await runCli(["verify", dir.path(input), "-o", dir.path(output)]), 0);
}

/** Seeded random numbers in [0, 1): mulberry32. */
export function seededRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A row of real prompts. */
export interface PromptRow {
  /** Where it is a problem of GSM8K. */
  readonly question?: string;
  /** Where it is one of the examples. */
  readonly prompt?: string;
}

const COPIES_OF_EXAMPLES = 20;

/**
 * Real prompts as the text of a JSONL file: GSM8K where it is next to the repository, otherwise the
 * examples, repeated with different texts.
 */
export async function realPrompts(): Promise<{ text: string; rows: PromptRow[] }> {
  let text: string;
  try {
    text = await Deno.readTextFile(`${REPOSITORY}/../shared/data/gsm8k_test.jsonl`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const examples = linesOf(await Deno.readTextFile(`${REPOSITORY}/examples/prompts.jsonl`));
    const copies = Array.from({ length: COPIES_OF_EXAMPLES }, (_, copy) =>
      examples.map((line) => {
        const { prompt } = JSON.parse(line) as { prompt: string };
        return `${JSON.stringify({ prompt: `${prompt} (Variant ${copy + 1})` })}\n`;
      }));
    text = copies.flat().join("");
  }
  return { text, rows: linesOf(text).map((line) => JSON.parse(line)) };
}

/** The lines of a text that are not empty. */
export function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
