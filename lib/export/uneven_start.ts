/**
 * Makes the start of a text file of messages loadable by the library datasets.
 *
 * If all messages of the first 10 MiB have the same keys, datasets 4.8 reads messages as structs,
 * and fails with a TypeError at the first later tool call. If one of them differs, it reads all
 * messages as they are. So if a later message differs, one in the first 10 MiB must differ, too. A
 * message with more than role and content is called uneven here.
 *
 * @module
 */

import { isObject, jsonOf } from "../json.ts";
import type { MadeRow } from "./row_maker.ts";
import type { TrainingRow } from "./training_row.ts";

/** This many characters are within the 10 MiB that datasets reads first: each has 3 bytes at most. */
const START_CHARS = 3 << 20;
const COMMON_KEYS: ReadonlySet<string> = new Set(["role", "content"]);

/** Whether a message has keys other than role and content. */
export function isUneven(messages: unknown): boolean {
  return Array.isArray(messages) &&
    messages.some((message) =>
      isObject(message) && Object.keys(message).some((key) => !COMMON_KEYS.has(key))
    );
}

/**
 * Holds back the first rows until each uneven column has had an uneven message. Columns that have
 * had none after `START_CHARS` are marked in the first row.
 */
export class UnevenStart {
  /** Whether the first row was marked. */
  isMarked = false;
  /** Uneven columns that have had no uneven message yet. */
  readonly #pending: Set<string>;
  #held: MadeRow[] | undefined = [];
  #chars = 0;

  /** @param columns Columns that have an uneven message in some row. */
  constructor(columns: Iterable<string>) {
    this.#pending = new Set(columns);
  }

  /** Takes the next row. Returns the rows that can be written. */
  push(madeRow: MadeRow): readonly MadeRow[] {
    const held = this.#held;
    if (held === undefined) return [madeRow];
    held.push(madeRow);
    const row = madeRow.row as TrainingRow;
    for (const name of this.#pending) if (isUneven(row[name])) this.#pending.delete(name);
    if (this.#pending.size > 0) {
      this.#chars += jsonOf(row).length;
      if (this.#chars < START_CHARS) return [];
      this.isMarked = true;
      held[0] = { ...held[0], row: withMark(held[0].row as TrainingRow, this.#pending) };
    }
    this.#held = undefined;
    return held;
  }

  /** Returns the rows that are still held back, at the end. */
  end(): readonly MadeRow[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }
}

/**
 * Marks the last message of each column. `weight` is OpenAI's key, 1 is its default, and no
 * template reads it. (Llama 3.1's template would fail at an empty `tool_calls`.)
 */
function withMark(row: TrainingRow, columns: Iterable<string>): TrainingRow {
  const marked = { ...row };
  for (const name of columns) {
    const messages = row[name];
    if (!Array.isArray(messages) || messages.length === 0) continue;
    marked[name] = [...messages.slice(0, -1), { ...messages.at(-1), weight: 1 }];
  }
  return marked;
}
