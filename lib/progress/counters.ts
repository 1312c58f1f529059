/**
 * Counters of a run: rows, attempts, tokens, latencies, and failed attempts by cause.
 *
 * @module
 */

import { createHistogram } from "node:perf_hooks";
import { cut, LONG_ID, printable } from "../printable.ts";
import type { Failure, RowFigures } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { sumOf } from "../figures.js";

export interface FailedAttempt {
  readonly uid: string;
  readonly failure: Failure;
  readonly action: FailureAction;
  readonly isThrottled: boolean;
  /** The answer, if it was paid for but not accepted. */
  readonly completion?: Completion;
}

/** A row that was counted as `failed` and is sent again, because the failure was the
 * teacher's fault. */
export interface ReleasedRow {
  readonly failure: Failure;
  /** The action to count instead of `failed`. */
  readonly action: FailureAction;
}

export class Counters {
  /** Attempts started, including those in flight or aborted. */
  attempts = 0;
  succeededAttempts = 0;
  /** Attempts that failed, or whose answer was not accepted. */
  failedAttempts = 0;
  throttledAttempts = 0;
  /** Rows whose result is on disk. */
  succeeded = 0;
  /** Rows whose failure is on disk. */
  failed = 0;
  /** Attempts beyond the first, counted once their row has finished. */
  retries = 0;
  /** Tokens paid for, including those of failed attempts. */
  promptTokens = 0;
  completionTokens = 0;
  readonly latency = new DurationHistogram();
  /** Completion tokens of answers that were not accepted, by failure type. */
  readonly #wastedTokens = new Map<string, number>();

  get settled(): number {
    return this.succeeded + this.failed;
  }

  get wastedCompletionTokens(): number {
    return sumOf(this.#wastedTokens.values(), (tokens) => tokens);
  }

  wastedByReason(): Record<string, number> {
    return Object.fromEntries(this.#wastedTokens);
  }

  addAnswer(completion: Completion): void {
    this.succeededAttempts++;
    this.#addTokens(completion);
  }

  addFailedAttempt({ failure, isThrottled, completion }: FailedAttempt): void {
    this.failedAttempts++;
    if (isThrottled) this.throttledAttempts++;
    if (completion === undefined) return;
    this.#addTokens(completion);
    const tokens = completion.usage?.completionTokens ?? 0;
    if (tokens > 0) {
      this.#wastedTokens.set(failure.type, (this.#wastedTokens.get(failure.type) ?? 0) + tokens);
    }
  }

  addRow({ attempts, failure, latencyMs }: RowFigures): void {
    if (attempts > 1) this.retries += attempts - 1;
    if (failure === undefined) {
      this.succeeded++;
      this.latency.record(latencyMs);
    } else {
      this.failed++;
    }
  }

  #addTokens({ usage }: Completion): void {
    if (!usage) return;
    this.promptTokens += usage.promptTokens;
    this.completionTokens += usage.completionTokens;
  }
}

/** Percentiles of a distribution; all 0 if nothing has been measured. */
export interface Percentiles {
  /** The median. */
  p50: number;
  /** 90 % of the values are not above this. */
  p90: number;
  /** 99 % of the values are not above this. */
  p99: number;
  /** The largest value. */
  max: number;
}

/** The histogram takes whole numbers from 1, so it counts in tenths of a millisecond. */
const UNITS_PER_MS = 10;

/** 24 hours. Longer durations are recorded as 24 hours. */
const MAX_UNITS = 24 * 3600 * 1000 * UNITS_PER_MS;

/** An HDR histogram (`node:perf_hooks`, native in Deno). It takes about 200 KB for any number of
 * values. Values are rounded to 0.1 ms, and above 200 ms to three significant digits. Percentiles
 * and the maximum are the upper ends of their buckets, at most 0.1 % too high. Negative durations
 * and NaN are recorded as 0.1 ms. */
export class DurationHistogram {
  readonly #histogram = createHistogram({ lowest: 1, highest: MAX_UNITS, figures: 3 });

  record(durationMs: number): void {
    const units = Math.round(durationMs * UNITS_PER_MS);
    this.#histogram.record(units >= 1 ? Math.min(units, MAX_UNITS) : 1);
  }

  percentiles(): Percentiles {
    const histogram = this.#histogram;
    if (histogram.count === 0) return { p50: 0, p90: 0, p99: 0, max: 0 };
    const [p50, p90, p99] = [50, 90, 99].map((p) => histogram.percentile(p) / UNITS_PER_MS);
    return { p50, p90, p99, max: histogram.max / UNITS_PER_MS };
  }
}

/** Failed attempts with the same cause. */
export interface ErrorGroup {
  /** The failure type (see `FailureType`), or "other" for all causes after the first 50. */
  type: string;
  /** The HTTP status; null without a response. */
  status: number | null;
  /** The message of the first attempt, at most 200 characters. Later messages may differ in numbers
   * and ids. */
  message: string;
  /** The number of failed attempts. */
  count: number;
  /** The action after the last attempt. */
  action: FailureAction;
  /** Attempts by the action that followed them; the sum is `count`. */
  actions: Record<FailureAction, number>;
  /** The uids of up to three rows. */
  uids: string[];
  /** When the first attempt failed, in ISO 8601. */
  first_seen: string;
  /** When the last attempt failed, in ISO 8601. */
  last_seen: string;
}

/** What followed a failed attempt: another attempt (`retried`), the failure of the row (`failed`),
 * or the end of the run (`halted`). */
export type FailureAction = "retried" | "failed" | "halted";

/** Maximum number of groups. Further causes are counted together as "other". */
const MAX_GROUPS = 50;

const MAX_MESSAGE_CHARS = 200;

const MAX_UIDS = 3;

const MAX_UID_CHARS = 100;

/** Maximum UTF-16 units of a text that are processed: some teachers answer with entire HTML
 * pages. */
const MAX_RAW_CHARS = 1000;

interface Group extends Omit<ErrorGroup, "last_seen"> {
  lastSeenMs: number;
}

export class ErrorGroups {
  readonly #groups = new Map<string, Group>();
  #other: Group | undefined;
  /** The last failure and its group save a lookup, because most failures repeat the last one. */
  #lastFailure: Failure | undefined;
  #lastGroup: Group | undefined;
  #list: readonly ErrorGroup[] | undefined = Object.freeze([]);

  add({ uid, failure, action }: FailedAttempt, nowMs: number): void {
    const last = this.#lastFailure;
    const isRepeated = last !== undefined && last.message === failure.message &&
      last.type === failure.type && last.status === failure.status;
    const group = isRepeated ? this.#lastGroup! : this.#find(failure, nowMs);
    group.count++;
    group.action = action;
    group.actions[action]++;
    group.lastSeenMs = nowMs;
    if (group.uids.length < MAX_UIDS) addUid(group.uids, uid);
    this.#lastFailure = failure;
    this.#lastGroup = group;
    this.#list = undefined;
  }

  release({ failure, action }: ReleasedRow, nowMs: number): void {
    const group = this.#find(failure, nowMs);
    if (group.actions.failed > 0) group.actions.failed--;
    group.actions[action]++;
    group.action = action;
    this.#list = undefined;
  }

  /** Lists groups, the most frequent first, "other" last. Returns the same list until a count
   * changes. */
  list(): readonly ErrorGroup[] {
    return this.#list ??= this.#build();
  }

  #find(failure: Failure, nowMs: number): Group {
    const { type, status } = failure;
    const key = `${type} ${status} ${normalizeMessage(failure.message)}`;
    let group = this.#groups.get(key);
    if (group !== undefined) return group;
    if (this.#groups.size === MAX_GROUPS) {
      return this.#other ??= newGroup("other", null, "other causes", nowMs);
    }
    group = newGroup(type, status, oneLine(failure.message, MAX_MESSAGE_CHARS), nowMs);
    this.#groups.set(key, group);
    return group;
  }

  #build(): readonly ErrorGroup[] {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    if (this.#other !== undefined) groups.push(this.#other);
    return Object.freeze(
      groups.map(({ lastSeenMs, ...group }) =>
        Object.freeze<ErrorGroup>({
          ...group,
          actions: { ...group.actions },
          uids: [...group.uids],
          last_seen: new Date(lastSeenMs).toISOString(),
        })
      ),
    );
  }
}

function newGroup(type: string, status: number | null, message: string, nowMs: number): Group {
  return {
    type,
    status,
    message,
    count: 0,
    action: "retried",
    actions: { retried: 0, failed: 0, halted: 0 },
    uids: [],
    first_seen: new Date(nowMs).toISOString(),
    lastSeenMs: nowMs,
  };
}

function addUid(uids: string[], uid: string): void {
  const text = oneLine(uid, MAX_UID_CHARS);
  if (!uids.includes(text)) uids.push(text);
}

const UUID = /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi;
/** `0x1f`, or at least 8 hex digits with a decimal digit among them, so that words do not match. */
const HEX = /\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi;
/** A quoted word that contains a digit: `"row-17"`, `'prompt_3'`. */
const QUOTED_ID = /(["'`])(?=[^"'`\s]*\d)[^"'`\s]{1,200}\1/g;
const NUMBER = /\d+(?:[.,:]\d+)*/g;

/** Replaces what differs between messages with the same cause: ids by `<id>`, numbers by `#`. */
export function normalizeMessage(message: string): string {
  const text = printable(message.slice(0, MAX_RAW_CHARS))
    .replace(UUID, "<id>")
    .replace(QUOTED_ID, "$1<id>$1")
    .replace(HEX, "<id>")
    .replace(LONG_ID, "<id>")
    .replace(NUMBER, "#");
  return cut(text, MAX_MESSAGE_CHARS);
}

function oneLine(text: string, maxChars: number): string {
  return cut(printable(text.slice(0, MAX_RAW_CHARS)), maxChars);
}
