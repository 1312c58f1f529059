/**
 * Counts and costs of teachers that have left the list of a run, so that totals still add up.
 *
 * @module
 */

import type { TeacherStatus } from "../../progress/mod.ts";

/** Teachers that are named. In a run of days, restarted pods have new addresses each time. */
const MAX_NAMED = 100;

export class Departed {
  /** By address and model, in the order of leaving. */
  readonly #named = new Map<string, TeacherStatus>();
  #earlier: TeacherStatus | undefined;

  add(status: TeacherStatus): void {
    const key = keyOf(status);
    const idle = { until: null, reason: null, in_flight: 0, limit: 0 };
    const finalStatus = { ...status, state: "left" as const, ...idle };
    const total = withCountsOf(finalStatus, this.#named.get(key));
    this.#named.delete(key);
    this.#named.set(key, total);
    if (this.#named.size <= MAX_NAMED) return;
    const [[oldestKey, oldest]] = this.#named;
    this.#named.delete(oldestKey);
    const teachers = (this.#earlier?.teachers ?? 0) + 1;
    const unnamed = { ...oldest, address: "(earlier teachers)", model: "", teachers };
    this.#earlier = withCountsOf(unnamed, this.#earlier);
  }

  /** Returns present teachers, then those that left. A teacher that came back has one status. */
  allStatuses(present: TeacherStatus[]): TeacherStatus[] {
    const left = new Map(this.#named);
    const all = present.map((status) => {
      const previous = left.get(keyOf(status));
      left.delete(keyOf(status));
      return withCountsOf(status, previous);
    });
    return [...all, ...[...left.values()].reverse(), ...this.#earlier ? [this.#earlier] : []];
  }
}

function keyOf({ address, model }: TeacherStatus): string {
  return `${address} ${model}`;
}

function withCountsOf(status: TeacherStatus, previous: TeacherStatus | undefined): TeacherStatus {
  if (previous === undefined) return status;
  return {
    ...status,
    answered: status.answered + previous.answered,
    failed: status.failed + previous.failed,
    completion_tokens: status.completion_tokens + previous.completion_tokens,
    cost_usd: status.cost_usd + previous.cost_usd,
  };
}
