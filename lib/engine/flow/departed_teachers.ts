/** Keeps the counts of teachers that have left a run, so that totals still add up. @module */

import type { TeacherStatus } from "../../progress/mod.ts";
import type { TeacherCounts } from "./endpoint.ts";

/** Maximum number of departed teachers with their own status: in a run of days, pods restart
 * many times, with new addresses. */
const MAX_NAMED = 100;

export class DepartedTeachers {
  readonly #named = new Map<string, TeacherStatus>();
  /** The sum of the teachers that left before those in `#named`. */
  #earlier: TeacherStatus | undefined;

  /** Returns the object with the counts that are shown for this teacher from now on. The caller
   * adds later counts to it. */
  add(status: TeacherStatus): TeacherCounts {
    const key = keyOf(status);
    const idle = { until: null, reason: null, in_flight: 0, limit: 0 };
    const finalStatus = { ...status, state: "left" as const, ...idle };
    const previous = this.#named.get(key);
    // Changes the object in place: an endpoint of the same address and model that left before also
    // adds its later counts to this object.
    const total = Object.assign(previous ?? {}, withCountsOf(finalStatus, previous));
    this.#named.delete(key);
    this.#named.set(key, total);
    if (this.#named.size > MAX_NAMED) this.#forgetOldest();
    return total;
  }

  #forgetOldest(): void {
    const [[key, oldest]] = this.#named;
    this.#named.delete(key);
    const teachers = (this.#earlier?.teachers ?? 0) + 1;
    const unnamed = { ...oldest, address: "(earlier teachers)", model: "", teachers };
    this.#earlier = withCountsOf(unnamed, this.#earlier);
  }

  /** Returns present teachers, then departed ones. A teacher that came back has one status. */
  allStatuses(present: TeacherStatus[]): TeacherStatus[] {
    const departed = new Map(this.#named);
    const statuses = present.map((status) => {
      const previous = departed.get(keyOf(status));
      departed.delete(keyOf(status));
      return withCountsOf(status, previous);
    });
    const earlier = this.#earlier ? [this.#earlier] : [];
    return [...statuses, ...[...departed.values()].reverse(), ...earlier];
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
