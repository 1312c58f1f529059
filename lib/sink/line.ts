/**
 * The lines of results and failures. They contain the row's text as in the input, not serialized
 * again: `1.0` stays `1.0`, and a 19-digit id keeps its digits.
 *
 * @module
 */

import type { Outcome, Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { assistantMessage, type ThinkStyle } from "../answer.ts";
import { asCount, jsonOf, withDeepAsText, withoutMembers } from "../json.ts";

export interface LineFormat {
  /** The id of the run's parameters in the run file. */
  readonly paramsId: string;
  readonly finalMessages: boolean;
  readonly think: ThinkStyle;
  /** Whether the price of every teacher is known; otherwise `cost_usd` is -1. @default false */
  readonly isPriced?: boolean;
}

export interface BadRow {
  readonly file: string;
  readonly line: number;
  /** The place of the row in units of its format: `file[element]`. @default `file:line` */
  readonly source?: string;
  readonly problem: string;
  /** The line, if it is valid UTF-8; otherwise, `bytes` holds it. */
  readonly text?: string;
  readonly bytes?: Uint8Array;
}

const BAD_ROW_PREFIX = "bad_row:";

export function badRowUid(file: string, line: number): string {
  return `${BAD_ROW_PREFIX}${file}:${line}`;
}

/**
 * Whether a failures line is that of a bad row. The uid alone does not tell, because an input row
 * may have a uid that begins in the same way. Only bad rows lack a prompt hash.
 *
 * @param uid Called only if there is no hash.
 */
export function isBadRowLine(hasHash: boolean, uid: () => string): boolean {
  return !hasHash && uid().startsWith(BAD_ROW_PREFIX);
}

/**
 * Returns a results line, without the trailing newline. Retort's fields and their types are the
 * same in all lines of a run, because Arrow infers types from the first lines: an unreported count
 * is 0, a missing text "". Values of varying shape (`tool_calls`, `kept`, `replaced`) are JSON
 * text.
 */
export function resultLine(outcome: Outcome, format: LineFormat): string {
  const { row } = outcome;
  const completion = outcome.completion!;
  const { response, reasoning = "" } = completion;
  const toolCalls = completion.toolCalls && withDeepAsText(completion.toolCalls);
  const members = rowMembersOf(row);
  // `replaced` need not repeat a `uid` that Retort kept, except a uid like `doc#2`: without it, the
  // line would look like the third sample of the row `doc`.
  if (
    members.replaced.uid !== undefined && !/[~#]\d+$/.test(row.uid) &&
    JSON.parse(members.replaced.uid) === row.uid
  ) {
    delete members.replaced.uid;
  }
  let line = `${headOf(row, members.text)},"response":${jsonString(response)}`;
  line += reasoning === "" && !toolCalls?.length
    ? ',"reasoning":"","tool_calls":"[]"'
    : `,"reasoning":${jsonString(reasoning)},"tool_calls":${jsonString(jsonOf(toolCalls ?? []))}`;
  if (format.finalMessages) {
    const answer = assistantMessage(response ?? "", reasoning, toolCalls, format.think);
    line += `,"final_messages":${jsonOf([...row.messages, answer])}`;
  }
  return `${line},"distill":${resultDetails(outcome, completion, format)}${
    restOf(completion, members)
  }`;
}

/** Returns a failures line, without the trailing newline. `partial` has the last answer, if one was
 * paid for. If the row is pending, `error.final` is false and `error.next` says how it is sent
 * next. */
export function failureLine(outcome: Outcome, format: LineFormat): string {
  const { row, completion } = outcome;
  const { type, message, status } = outcome.failure!;
  const { next } = outcome;
  const members = rowMembersOf(row);
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
  const details = jsonOf({ source, params: format.paramsId, replaced: replacedOf(members) });
  const cost = `"cost_usd":${costOf(outcome, format)}`;
  return `${headOf(row, members.text)},"error":${error}${partial},"distill":{${cost},${
    details.slice(1)
  }}`;
}

/** Returns the failures line of a bad row, with the input line as text (`raw`) or base64
 * (`raw_base64`). */
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

interface RowMembers {
  /** The row's own fields, except those whose names Retort uses, as JSON text without braces. */
  readonly text: string;
  /** The row's values for names that Retort uses, each as JSON text. The object has no
   * prototype. */
  readonly replaced: Record<string, string>;
}

const NOTHING_REPLACED: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

function rowMembersOf(row: Row): RowMembers {
  if (row.clashes.length === 0) {
    return { text: withoutBraces(row.text), replaced: NOTHING_REPLACED };
  }
  const { text, removed } = withoutMembers(row.text, row.clashes);
  return { text: withoutBraces(text), replaced: removed };
}

/** Returns an object's text without braces; "" if only white space is left. */
export function withoutBraces(text: string): string {
  const inside = text.trim().slice(1, -1);
  return inside.trim() === "" ? "" : inside;
}

/** Returns the beginning of a line: Retort's first fields, then the row's own fields, without a
 * closing brace. */
function headOf(row: Row, membersText: string): string {
  // The uid must stay as it is in the row, so it is not made well-formed.
  const head = `{"uid":${JSON.stringify(row.uid)},"prompt_hash":"${row.promptHash}"`;
  return membersText === "" ? head : `${head},${membersText}`;
}

function resultDetails(outcome: Outcome, completion: Completion, format: LineFormat): string {
  const { usage } = completion;
  const { teacher } = outcome;
  // Concatenation takes half the time of serializing an object.
  return modelMembers(completion.modelAsked ?? teacher?.model ?? "", completion.model ?? "") +
    jsonString(completion.id ?? "") +
    endMembers(completion.teacher ?? teacher?.address ?? "", completion.finishReason ?? "") +
    countOrZero(usage?.promptTokens) +
    `,"completion_tokens":${countOrZero(usage?.completionTokens)}` +
    `,"reasoning_tokens":${countOrZero(usage?.reasoningTokens)}` +
    `,"cached_tokens":${countOrZero(usage?.cachedTokens)}` +
    `,"attempts":${outcome.attempts}` +
    `,"latency_ms":${countOrZero(outcome.latencyMs)}` +
    `,"ttft_ms":${countOrZero(completion.ttftMs ?? outcome.latencyMs)}` +
    `,"cost_usd":${costOf(outcome, format)}` +
    `,"created":"${isoOf(outcome.settledAt)}","source":` +
    jsonString(outcome.row.source) +
    paramsMembers(format.paramsId, String(completion.isRefusal === true));
}

function restOf({ kept }: Completion, members: RowMembers): string {
  if (kept === undefined && members.replaced === NOTHING_REPLACED) return EMPTY_REST;
  const keptText = kept === undefined ? "{}" : jsonOf(withDeepAsText(kept));
  return `,"kept":${jsonString(keptText)},"replaced":${jsonString(replacedOf(members))}}}`;
}

const EMPTY_REST = ',"kept":"{}","replaced":"{}"}}';

const modelMembers = rememberLast((asked, returned) =>
  `{"model":${quotedName(asked)},"model_returned":${quotedName(returned)},"response_id":`
);
const endMembers = rememberLast((teacher, reason) =>
  `,"teacher":${quotedName(teacher)},"finish_reason":${quotedName(reason)},"prompt_tokens":`
);
const paramsMembers = rememberLast((paramsId, isRefusal) =>
  `,"params":"${paramsId}","refusal":${isRefusal}`
);

/** Caches the last text that `make` returned: most lines have the same names as the line before,
 * and concatenating fewer pieces takes less time and memory. */
function rememberLast(make: (first: string, second: string) => string): typeof make {
  let lastFirst: string | undefined, lastSecond: string | undefined;
  let text = "";
  return (first, second) => {
    if (first === lastFirst && second === lastSecond) return text;
    [lastFirst, lastSecond] = [first, second];
    return text = make(first, second);
  };
}

/** Returns the cost, or -1 if it is unknown. It is never written as an integer, so that Arrow gives
 * the column one type. */
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
    prompt_tokens: countOrZero(usage?.promptTokens),
    completion_tokens: countOrZero(usage?.completionTokens),
    reasoning_tokens: countOrZero(usage?.reasoningTokens),
    cached_tokens: countOrZero(usage?.cachedTokens),
    model_returned: completion.model ?? "",
    tool_calls: toolCalls !== undefined && toolCalls.length > 0
      ? withDeepAsText(toolCalls)
      : undefined,
  });
}

function replacedOf({ replaced }: RowMembers): string {
  if (replaced === NOTHING_REPLACED) return "{}";
  const members = Object.entries(replaced).map(([name, value]) =>
    `${JSON.stringify(name)}:${value}`
  );
  return `{${members.join(",")}}`;
}

/** Returns the text as a JSON string. Custom teachers in JavaScript may return anything. */
function jsonString(text: string | undefined): string {
  // For strings, this is faster than `jsonOf`.
  return typeof text === "string" ? JSON.stringify(text.toWellFormed()) : jsonOf(text ?? "");
}

function countOrZero(value: number | undefined): number {
  return asCount(value) ?? 0;
}

function quotedName(name: string): string {
  const cached = quotedNames.get(name);
  if (cached !== undefined) return cached;
  if (quotedNames.size >= MAX_NAMES) quotedNames.clear();
  const text = jsonString(name);
  quotedNames.set(name, text);
  return text;
}

const MAX_NAMES = 100;
const quotedNames = new Map<string, string>();

/** Returns the time in ISO 8601. The last text is cached, because rows finish in groups. */
function isoOf(unixMs: number): string {
  if (unixMs !== lastIso.unixMs) lastIso = { unixMs, text: new Date(unixMs).toISOString() };
  return lastIso.text;
}

let lastIso = { unixMs: 0, text: new Date(0).toISOString() };
