/**
 * Keeps what teachers did that have left the list of a run, so that counts and costs still add up.
 *
 * @module
 */

import type { TeacherStatus } from "../../progress/mod.ts";

/** How many of them are listed by name. In a run of days, restarted pods have new addresses each
 * time. */
const MAX_NAMED = 100;

/** The address of the entry that sums up all earlier ones. */
const EARLIER = "(earlier teachers)";

export class Departed {
  /** By address and model, in the order of leaving. */
  readonly #named = new Map<string, TeacherStatus>();
  #earlier: TeacherStatus | undefined;

  /** Adds the last status of a teacher that left. */
  add(status: TeacherStatus): void {
    const key = keyOf(status);
    const idle = { until: null, reason: null, in_flight: 0, limit: 0 };
    const last = plus({ ...status, state: "left", ...idle }, this.#named.get(key));
    this.#named.delete(key);
    this.#named.set(key, last);
    if (this.#named.size <= MAX_NAMED) return;
    const [[first, oldest]] = this.#named;
    this.#named.delete(first);
    const teachers = (this.#earlier?.teachers ?? 0) + 1;
    this.#earlier = plus({ ...oldest, address: EARLIER, model: "", teachers }, this.#earlier);
  }

  /** The statuses of present teachers, then of those that left. A teacher that came back has one
   * status. */
  with(present: TeacherStatus[]): TeacherStatus[] {
    if (this.#named.size === 0) return present;
    const left = new Map(this.#named);
    const all = present.map((status) => {
      const before = left.get(keyOf(status));
      left.delete(keyOf(status));
      return plus(status, before);
    });
    return [...all, ...[...left.values()].reverse(), ...this.#earlier ? [this.#earlier] : []];
  }
}

function keyOf({ address, model }: TeacherStatus): string {
  return `${address} ${model}`;
}

/** `status` with the counts of `before` added. */
function plus(status: TeacherStatus, before: TeacherStatus | undefined): TeacherStatus {
  if (before === undefined) return status;
  return {
    ...status,
    answered: status.answered + before.answered,
    failed: status.failed + before.failed,
    completion_tokens: status.completion_tokens + before.completion_tokens,
    cost_usd: status.cost_usd + before.cost_usd,
  };
}
