/**
 * Teachers that may never be there: a host that does not exist, or an address at which nothing listens.
 *
 * Where some teacher has answered before, in this run or an earlier one of the same output, an outage is
 * waited for. Where none has, the address is more likely wrong, and a run that waits looks like one that
 * works.
 *
 * @module
 */

import type { TeacherError } from "../errors.ts";
import type { EngineOptions } from "./engine_options.ts";
import type { Endpoint } from "./flow/mod.ts";

/** What it goes by. */
export type AbsentTeachersOptions = Pick<EngineOptions, "waitForTeacherMs" | "wasAnswered">;

/** How long an address that has never answered may refuse connections, in milliseconds. */
const PATIENCE_MS = 60_000;

/** What the system says of a connection that cannot be made because of the other side. A name that cannot be
 * looked up now (EAI_AGAIN) and a network that is not there (ENETUNREACH) are our side's. */
const NO_HOST = new Set(["ENOTFOUND"]);
const NOTHING_LISTENS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Finds out which teachers of a run are not there. */
export class AbsentTeachers {
  readonly #options: AbsentTeachersOptions;
  readonly #since = new Map<Endpoint, number>();
  #wasAnswered: boolean;

  /** Nothing is known yet. */
  constructor(options: AbsentTeachersOptions) {
    this.#options = options;
    this.#wasAnswered = options.wasAnswered ?? false;
  }

  /** A teacher has answered: from now on all of them are waited for. */
  answered(): void {
    this.#wasAnswered = true;
  }

  /** An attempt at a teacher has failed. Gives what to do about it where the teacher is not waited for any
   * longer. */
  failed(endpoint: Endpoint, { code = "", isUnreachable }: TeacherError): string | undefined {
    const isUnknown = NO_HOST.has(code);
    if (!isUnreachable) this.#since.delete(endpoint);
    if (this.#wasAnswered || !isUnreachable || !isUnknown && !NOTHING_LISTENS.has(code)) {
      return undefined;
    }
    const { waitForTeacherMs = isUnknown ? 0 : PATIENCE_MS } = this.#options;
    const { now } = endpoint;
    const since = this.#since.get(endpoint) ?? now;
    if (now - since >= waitForTeacherMs) {
      return isUnknown
        ? "Check the address (--base-url); --wait waits until the name is there"
        : "Start it, or check the address (--base-url); --wait waits until it is there";
    }
    this.#since.set(endpoint, since);
    endpoint.probeBy(since + waitForTeacherMs);
    return undefined;
  }
}
