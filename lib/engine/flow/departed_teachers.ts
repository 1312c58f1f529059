/** Keeps the counts of teachers that have left a run, so that the totals remain complete.
 * @module */

import type { TeacherStatus } from "../../progress/mod.ts";
import type { TeacherCounts } from "./endpoint.ts";

/** Maximum number of departed teachers that are shown individually. Pods restart many times during
 * a run that takes days, and get a new address each time. */
const MAX_NAMED = 100;

export class DepartedTeachers {
  /** Statuses in the order of departure. All are kept, because counts may be added to any of them
   * later. */
  readonly #statuses = new Map<string, TeacherStatus>();

  /** Adds a teacher that has left. Returns the object that holds the teacher's counts from now on.
   * The caller adds later counts to this object. */
  add(status: TeacherStatus): TeacherCounts {
    const key = keyOf(status);
    const idle = { until: null, reason: null, in_flight: 0, limit: 0 };
    const finalStatus = { ...status, state: "left" as const, ...idle };
    const previous = this.#statuses.get(key);
    // The object is changed in place because an earlier endpoint with this key still adds to it.
    const total = Object.assign(previous ?? {}, withCountsOf(finalStatus, previous));
    this.#statuses.delete(key);
    this.#statuses.set(key, total);
    return total;
  }

  /** Returns present teachers, then departed ones, most recent first. The departed teachers beyond
   * `MAX_NAMED` share one status, and a teacher that came back has a single status. */
  allStatuses(present: TeacherStatus[]): TeacherStatus[] {
    const departed = new Map(this.#statuses);
    const statuses = present.map((status) => {
      const previous = departed.get(keyOf(status));
      departed.delete(keyOf(status));
      return withCountsOf(status, previous);
    });
    const latestFirst = [...departed.values()].reverse();
    const earlier = latestFirst.slice(MAX_NAMED);
    const joined = earlier.length === 0 ? [] : [joinedStatus(earlier)];
    return [...statuses, ...latestFirst.slice(0, MAX_NAMED), ...joined];
  }
}

function joinedStatus(all: readonly TeacherStatus[]): TeacherStatus {
  const [first, ...others] = all;
  const start = { ...first, address: "(earlier teachers)", model: "", teachers: all.length };
  return others.reduce<TeacherStatus>(withCountsOf, start);
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
