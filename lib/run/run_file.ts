/**
 * `<name>.run.json` holds the settings of a results file, and how its rows are read. Runs compare
 * their settings with it, so that answers with different settings are not mixed by accident. Users
 * may edit or replace the file, so its content is checked.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { INPUT_FORMATS } from "../formats/mod.ts";
import { sha256Hex } from "../hash.ts";
import { isObject, isTooDeep, sortedJson } from "../json.ts";
import type { Summary, SummaryFile } from "../progress/mod.ts";
import { readReplacedJson, type ReplacementOptions, writeFileDurably } from "../sink/mod.ts";
import { parseLossless, type RowParserOptions } from "../source/mod.ts";
import { cannotRead, ifThere } from "../files.ts";
import {
  accepts,
  flag,
  oneOf,
  type OptionRule,
  record,
  text,
  texts,
  wholeNumberFrom,
} from "../options.ts";
import { MAX_SAMPLES } from "../params.ts";
import type { Params } from "../teacher/mod.ts";
import type { RowOptions, RunOptions, ThinkStyle } from "./options.ts";

/** The settings that determine answers and row ids; not the address, key or concurrency. */
export interface Identity {
  /** The requested models, joined by commas. */
  readonly model: string;
  readonly params: Params;
  /** The id of the JSON Schema (`jsonId`); null without one. Earlier versions did not write it. */
  readonly json_schema: string | null;
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
    jsonSchema?: unknown;
    finalMessages?: boolean;
    think?: ThinkStyle;
    shards?: number;
  },
): Identity {
  return {
    model: options.model,
    params: options.params,
    json_schema: options.jsonSchema === undefined ? null : jsonId(options.jsonSchema),
    system: options.system ?? null,
    template: options.template ?? null,
    prompt_field: options.promptField ?? null,
    uid_field: options.uidField ?? [],
    think: options.finalMessages ? options.think ?? "wrap" : null,
    shards: options.shards ?? null,
  };
}

/** Returns the first 8 hex digits of the SHA-256 of a value's JSON with sorted keys. */
export function jsonId(value: unknown): string {
  return sha256Hex(sortedJson(value)).slice(0, 8);
}

/** A retry that has sent rows and is not done. The same command continues it. Rows that have failed
 * again since it began wait for the next retry, as if there had been no interruption. */
export interface UnfinishedRetry {
  /** When the retry began, in ISO 8601. */
  readonly since: string;
  /** A hash of the options that decide which rows are sent, and whether they fail. */
  readonly id: string;
}

export interface RunFile {
  readonly retort: string;
  readonly input: string;
  /** The files of the input, if there are several; for a shard, the inputs as the user named them.
   * Absent in files of earlier versions. */
  readonly inputs?: readonly string[];
  readonly identity: Identity;
  /** How the input was read, apart from the settings in `identity`. */
  readonly rows:
    & Pick<
      RowOptions,
      "duplicates" | "mixedShapes" | "inputFormat" | "jsonColumns" | "binaryColumns"
    >
    & {
      /** Answers for each row. Absent in files of versions that had only one. */
      readonly samples?: number;
      /** Whether the fields of `uid_field` come before `uid`, `custom_id` and `id`. In earlier
       * versions, whose files lack this entry, they come after.
       * @default false */
      readonly uidFieldFirst?: boolean;
    };
  /** The teachers' addresses, without credentials, joined by commas. */
  readonly teacher: string;
  /** Parameter sets, by their names in `distill.params` of results lines. */
  readonly params: Readonly<Record<string, Params>>;
  /** The last summary; null while the run continues, or if it crashed. */
  readonly summary: Summary | null;
  readonly retry?: UnfinishedRetry;
  /** Written by a merge; absent once a run has continued the merged output. */
  readonly merged?: {
    /** Answers that are neither results nor failures. */
    readonly pending: number;
  };
}

/** Reads a run file. Returns undefined if there is none.
 *
 * @throws {SinkError | UsageError} when the file cannot be read, or is not a run file */
export async function readRunFile(path: string): Promise<RunFile | undefined> {
  const content = await ifThere(readReplacedJson(path), (cause) => cannotRead(path, cause));
  if (content === undefined) return undefined;
  try {
    return checkRunFile(parseLossless(content));
  } catch (cause) {
    throw new UsageError(
      `Cannot read "${path}": ${(cause as Error).message}. ` +
        "Move it away to continue with settings that may differ from those of the results",
      { cause },
    );
  }
}

/** Returns the row options of an earlier run, except where the caller sets others. Mixed shapes are
 * always allowed. */
export function rowOptionsOf(
  run: RunFile | undefined,
  options: RowOptions,
): RowOptions & Pick<RowParserOptions, "uidFieldLast"> {
  const { identity, rows } = run ?? {};
  return {
    system: options.system ?? identity?.system ?? undefined,
    template: options.template ?? identity?.template ?? undefined,
    promptField: options.promptField ?? identity?.prompt_field ?? undefined,
    uidField: options.uidField ?? identity?.uid_field as string[] | undefined,
    duplicates: options.duplicates ?? rows?.duplicates,
    mixedShapes: true,
    inputFormat: options.inputFormat ?? rows?.inputFormat,
    jsonColumns: options.jsonColumns ?? rows?.jsonColumns,
    binaryColumns: options.binaryColumns ?? rows?.binaryColumns,
    uidFieldLast: run !== undefined && !rows?.uidFieldFirst,
  };
}

/** Returns the earlier summary if that run is done and the counts are the same. Called for an idle
 * run, whose own summary would hide what earlier runs have sent and cost. */
export function unchangedSummary(
  summary: Summary | null | undefined,
  now: SummaryFile,
): Summary | undefined {
  if (summary?.state !== "done") return undefined;
  const fileBefore = summaryOf(summary, now.results);
  const counts = ["total", "succeeded", "failed", "pending"] as const;
  return counts.every((name) => fileBefore?.[name] === now[name]) ? summary : undefined;
}

/** Returns the entry of a results file in a summary. The file may have been moved since. */
export function summaryOf(
  summary: Summary | null | undefined,
  results: string,
): SummaryFile | undefined {
  if (!Array.isArray(summary?.files)) return undefined;
  return summary.files.find((file) =>
    isObject(file) && basename(String(file.results)) === basename(results)
  );
}

/** Writes a run file atomically: a crash leaves the old file or the new one. */
export async function writeRunFile(
  path: string,
  file: RunFile,
  options?: ReplacementOptions,
): Promise<void> {
  const content = `${JSON.stringify(file, null, 2)}\n`;
  await writeFileDurably(path, content, { ...options, followsLinks: false });
}

/** Maximum nesting of a run file. Comparing values with about 10,000 levels overflows the stack. */
const MAX_LEVELS = 500;

const REQUIRED: ReadonlySet<string> = new Set(["identity", "identity.model", "rows"]);

type Rules<Name extends string> = Readonly<Record<Name, OptionRule>>;

/** Earlier versions may have left out fields that are not required, or written them as null. */
const RULES: Rules<`identity.${keyof Identity}`> & Rules<string> = {
  "identity": record,
  "identity.model": text,
  "identity.params": record,
  "identity.json_schema": text,
  "identity.system": text,
  "identity.template": text,
  "identity.prompt_field": text,
  "identity.uid_field": texts,
  "identity.think": oneOf(["wrap", "field", "drop"]),
  "identity.shards": wholeNumberFrom(1),
  "rows": record,
  "rows.duplicates": oneOf(["merge", "keep"]),
  "rows.mixedShapes": flag,
  "rows.samples": wholeNumberFrom(1, MAX_SAMPLES),
  "rows.uidFieldFirst": flag,
  "rows.inputFormat": oneOf(INPUT_FORMATS),
  "rows.jsonColumns": texts,
  "rows.binaryColumns": texts,
  "input": text,
  "inputs": texts,
  "params": {
    expected: "an object of objects",
    isType: (value) => isObject(value) && Object.values(value).every(isObject),
  },
  "summary": record,
  "retry": record,
  "retry.since": text,
  "retry.id": text,
  "merged": record,
};

function checkRunFile(value: unknown): RunFile {
  if (!isObject(value)) throw new SyntaxError("it must hold an object");
  if (isTooDeep(value, MAX_LEVELS)) throw new SyntaxError("it is nested too deeply");
  for (const [path, rule] of Object.entries(RULES)) {
    const field = fieldAt(value, path), isMissing = field === undefined;
    if ((isMissing || field === null) && !REQUIRED.has(path)) continue;
    if (isMissing) throw new SyntaxError(`it has no "${path}"`);
    if (!accepts(rule, field)) throw new SyntaxError(`"${path}" must be ${rule.expected}`);
  }
  return { ...value, summary: value.summary ?? null } as unknown as RunFile;
}

function fieldAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (holder, name) => isObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined,
    value,
  );
}

interface IdentityCheck extends Pick<RunOptions, "retry"> {
  /** Advice for a user who wants answers with both settings. @default to have them in one file */
  readonly mixAdvice?: string;
}

/** Throws an error with a line for each setting that differs. The error begins with `problem`, as
 * in `Cannot continue "x.jsonl": its answers were`. */
export function checkSameIdentity(
  problem: string,
  before: Identity,
  now: Identity,
  { retry, mixAdvice = "add --allow-mixed to have both in one file" }: IdentityCheck = {},
): void {
  const differences = identityDifferences(before, now, retry ? RETRY_MAY_CHANGE : []);
  if (differences.length === 0) return;
  throw new UsageError(
    `${problem} created with different settings\n${differences.join("\n")}\n` +
      `Use the earlier settings, name another output, or ${mixAdvice}`,
  );
}

/** Settings that a retry may change, because a wrong setting may have made rows fail. */
const RETRY_MAY_CHANGE: readonly (keyof Identity)[] = ["params", "json_schema"];

export function identityDifferences(
  before: Identity,
  now: Identity,
  ignored: readonly (keyof Identity)[] = [],
  [first, second] = ["before", "now"],
): string[] {
  const names = Object.keys(now) as (keyof Identity)[];
  return names.flatMap((name) => {
    if (ignored.includes(name)) return [];
    // Earlier versions did not write the schema, so it may have been the same.
    if (name === "json_schema" && before[name] === undefined) return [];
    const was = comparableText(before[name] ?? null), is = comparableText(now[name]);
    return was === is ? [] : [`  ${name}: ${was} ${first}, ${is} ${second}`];
  });
}

/** Returns a text for comparison. The temperatures `1.0` and `1` are equal; different seeds of 19
 * digits are not. */
function comparableText(value: unknown): string {
  return sortedJson(value, (raw) => {
    const number = Number(raw.rawJSON);
    const isExact = Number.isInteger(number) ? Number.isSafeInteger(number) : isFinite(number);
    return isExact ? number : raw;
  });
}
