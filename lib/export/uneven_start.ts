/**
 * Files whose messages differ in their keys only late. datasets 4.8 takes the messages of the first 10 MB for
 * structs where all of them have the same keys, and ends with a TypeError at the first tool call after it;
 * where one of them differs, it takes all of them as they are.
 *
 * @module
 */

import { jsonOf } from "../sink/mod.ts";
import type { TrainingRow } from "./training_row.ts";
import type { MadeRow } from "./row_maker.ts";

/** The columns that hold messages. */
export const MESSAGE_COLUMNS = ["messages", "prompt", "completion", "chosen", "rejected"];

/** Characters that datasets is sure to read before it decides; it reads 10 MB. */
const START_CHARS = 4 << 20;
const COMMON_KEYS: ReadonlySet<string> = new Set(["role", "content"]);

/** Whether a message has other keys than a role and content. */
export function isUneven(messages: unknown): boolean {
  return Array.isArray(messages) &&
    messages.some((message) => Object.keys(message).some((key) => !COMMON_KEYS.has(key)));
}

/** Holds the first rows back until each of some columns had such a message. The first row is marked in those
 * that had none. */
export class UnevenStart {
  /** Whether the first row was marked. */
  isMarked = false;
  /** Columns that become uneven somewhere, and have not yet. */
  readonly #even: Set<string>;
  #held: MadeRow[] | undefined = [];
  #chars = 0;

  /** `columns` are those that are uneven somewhere. */
  constructor(columns: Iterable<string>) {
    this.#even = new Set(columns);
  }

  /** Takes the next row. Returns those that can be written. */
  push(made: MadeRow): readonly MadeRow[] {
    const held = this.#held;
    if (held === undefined) return [made];
    held.push(made);
    const row = made.row as TrainingRow;
    for (const name of this.#even) if (isUneven(row[name])) this.#even.delete(name);
    if (this.#even.size > 0) {
      this.#chars += jsonOf(row).length;
      if (this.#chars < START_CHARS) return [];
      this.isMarked = true;
      held[0] = { ...held[0], row: withMark(held[0].row as TrainingRow, this.#even) };
    }
    this.#held = undefined;
    return held;
  }

  /** The rows that are left at the end. */
  end(): readonly MadeRow[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }
}

/** `weight` is OpenAI's, 1 is its default, and no template reads it. An empty `tool_calls` would end Llama 3.1's
 * with an error. */
function withMark(row: TrainingRow, columns: Iterable<string>): TrainingRow {
  const marked = { ...row };
  for (const name of columns) {
    const messages = row[name];
    if (!Array.isArray(messages) || messages.length === 0) continue;
    marked[name] = [...messages.slice(0, -1), { ...messages.at(-1), weight: 1 }];
  }
  return marked;
}
