/**
 * The start of a text file of messages, as the loader of datasets needs it.
 *
 * datasets 4.8 reads messages as structs if all messages of the first 10 MB have the same keys, and
 * fails with a TypeError at the first later tool call. If one of them differs, it reads all
 * messages as they are. So one of them has to differ where later ones do.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { jsonOf } from "../sink/mod.ts";
import type { MadeRow } from "./row_maker.ts";
import type { TrainingRow } from "./training_row.ts";

/** Characters that datasets certainly reads before it decides: it reads 10 MB. */
const START_CHARS = 4 << 20;
const COMMON_KEYS: ReadonlySet<string> = new Set(["role", "content"]);

/** Whether a message has other keys than role and content. */
export function isUneven(messages: unknown): boolean {
  return Array.isArray(messages) &&
    messages.some((message) =>
      isObject(message) && Object.keys(message).some((key) => !COMMON_KEYS.has(key))
    );
}

/**
 * Holds the first rows back until each uneven column had an uneven message. In columns that had
 * none after 4 MB, the first row is marked.
 */
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

/**
 * `weight` is OpenAI's, 1 is its default, and no template reads it. Llama 3.1's would fail at an
 * empty `tool_calls`.
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
