/**
 * What a results file was made with, kept in `<name>.run.json`, so that answers of two models or two
 * parameter sets are not mixed by accident.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import { type ReplacementOptions, writeFileDurably } from "../sink/mod.ts";
import { isRawJson, parseLossless, type RawJson } from "../source/mod.ts";
import { cannotRead } from "../system_error.ts";
import type { Params } from "../teacher/mod.ts";
import type { Summary } from "../progress/mod.ts";
import { checkedRunFile } from "./checked_run_file.ts";
import type { RowOptions, ThinkStyle } from "./options.ts";

/**
 * What makes answers comparable, and rows findable again: never the address, key, concurrency, timeouts
 * or the number of samples.
 */
export interface Identity {
  /** The model that is asked. */
  readonly model: string;
  /** The run's parameters. */
  readonly params: Params;
  /** The system message that is added, or null. */
  readonly system: string | null;
  /** The template, or null. */
  readonly template: string | null;
  /** The field that holds the prompt, or null. */
  readonly prompt_field: string | null;
  /** The fields that name a row. */
  readonly uid_field: readonly string[];
  /** How reasoning stands in `final_messages`, or null where there is none. */
  readonly think: ThinkStyle | null;
}

/** The content of `<name>.run.json`. */
export interface RunFile {
  /** Says what the file is. */
  readonly retort: string;
  /** The input, as it was named. */
  readonly input: string;
  /** What the results were made with. */
  readonly identity: Identity;
  /** How the input was read, beside what the identity says. */
  readonly rows:
    & Pick<
      RowOptions,
      "duplicates" | "mixedShapes" | "inputFormat" | "jsonColumns" | "binaryColumns"
    >
    & {
      /** Answers for each row; absent in files that were written when there was always one. */
      readonly samples?: number;
      /** Whether the fields of `uid_field` come before `uid`, `custom_id` and `id`. Absent in files of
       * an earlier version, in which they come after these. @default false */
      readonly uidFieldFirst?: boolean;
    };
  /** The teacher's address, without credentials. */
  readonly teacher: string;
  /** Every parameter set that lines of the results name in `distill.params`. */
  readonly params: Readonly<Record<string, Params>>;
  /** The summary of the last run, or null while it goes on or when it crashed. */
  readonly summary: Summary | null;
}

/** The identity of a run. */
export function identityOf(
  options: RowOptions & {
    model: string;
    params: Params;
    finalMessages: boolean;
    think: ThinkStyle;
  },
): Identity {
  return {
    model: options.model,
    params: options.params,
    system: options.system ?? null,
    template: options.template ?? null,
    prompt_field: options.promptField ?? null,
    uid_field: options.uidField ?? [],
    think: options.finalMessages ? options.think : null,
  };
}

/** The name of a parameter set: 8 hex digits of SHA-256 over its sorted JSON. */
export function paramsId(params: Params): string {
  return sha256Hex(sorted(params)).slice(0, 8);
}

/** Reads the file, or gives undefined where there is none. */
export async function readRunFile(path: string): Promise<RunFile | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw cannotRead(path, error);
  }
  try {
    return checkedRunFile(parseLossless(text));
  } catch (cause) {
    throw new UsageError(
      `Cannot read "${path}": ${(cause as Error).message}. ` +
        "Move it away to go on without knowing what the results were made with",
      { cause },
    );
  }
}

/** Writes the file whole: a crash leaves the old one or the new one. */
export async function writeRunFile(
  path: string,
  file: RunFile,
  options?: ReplacementOptions,
): Promise<void> {
  await writeFileDurably(path, `${JSON.stringify(file, null, 2)}\n`, options);
}

/**
 * Refuses to put answers of another identity into a results file.
 *
 * @throws {UsageError} with a line for each difference
 */
export function checkSameIdentity(
  path: string,
  before: Identity,
  now: Identity,
  { mayChangeParams = false }: { mayChangeParams?: boolean } = {},
): void {
  const names = Object.keys(now) as (keyof Identity)[];
  const differences = names
    .filter((name) => !(mayChangeParams && name === "params"))
    .filter((name) => normal(before[name] ?? null) !== normal(now[name]))
    .map((name) => `  ${name}: ${normal(before[name] ?? null)} before, ${normal(now[name])} now`);
  if (differences.length === 0) return;
  throw new UsageError(
    `Cannot continue "${path}": its answers were made otherwise\n${differences.join("\n")}\n` +
      "Run it as before, name another output, or add --allow-mixed to have both in one file",
  );
}

/** Numbers compare by value: `1.0` and `1` are one temperature, but two seeds of 19 digits are two. */
function normal(value: unknown): string {
  return sorted(value, (raw) => {
    const number = Number(raw.rawJSON);
    const isExact = Number.isInteger(number) ? Number.isSafeInteger(number) : isFinite(number);
    return isExact ? number : raw;
  });
}

function sorted(value: unknown, onRaw: (raw: RawJson) => unknown = (raw) => raw): string {
  return JSON.stringify(value, (_key, inner) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    if (isRawJson(inner)) return onRaw(inner);
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1));
  });
}
