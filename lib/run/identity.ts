/** Compares settings, so that answers with different settings are not mixed by accident. @module */

import { UsageError } from "../errors.ts";
import { sortedJson } from "../json.ts";
import type { RunOptions } from "./options.ts";
import type { Identity } from "./run_file.ts";

interface IdentityCheck extends Pick<RunOptions, "retry"> {
  /** What a user who wants both settings can do. @default have both in one file */
  readonly mixAdvice?: string;
}

/**
 * @param problem The beginning of the error, as in `Cannot continue "x.jsonl": its answers were`.
 * @throws {UsageError} with a line for each setting that differs
 */
export function checkSameIdentity(
  problem: string,
  before: Identity,
  now: Identity,
  { retry, mixAdvice = "add --allow-mixed to have both in one file" }: IdentityCheck = {},
): void {
  const differences = identityDifferences(before, now)
    .filter((difference) => !(retry && difference.startsWith("  params: ")));
  if (differences.length === 0) return;
  throw new UsageError(
    `${problem} created with different settings\n${differences.join("\n")}\n` +
      `Use the earlier settings, name another output, or ${mixAdvice}`,
  );
}

export function identityDifferences(before: Identity, now: Identity): string[] {
  const names = Object.keys(now) as (keyof Identity)[];
  return names.flatMap((name) => {
    const was = comparableText(before[name] ?? null), is = comparableText(now[name]);
    return was === is ? [] : [`  ${name}: ${was} before, ${is} now`];
  });
}

/** Text for comparison. The temperatures `1.0` and `1` are equal; different seeds of 19 digits are
 * not. */
function comparableText(value: unknown): string {
  return sortedJson(value, (raw) => {
    const number = Number(raw.rawJSON);
    const isExact = Number.isInteger(number) ? Number.isSafeInteger(number) : isFinite(number);
    return isExact ? number : raw;
  });
}
