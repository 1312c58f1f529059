/**
 * Reads lines of an earlier run: the row as in the input, its uid, and an answer that was not
 * accepted.
 *
 * @module
 */

import {
  type EarlierAnswer,
  type Failure,
  type NextAttempt,
  type RejectedAnswer,
  RESERVED_FIELDS,
  type Row,
} from "../row.ts";
import type { Completion, Teacher } from "../teacher/mod.ts";
import { asCount, asText, isObject, parsedJson, topLevelMembers, withoutMembers } from "../json.ts";
import { cannotRead, readFullySync } from "../files.ts";
import { DamagedFileError, SinkError } from "../errors.ts";
import { withoutBraces } from "./line.ts";

export interface LinePlace {
  readonly offset: number;
  /** The length without the trailing newline. */
  readonly byteLength: number;
}

/** Places of lines by line number, added in ascending order. A `Map` would take four times the
 * memory. */
export class LinePlaces {
  readonly #numbers: number[] = [];
  readonly #offsets: number[] = [];
  readonly #byteLengths: number[] = [];

  add(number: number, { offset, byteLength }: LinePlace): void {
    this.#numbers.push(number);
    this.#offsets.push(offset);
    this.#byteLengths.push(byteLength);
  }

  get(number: number): LinePlace | undefined {
    let low = 0, high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#numbers[middle] < number) low = middle + 1;
      else high = middle;
    }
    if (this.#numbers[low] !== number) return undefined;
    return { offset: this.#offsets[low], byteLength: this.#byteLengths[low] };
  }
}

/** Whether a failures line says that its row is still pending. Lines of earlier versions, without
 * `final`, are final. */
export function isPendingLine({ error }: { readonly error?: unknown }): boolean {
  return (error as { final?: unknown } | null | undefined)?.final === false;
}

/** Each pending line contains one of these texts. Other lines may contain them in the fields of the
 * row. */
const PENDING_MARKS = ['"final":false', '"final": false'];

/** Like `isPendingLine`, for a line that the index reads: parses it only if it may be pending. */
export function isPendingIndexLine(
  line: { includes(text: string): boolean; value(): { readonly error?: unknown } },
): boolean {
  return PENDING_MARKS.some((mark) => line.includes(mark)) && isPendingLine(line.value());
}

/**
 * Reads the answer that a failures line keeps for a row that is sent again. Returns undefined if
 * the prompt was edited, or if the line belongs to another row. If the parameters differ, `next` is
 * undefined: the row starts over, but keeps the answer.
 *
 * @throws {SinkError} If the file cannot be read, or has been changed.
 */
export function readEarlierAnswer(
  path: string,
  place: LinePlace,
  row: Row,
  paramsId: string,
): EarlierAnswer | undefined {
  const line = lineAt(path, place);
  if (line.uid !== row.uid || line.prompt_hash !== row.promptHash) return undefined;
  const isSame = line.distill?.params === paramsId;
  const next = isSame ? nextOf(line) : undefined;
  return { isSame, next, rejected: rejectedOf(line) };
}

interface OutputLine {
  readonly uid?: unknown;
  readonly prompt_hash?: unknown;
  readonly error?: Failure & {
    readonly next?: {
      resample?: unknown;
      max_tokens?: unknown;
      unchecked?: unknown;
    };
  };
  readonly partial?: Partial<Record<string, unknown>>;
  readonly distill?: Readonly<Partial<Record<string, unknown>>>;
}

function lineAt(path: string, { offset, byteLength }: LinePlace): OutputLine {
  try {
    using file = Deno.openSync(path, { read: true });
    const bytes = new Uint8Array(byteLength);
    const count = readFullySync(file, bytes, offset);
    if (count < byteLength) throw new Error("it was truncated while the run read it");
    return JSON.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    // The index found a line at this place. If it is not JSON, the file has been replaced since.
    const isChanged = cause instanceof SyntaxError;
    throw cannotRead(path, isChanged ? new Error("it was changed while the run read it") : cause);
  }
}

function nextOf({ error }: OutputLine): NextAttempt | undefined {
  const next = error?.next;
  if (next === undefined) return undefined;
  const { resample, max_tokens, unchecked } = next;
  const isUnchecked = unchecked === true || error?.message === EARLIER_UNCHECKED;
  return {
    resample: asCount(resample) ?? 0,
    maxTokens: asCount(max_tokens) || undefined,
    ...isUnchecked && { isUnchecked },
  };
}

/** The failure message of unchecked answers in versions that did not write `unchecked`. */
const EARLIER_UNCHECKED = "The run was ended before the answer was checked";

function rejectedOf({ error, partial }: OutputLine): RejectedAnswer | undefined {
  if (error === undefined || partial === undefined) return undefined;
  const { type, message, status = null } = error;
  const completion: Completion = {
    response: asText(partial.response),
    reasoning: asText(partial.reasoning),
    finishReason: asText(partial.finish_reason),
    usage: {
      promptTokens: asCount(partial.prompt_tokens) ?? 0,
      completionTokens: asCount(partial.completion_tokens) ?? 0,
      reasoningTokens: asCount(partial.reasoning_tokens) ?? 0,
      cachedTokens: asCount(partial.cached_tokens) ?? 0,
    },
    model: asText(partial.model_returned),
    toolCalls: Array.isArray(partial.tool_calls) ? partial.tool_calls : undefined,
  };
  return { completion, failure: { type, message, status } };
}

/** How much of the end of each file is read. A longer last line is ignored. */
const TAIL_BYTES = 64 * 1024;
/** Maximum number of files that are read, because a run may have thousands of results files. */
const MAX_TAILS = 64;

/** Reads the ends of the first `MAX_TAILS` results files. Returns a function that looks up the
 * model that a teacher's server named in its last answer there. The function returns undefined for
 * a teacher without an answer there. */
export function lastModelsOf(
  paths: readonly string[],
): (teacher: Pick<Teacher, "address" | "model">) => string | undefined {
  const models = new Map<string, string>();
  const keyOf = (address: string, model: string) => `${address} ${model}`;
  for (const line of paths.slice(0, MAX_TAILS).flatMap((path) => tailOf(path).split("\n"))) {
    // The first line may lack its beginning.
    const { distill } = (parsedJson(line) ?? {}) as OutputLine;
    const { teacher, model, model_returned } = isObject(distill) ? distill : {};
    const returned = asText(model_returned);
    if (returned !== "") models.set(keyOf(asText(teacher), asText(model)), returned);
  }
  return ({ address = "", model = "" }) => models.get(keyOf(address, model));
}

function tailOf(path: string): string {
  try {
    using file = Deno.openSync(path, { read: true });
    const offset = Math.max(0, file.statSync().size - TAIL_BYTES);
    const bytes = new Uint8Array(TAIL_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, readFullySync(file, bytes, offset)));
  } catch {
    return "";
  }
}

export interface RestoredRow {
  readonly uid: string;
  /** The prompt hash; "" for a bad row. */
  readonly promptHash: string;
  /** The row as JSON, without Retort's fields. */
  readonly text: string;
}

/**
 * Restores the row from an output line: removes Retort's fields, and puts back the row's own fields
 * of the same names, which the line keeps in `distill.replaced`. A `uid` that Retort kept is not
 * restored, because a results line does not say whether the row had one.
 *
 * @throws {SinkError} If the line is not a JSON object with a `uid`.
 */
export function restoreRow(lineText: string): RestoredRow {
  const line = lineWithUid(lineText);
  if (typeof line === "string") throw new SinkError(`Cannot restore a row from a line: ${line}`);
  const { uid, prompt_hash: hash } = line;
  const { text, removed } = withoutMembers(lineText, RESERVED_FIELDS);
  const members = [withoutBraces(text)];
  const replaced = removed.distill && valueOf(removed.distill, "replaced");
  // Earlier versions wrote an object, not JSON text.
  if (replaced) members.push(withoutBraces(replaced[0] === '"' ? JSON.parse(replaced) : replaced));
  return {
    uid,
    promptHash: asText(hash),
    text: `{${members.filter((member) => member !== "").join(",")}}`,
  };
}

function valueOf(objectText: string, name: string): string | undefined {
  const member = topLevelMembers(objectText).findLast((member) => member.name === name);
  return member && objectText.slice(member.valueStart, member.end);
}

/**
 * Returns the uid of an output line. Most lines need no parsing: they begin with a uid without
 * escapes.
 *
 * @throws {DamagedFileError} If the line has no uid.
 */
export function uidOfLine(text: string, path: string, lineNumber: number): string {
  const match = /^\{"uid":"([^"\\]*)"/.exec(text);
  if (match !== null) return match[1];
  const line = lineWithUid(text);
  if (typeof line !== "string") return line.uid;
  throw new DamagedFileError(
    `Cannot rewrite "${path}" line ${lineNumber}: ${line}. Repair or remove the line`,
    { path },
  );
}

/** Returns the fields of a line with a uid; otherwise, returns what is wrong with the line. */
function lineWithUid(text: string): { uid: string; prompt_hash?: unknown } | string {
  const value = parsedJson(text);
  if (value === undefined) return "it is not JSON";
  const { uid, prompt_hash } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof uid === "string" ? { uid, prompt_hash } : 'it has no string "uid"';
}
