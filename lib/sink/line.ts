/**
 * The lines of results and failures. A line contains the row's own text as it was in the input, not
 * serialized again from parsed values: `1.0` stays `1.0`, and a 19-digit id keeps its digits.
 *
 * @module
 */

import type { Outcome, Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../think.ts";
import { jsonOf, withDeepAsText, withoutMembers } from "./json_text.ts";

/** Settings for all lines of a run. */
export interface LineFormat {
  /** The id of the run's parameters, under which `run.json` lists them. */
  readonly paramsId: string;
  /** Whether results hold `final_messages`. */
  readonly finalMessages: boolean;
  /** How reasoning is written in `final_messages`. */
  readonly think: ThinkStyle;
  /** Whether the price of every teacher is known; else `cost_usd` is -1. @default false */
  readonly isPriced?: boolean;
}

/** An input line that cannot be sent. */
export interface BadRow {
  /** The input, as the user named it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The place of the row in the units of its format. @default `file:line` */
  readonly source?: string;
  /** What is wrong with the line, for `error.message`. */
  readonly problem: string;
  /** The line's text; absent if it is not valid UTF-8. */
  readonly text?: string;
  /** The line's bytes; only if it is not valid UTF-8. */
  readonly bytes?: Uint8Array;
}

/** How the uids of bad rows begin. */
const BAD_ROW_PREFIX = "bad_row:";

/** The uid that a bad row gets in the failures file. */
export function badRowUid(file: string, line: number): string {
  return `${BAD_ROW_PREFIX}${file}:${line}`;
}

/**
 * Whether a failures line is that of a bad row. A row of the input may have such a uid too, but only
 * the line of a bad row has no prompt hash.
 *
 * @param uid Reads the uid, which is needed only if there is no hash.
 */
export function isBadRowLine(hasHash: boolean, uid: () => string): boolean {
  return !hasHash && uid().startsWith(BAD_ROW_PREFIX);
}

/**
 * The results line of an answered row, without its line feed. Every line has all of our keys with
 * the same types, because Arrow infers the types from the first lines: a count that the teacher
 * doesn't report is 0, a text "". Values whose shape differs between lines (`tool_calls`, `kept`,
 * `replaced`) are JSON text.
 */
export function resultLine(outcome: Outcome, format: LineFormat): string {
  const { row } = outcome;
  const completion = outcome.completion!;
  const { response, reasoning = "" } = completion;
  const toolCalls = completion.toolCalls && withDeepAsText(completion.toolCalls);
  const own = ownMembers(row);
  // The row's own `uid` is not kept twice if it equals ours.
  if (own.replaced.uid !== undefined && JSON.parse(own.replaced.uid) === row.uid) {
    delete own.replaced.uid;
  }
  let line = `${headOf(row, own.inside)},"response":${quoted(response)}`;
  line += reasoning === "" && !toolCalls?.length
    ? ',"reasoning":"","tool_calls":"[]"'
    : `,"reasoning":${quoted(reasoning)},"tool_calls":${quoted(jsonOf(toolCalls ?? []))}`;
  if (format.finalMessages) {
    const answer = assistantMessage(response ?? "", reasoning, toolCalls, format.think);
    line += `,"final_messages":${jsonOf([...row.messages, answer])}`;
  }
  return `${line},"distill":${resultDetails(outcome, completion, format)}${
    restOf(completion, own)
  }`;
}

/**
 * The failures line of a row, without its line feed. An answer that was paid for is kept in
 * `partial`. If the row is pending, `error.final` is false and `error.next` says how it is sent
 * next.
 */
export function failureLine(outcome: Outcome, format: LineFormat): string {
  const { row, completion } = outcome;
  const { type, message, status } = outcome.failure!;
  const { next } = outcome;
  const own = ownMembers(row);
  const error = jsonOf({
    type,
    message,
    status,
    attempts: outcome.attempts,
    final: next === undefined,
    first_seen: isoOf(outcome.firstFailedAt ?? outcome.settledAt),
    created: isoOf(outcome.settledAt),
    next: next && {
      resample: next.resample,
      max_tokens: next.maxTokens,
      unchecked: next.isUnchecked || undefined,
    },
  });
  const partial = completion === undefined ? "" : `,"partial":${partialOf(completion)}`;
  const { source } = row;
  const details = jsonOf({ source, params: format.paramsId, replaced: replacedOf(own) });
  const cost = `"cost_usd":${costOf(outcome, format)}`;
  return `${headOf(row, own.inside)},"error":${error}${partial},"distill":{${cost},${
    details.slice(1)
  }}`;
}

/** The failures line of a bad row, without its line feed. Holds the input line as text or base64. */
export function badRowLine(badRow: BadRow, createdAt: number = Date.now()): string {
  const { file, line, problem, text, bytes } = badRow;
  const created = isoOf(createdAt);
  return jsonOf({
    uid: badRowUid(file, line),
    prompt_hash: "",
    ...(text === undefined && bytes !== undefined
      ? { raw_base64: bytes.toBase64() }
      : { raw: text ?? "" }),
    error: {
      type: "bad_row",
      message: problem,
      status: null,
      attempts: 0,
      final: true,
      first_seen: created,
      created,
    },
    distill: { source: badRow.source ?? `${file}:${line}`, params: "", replaced: "{}" },
  });
}

/** The row's own members, divided by whether their names clash with ours. */
interface OwnMembers {
  /** The members without our names, as JSON text without braces; "" if there are none. */
  readonly inside: string;
  /** The JSON text of each value whose name is one of ours, by name. No prototype. */
  readonly replaced: Record<string, string>;
}

const NOTHING_REPLACED: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

function ownMembers(row: Row): OwnMembers {
  if (row.clashes.length === 0) return { inside: insideOf(row.text), replaced: NOTHING_REPLACED };
  const { text, removed } = withoutMembers(row.text, row.clashes);
  return { inside: insideOf(text), replaced: removed };
}

/** The JSON text of an object without its braces; "" if only white space is left. */
export function insideOf(text: string): string {
  const inside = text.trim().slice(1, -1);
  return inside.trim() === "" ? "" : inside;
}

/** The beginning of a line, without the closing brace: our first members, then the row's own. */
function headOf(row: Row, inside: string): string {
  // Without `toWellFormed`: like all of the row, its uid is written unchanged.
  const head = `{"uid":${JSON.stringify(row.uid)},"prompt_hash":"${row.promptHash}"`;
  return inside === "" ? head : `${head},${inside}`;
}

/** The text of `distill` without its last members, `kept` and `replaced`, and its closing brace. */
function resultDetails(outcome: Outcome, completion: Completion, format: LineFormat): string {
  const { usage } = completion;
  const { teacher } = outcome;
  // Concatenated by hand: that takes half the time of serializing an object.
  return modelMembers(completion.modelAsked ?? teacher?.model ?? "", completion.model ?? "") +
    quoted(completion.id ?? "") +
    endMembers(completion.teacher ?? teacher?.address ?? "", completion.finishReason ?? "") +
    wholeNumber(usage?.promptTokens) +
    `,"completion_tokens":${wholeNumber(usage?.completionTokens)}` +
    `,"reasoning_tokens":${wholeNumber(usage?.reasoningTokens)}` +
    `,"cached_tokens":${wholeNumber(usage?.cachedTokens)}` +
    `,"attempts":${outcome.attempts}` +
    `,"latency_ms":${wholeNumber(outcome.latencyMs)}` +
    `,"ttft_ms":${wholeNumber(completion.ttftMs ?? outcome.latencyMs)}` +
    `,"cost_usd":${costOf(outcome, format)}` +
    `,"created":"${isoOf(outcome.settledAt)}","source":` +
    quoted(outcome.row.source) +
    paramsMembers(format.paramsId, String(completion.isRefusal === true));
}

/** The members `kept` and `replaced` of `distill`, and the end of the line. */
function restOf({ kept }: Completion, own: OwnMembers): string {
  if (kept === undefined && own.replaced === NOTHING_REPLACED) return NO_REST;
  const keptText = kept === undefined ? "{}" : jsonOf(withDeepAsText(kept));
  return `,"kept":${quoted(keptText)},"replaced":${quoted(replacedOf(own))}}}`;
}

const NO_REST = ',"kept":"{}","replaced":"{}"}}';

const modelMembers = remembered((asked, returned) =>
  `{"model":${quotedName(asked)},"model_returned":${quotedName(returned)},"response_id":`
);
const endMembers = remembered((teacher, reason) =>
  `,"teacher":${quotedName(teacher)},"finish_reason":${quotedName(reason)},"prompt_tokens":`
);
const paramsMembers = remembered((paramsId, isRefusal) =>
  `,"params":"${paramsId}","refusal":${isRefusal}`
);

/**
 * Caches the last result of `make`: most lines have the same names as the line before, and
 * concatenating fewer pieces takes less time and memory.
 */
function remembered(make: (first: string, second: string) => string): typeof make {
  let lastFirst: string | undefined, lastSecond: string | undefined;
  let text = "";
  return (first, second) => {
    if (first === lastFirst && second === lastSecond) return text;
    [lastFirst, lastSecond] = [first, second];
    return text = make(first, second);
  };
}

/**
 * The cost of all attempts in US dollars; -1 if unknown. Never written as an integer, so that Arrow
 * gives the column one type.
 */
function costOf({ costUsd }: Outcome, { isPriced = false }: LineFormat): string {
  if (!isPriced || costUsd === null) return "-1.0";
  return Number.isInteger(costUsd) ? costUsd.toFixed(1) : String(costUsd);
}

function partialOf(completion: Completion): string {
  const { usage, toolCalls } = completion;
  return jsonOf({
    response: completion.response ?? "",
    reasoning: completion.reasoning ?? "",
    finish_reason: completion.finishReason ?? "",
    prompt_tokens: wholeNumber(usage?.promptTokens),
    completion_tokens: wholeNumber(usage?.completionTokens),
    reasoning_tokens: wholeNumber(usage?.reasoningTokens),
    cached_tokens: wholeNumber(usage?.cachedTokens),
    model_returned: completion.model ?? "",
    tool_calls: toolCalls !== undefined && toolCalls.length > 0
      ? withDeepAsText(toolCalls)
      : undefined,
  });
}

/** The replaced members as JSON text of an object, with each value as it was written. */
function replacedOf({ replaced }: OwnMembers): string {
  if (replaced === NOTHING_REPLACED) return "{}";
  const members = Object.entries(replaced).map(([name, value]) =>
    `${JSON.stringify(name)}:${value}`
  );
  return `{${members.join(",")}}`;
}

/** The JSON text of a string. Custom teachers without types may give anything, even undefined. */
function quoted(text: string | undefined): string {
  // For strings, this is faster than `jsonOf`.
  return typeof text === "string" ? JSON.stringify(text.toWellFormed()) : jsonOf(text ?? "");
}

/** A count as a whole number; 0 if it is none. */
function wholeNumber(value: number | undefined): number {
  const number = Math.round(value!);
  return Number.isSafeInteger(number) ? number : 0;
}

/** `quoted` with a cache, for names that repeat. */
function quotedName(name: string): string {
  const cached = quotedNames.get(name);
  if (cached !== undefined) return cached;
  if (quotedNames.size >= MAX_NAMES) quotedNames.clear();
  const text = quoted(name);
  quotedNames.set(name, text);
  return text;
}

const MAX_NAMES = 100;
const quotedNames = new Map<string, string>();

/** ISO 8601. Rows finish in groups, so the last time is usually needed again. */
function isoOf(unixMs: number): string {
  if (unixMs !== lastIso.unixMs) lastIso = { unixMs, text: new Date(unixMs).toISOString() };
  return lastIso.text;
}

let lastIso = { unixMs: 0, text: new Date(0).toISOString() };
