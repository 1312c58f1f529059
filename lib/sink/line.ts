/**
 * The lines of the output files. A line is built around the row's own source text, which is never serialised
 * again: `1.0` stays `1.0`, and a 19-digit id keeps its digits.
 *
 * @module
 */

import type { Outcome, Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../think.ts";
import { jsonOf, withDeepAsText, withoutMembers } from "./json_text.ts";

/** What all lines of a run share. */
export interface LineFormat {
  /** The id of the parameter set in `run.json`. */
  readonly paramsId: string;
  /** Whether results carry `final_messages`. */
  readonly finalMessages: boolean;
  /** How reasoning is written in `final_messages`. */
  readonly think: ThinkStyle;
  /** Whether the price of every teacher is known. @default false */
  readonly isPriced?: boolean;
}

/** An input line that is not a row. */
export interface BadRow {
  /** The input, as the user named it. */
  readonly file: string;
  /** The line in it, from 1. */
  readonly line: number;
  /** Its place, as users count. @default `file:line` */
  readonly source?: string;
  /** What is wrong with it. */
  readonly problem: string;
  /** The line, if it is text. */
  readonly text?: string;
  /** The line, if it is not valid UTF-8. */
  readonly bytes?: Uint8Array;
}

/** The beginning of the uid of a bad row's line. */
export const BAD_ROW_PREFIX = "bad_row:";

/** The uid of a bad row's line in the failures file. */
export function badRowUid(file: string, line: number): string {
  return `${BAD_ROW_PREFIX}${file}:${line}`;
}

/**
 * The results line of a row that succeeded, without its line ending. Every line has all of our keys with the
 * same types, because Arrow takes the types of the first lines for all: counts that the teacher doesn't report
 * are 0, texts "". Values whose shape differs between lines (`tool_calls`, `kept`, `replaced`) are JSON text.
 */
export function resultLine(outcome: Outcome, format: LineFormat): string {
  const { row } = outcome;
  const completion = outcome.completion!;
  const { response, reasoning = "" } = completion;
  const toolCalls = completion.toolCalls && withDeepAsText(completion.toolCalls);
  const own = ownMembers(row);
  // An id of the row that is our `uid` too is not repeated.
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
 * The failures line of a row, without its line ending. An answer that was paid for is kept under `partial`. If
 * the row is sent again, `error.final` is false and `error.next` says how.
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
    next: next && { resample: next.resample, max_tokens: next.maxTokens },
  });
  const partial = completion === undefined ? "" : `,"partial":${partialOf(completion)}`;
  const { source } = row;
  const details = jsonOf({ source, params: format.paramsId, replaced: replacedOf(own) });
  const cost = `"cost_usd":${costOf(outcome, format)}`;
  return `${headOf(row, own.inside)},"error":${error}${partial},"distill":{${cost},${
    details.slice(1)
  }}`;
}

/** The failures line of an input line that is not a row. The line is kept, as text or base64. */
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

interface OwnMembers {
  /** The row's object without its braces, or "". */
  readonly inside: string;
  /** The values, as text, of the row's members that have our names. No prototype. */
  readonly replaced: Record<string, string>;
}

const NOTHING_REPLACED: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

function ownMembers(row: Row): OwnMembers {
  if (row.clashes.length === 0) return { inside: insideOf(row.text), replaced: NOTHING_REPLACED };
  const { text, removed } = withoutMembers(row.text, row.clashes);
  return { inside: insideOf(text), replaced: removed };
}

/** The text between the braces of an object; "" if that is only white space. */
export function insideOf(text: string): string {
  const inside = text.trim().slice(1, -1);
  return inside.trim() === "" ? "" : inside;
}

function headOf(row: Row, inside: string): string {
  // Not well-formed: the row's own id, like all of the row, is written unchanged.
  const head = `{"uid":${JSON.stringify(row.uid)},"prompt_hash":"${row.promptHash}"`;
  return inside === "" ? head : `${head},${inside}`;
}

/** The members of `distill` except the last two. */
function resultDetails(outcome: Outcome, completion: Completion, format: LineFormat): string {
  const { usage } = completion;
  const { teacher } = outcome;
  // Concatenated by hand: that takes half the time of serialising an object.
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

/** The last members of `distill`, and the end of the line. */
function restOf({ kept }: Completion, own: OwnMembers): string {
  if (kept === undefined && own.replaced === NOTHING_REPLACED) return NO_REST;
  const keptText = kept === undefined ? "{}" : jsonOf(withDeepAsText(kept));
  return `,"kept":${quoted(keptText)},"replaced":${quoted(replacedOf(own))}}}`;
}

const NO_REST = ',"kept":"{}","replaced":"{}"}}';

const modelMembers = remembered((asked, returned) =>
  `{"model":${requoted(asked)},"model_returned":${requoted(returned)},"response_id":`
);
const endMembers = remembered((teacher, reason) =>
  `,"teacher":${requoted(teacher)},"finish_reason":${requoted(reason)},"prompt_tokens":`
);
const paramsMembers = remembered((paramsId, isRefusal) =>
  `,"params":"${paramsId}","refusal":${isRefusal}`
);

/** Caches the last text: most lines have the same names as the line before, and a line of few pieces takes less
 * time and memory. */
function remembered(make: (first: string, second: string) => string): typeof make {
  let lastFirst: string | undefined, lastSecond: string | undefined;
  let text = "";
  return (first, second) => {
    if (first === lastFirst && second === lastSecond) return text;
    [lastFirst, lastSecond] = [first, second];
    return text = make(first, second);
  };
}

/** The cost of all attempts in US dollars, -1 if it is not known; with a decimal point, so that the column
 * has one type. */
function costOf({ costUsd, completion }: Outcome, { isPriced = false }: LineFormat): string {
  // An answer without counts still costs something.
  const isKnown = isPriced &&
    (costUsd > 0 || completion === undefined || Boolean(completion.usage));
  if (!isKnown) return "-1.0";
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
    model_returned: completion.model ?? "",
    tool_calls: toolCalls !== undefined && toolCalls.length > 0
      ? withDeepAsText(toolCalls)
      : undefined,
  });
}

/** The replaced members as the text of an object; the values keep their text. */
function replacedOf({ replaced }: OwnMembers): string {
  if (replaced === NOTHING_REPLACED) return "{}";
  const members = Object.entries(replaced).map(([name, value]) =>
    `${JSON.stringify(name)}:${value}`
  );
  return `{${members.join(",")}}`;
}

/** A custom teacher without types may leave a text out; the line has to be valid JSON anyway. */
function quoted(text: string | undefined): string {
  // For a string this is faster than searching its JSON.
  return typeof text === "string" ? JSON.stringify(text.toWellFormed()) : jsonOf(text ?? "");
}

function wholeNumber(value: number | undefined): number {
  const number = Math.round(value!);
  return Number.isSafeInteger(number) ? number : 0;
}

/** `quoted` with a cache, for names that repeat. */
function requoted(name: string): string {
  const known = quotedNames.get(name);
  if (known !== undefined) return known;
  if (quotedNames.size >= MOST_NAMES) quotedNames.clear();
  const text = quoted(name);
  quotedNames.set(name, text);
  return text;
}

const MOST_NAMES = 100;
const quotedNames = new Map<string, string>();

/** Rows finish in groups, so the last time is usually needed again. */
function isoOf(unixMs: number): string {
  if (unixMs !== lastIso.unixMs) lastIso = { unixMs, text: new Date(unixMs).toISOString() };
  return lastIso.text;
}

let lastIso = { unixMs: 0, text: new Date(0).toISOString() };
