/**
 * What makes a line one of Retort's. A row of the user's may have a `uid`, too: it is no answer.
 *
 * @module
 */

import { UsageError } from "./errors.ts";
import { isBlankLine, linesOf, readLineBlocks } from "./line_blocks.ts";

/** Which of the two output files a line stands in. */
export type LineKind = "results" | "failures";

/** The beginning that every line of ours has. */
const HEAD = '{"uid":"';

/** Why a value is no line of such a file; undefined where it is one. */
export function foreignLineProblem(value: unknown, kind: LineKind): string | undefined {
  if (typeof value !== "object" || value === null || !("uid" in value)) return 'it has no "uid"';
  if (typeof value.uid !== "string") return 'its "uid" is not a string';
  if (!("prompt_hash" in value) || typeof value.prompt_hash !== "string") {
    return 'it has no "prompt_hash", so Retort did not write it';
  }
  if (kind === "results") return "response" in value ? undefined : 'it has no "response"';
  const hasError = "error" in value && typeof value.error === "object" && value.error !== null;
  return hasError ? undefined : 'it has no "error"';
}

/**
 * Makes sure that a file which is about to be changed is ours. One that is missing or empty is, and so is
 * one that holds no more than the beginning of a line, or what a power cut left of it.
 *
 * @throws {UsageError} when its first line is not one of ours
 */
export async function checkOwnFile(path: string, kind: LineKind): Promise<void> {
  const problem = await firstLineProblem(path, kind);
  if (problem === undefined) return;
  throw new UsageError(
    `Cannot write "${path}": the file there is no ${kind} file of Retort (its first line: ` +
      `${problem}). Name another output, or move the file away`,
  );
}

/** Whether a file holds lines of ours. */
export async function holdsOwnLines(path: string, kind: LineKind): Promise<boolean> {
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      if (!isBlankLine(line)) return lineProblem(line, kind) === undefined;
    }
  }
  return false;
}

async function firstLineProblem(path: string, kind: LineKind): Promise<string | undefined> {
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      if (isBlankLine(line) || line.every((byte) => byte === 0)) continue;
      const problem = lineProblem(line, kind);
      return problem !== undefined && block.isTail && isBeginning(line) ? undefined : problem;
    }
  }
  return undefined;
}

function lineProblem(line: Uint8Array, kind: LineKind): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return "it is not JSON";
  }
  return foreignLineProblem(value, kind);
}

/** Whether a line that was cut off may have been one of ours. */
function isBeginning(line: Uint8Array): boolean {
  const start = new TextDecoder().decode(line.subarray(0, HEAD.length));
  return HEAD.startsWith(start.replaceAll("\0", ""));
}
