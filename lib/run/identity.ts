/**
 * The settings that answers were created with, and their comparison, so that answers with different
 * settings are not mixed by accident.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import { sortedJson } from "../json.ts";
import type { Params } from "../teacher/mod.ts";
import type { RowOptions, RunOptions, ThinkStyle } from "./options.ts";

/** Settings that make answers comparable and rows identifiable: no address, key or concurrency. */
export interface Identity {
  /** The requested models, joined by commas. */
  readonly model: string;
  readonly params: Params;
  /** The system message of rows without one; null if none is added. */
  readonly system: string | null;
  readonly template: string | null;
  readonly prompt_field: string | null;
  readonly uid_field: readonly string[];
  /** How reasoning is written in `final_messages`; null without `final_messages`. */
  readonly think: ThinkStyle | null;
  /** The number of shards of the input; null if one run reads all of it. */
  readonly shards: number | null;
}

export function identityOf(
  options: RowOptions & {
    model: string;
    params: Params;
    finalMessages?: boolean;
    think?: ThinkStyle;
    shards?: number;
  },
): Identity {
  return {
    model: options.model,
    params: options.params,
    system: options.system ?? null,
    template: options.template ?? null,
    prompt_field: options.promptField ?? null,
    uid_field: options.uidField ?? [],
    think: options.finalMessages ? options.think ?? "wrap" : null,
    shards: options.shards ?? null,
  };
}

/** 8 hex digits of the SHA-256 of the parameters' JSON with sorted keys. */
export function paramsId(params: Params): string {
  return sha256Hex(sortedJson(params)).slice(0, 8);
}

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
