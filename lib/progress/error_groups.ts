/**
 * Groups failed attempts by cause, in bounded memory. Also makes their messages comparable.
 *
 * @module
 */

import { cut, LONG_ID, printable } from "../printable.ts";
import type { Failure } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import type { ErrorGroup, FailureAction } from "./snapshot.ts";

/** An attempt that failed, or whose answer was not kept. */
export interface FailedAttempt {
  readonly uid: string;
  readonly failure: Failure;
  readonly action: FailureAction;
  /** Whether the teacher throttled the attempt or was overloaded. */
  readonly isThrottled: boolean;
  /** The answer that was paid for but not kept; absent if there was none. */
  readonly completion?: Completion;
}

/** A row that was counted as failed, but whose teacher turned out to be the cause. */
export interface ReleasedRow {
  readonly failure: Failure;
  /** The action to count instead of `failed`. */
  readonly action: FailureAction;
}

/** How many causes are counted separately; all others are counted together, as "other". */
const MAX_GROUPS = 50;

/** The longest message of a group, in UTF-16 units. */
const MAX_MESSAGE_CHARS = 200;

/** How many rows a group names. */
const MAX_UIDS = 3;

/** The longest uid of a group, in UTF-16 units. */
const MAX_UID_CHARS = 100;

/**
 * How many UTF-16 units of a message or uid are read: some teachers answer with whole HTML pages.
 */
const MAX_RAW_CHARS = 1000;

interface Group {
  readonly type: string;
  readonly status: number | null;
  readonly message: string;
  readonly uids: string[];
  /** Unix time in milliseconds. */
  readonly firstSeenMs: number;
  count: number;
  action: FailureAction;
  readonly actions: Record<FailureAction, number>;
  /** Unix time in milliseconds. */
  lastSeenMs: number;
}

/** Counts failed attempts by type, status and normalized message. */
export class ErrorGroups {
  readonly #groups = new Map<string, Group>();
  #other: Group | undefined;
  /** The last failure and its group: most failures repeat the one before. */
  #lastFailure: Failure | undefined;
  #lastGroup: Group | undefined;
  #list: readonly ErrorGroup[] | undefined = Object.freeze([]);

  /** Counts a failed attempt at `nowMs`, in Unix milliseconds. */
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

  /** Counts the row's action instead of one `failed` of its group. */
  release({ failure, action }: ReleasedRow, nowMs: number): void {
    const group = this.#find(failure, nowMs);
    if (group.actions.failed > 0) group.actions.failed--;
    group.actions[action]++;
    group.action = action;
    this.#list = undefined;
  }

  /** The groups, most frequent first, "other" last. Returns the same frozen list until a count
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
    group = newGroup(type, status, oneLine(failure.message), nowMs);
    this.#groups.set(key, group);
    return group;
  }

  #build(): readonly ErrorGroup[] {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    if (this.#other !== undefined) groups.push(this.#other);
    return Object.freeze(groups.map((group) =>
      Object.freeze<ErrorGroup>({
        type: group.type,
        status: group.status,
        message: group.message,
        count: group.count,
        action: group.action,
        actions: { ...group.actions },
        uids: [...group.uids],
        first_seen: new Date(group.firstSeenMs).toISOString(),
        last_seen: new Date(group.lastSeenMs).toISOString(),
      })
    ));
  }
}

function newGroup(type: string, status: number | null, message: string, nowMs: number): Group {
  return {
    type,
    status,
    message,
    uids: [],
    count: 0,
    action: "retried",
    actions: { retried: 0, failed: 0, halted: 0 },
    firstSeenMs: nowMs,
    lastSeenMs: nowMs,
  };
}

function addUid(uids: string[], uid: string): void {
  const shown = cut(printable(uid.slice(0, MAX_RAW_CHARS)), MAX_UID_CHARS);
  if (!uids.includes(shown)) uids.push(shown);
}

const UUID = /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi;
/** `0x1f`, or at least 8 hex digits with a decimal digit among them, so that words do not match. */
const HEX = /\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b/gi;
/** A quoted word that contains a digit: `"row-17"`, `'prompt_3'`. */
const QUOTED_ID = /(["'`])(?=[^"'`\s]*\d)[^"'`\s]{1,200}\1/g;
const NUMBER = /\d+(?:[.,:]\d+)*/g;

/** Replaces ids by `<id>` and numbers by `#`, so that equal causes have equal messages. Returns one
 * line of at most 200 UTF-16 units that is safe for a terminal. */
export function normalizeMessage(message: string): string {
  const text = printable(message.slice(0, MAX_RAW_CHARS))
    .replace(UUID, "<id>")
    .replace(QUOTED_ID, "$1<id>$1")
    .replace(HEX, "<id>")
    .replace(LONG_ID, "<id>")
    .replace(NUMBER, "#");
  return cut(text, MAX_MESSAGE_CHARS);
}

/** A message on one line, with its ids and numbers. */
function oneLine(message: string): string {
  return cut(printable(message.slice(0, MAX_RAW_CHARS)), MAX_MESSAGE_CHARS);
}
