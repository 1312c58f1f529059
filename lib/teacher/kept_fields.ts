/**
 * Looks whether answers hold the raw fields that are to be kept.
 *
 * @module
 */

import type { Completion } from "./teacher.ts";

/** Answers after which a field that none of them held is reported. */
const PATIENCE = 10;

/** Watches the answers of one teacher until it is known what they hold. */
export class KeptFields {
  #missing: string[];
  #answers = 0;

  /** Makes it for the names of the fields. */
  constructor(names: readonly string[]) {
    this.#missing = [...names];
  }

  /** Whether there is something left to find out. */
  get isWatching(): boolean {
    return this.#missing.length > 0;
  }

  /** Takes the next answer; gives it back with a notice where it is time for one. */
  look(completion: Completion, address: string): Completion {
    if (!this.isWatching) return completion;
    const { kept } = completion;
    this.#missing = this.#missing.filter((name) => (kept?.[name] ?? null) === null);
    if (!this.isWatching || ++this.#answers < PATIENCE) return completion;
    const names = this.#missing.map((name) => `"${name}"`).join(" and ");
    this.#missing = [];
    return {
      ...completion,
      notice:
        `None of the first ${PATIENCE} answers of the teacher at ${address} holds ${names} (--keep): ` +
        "it may not support it",
    };
  }
}
