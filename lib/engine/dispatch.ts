/**
 * Chooses the next row and its teacher.
 *
 * @module
 */

import { hash32 } from "../hash.ts";
import type { Row } from "../row.ts";
import type { Endpoint, TeacherPool } from "./flow/mod.ts";
import { send, type Work } from "./work.ts";
import type { WorkQueue } from "./work_queue.ts";

/** The longest wait until a row that no teacher accepts yet is offered to them again, in
 * milliseconds. */
const MAX_OFFER_WAIT_MS = 1_000;

/** Chooses a row and a teacher for each free lane. */
export class Dispatch {
  readonly #pool: TeacherPool;
  readonly #queue: WorkQueue;
  readonly #affinity: "prefix" | undefined;
  /** The teacher of the last new row, which gets the other samples of the same input row too. */
  #lastEndpoint: Endpoint | undefined;

  constructor(pool: TeacherPool, queue: WorkQueue, affinity?: "prefix") {
    this.#pool = pool;
    this.#queue = queue;
    this.#affinity = affinity;
  }

  /**
   * Takes the next row, and a slot for it of a teacher with room. Returns undefined if there is no
   * row or no room.
   *
   * @param isFull Whether the retry queue is full: then no new row may be taken.
   */
  next(isFull: boolean): Work | undefined {
    // Checked first: lanes often ask when there is no row, and picking a teacher reads the clock.
    while (!this.#queue.isEmpty) {
      const picked = this.#pool.pick();
      if (picked === undefined) return undefined;
      const work = this.#queue.take(isFull, picked.isDown);
      if (work === undefined) return undefined;
      const endpoint = this.#endpointFor(work, picked);
      if (endpoint === undefined) continue;
      send(work, endpoint);
      return work;
    }
    return undefined;
  }

  #endpointFor(work: Work, picked: Endpoint): Endpoint | undefined {
    const { avoided, holds, row } = work;
    if (work.attempts === 0) {
      if (this.#affinity !== undefined) picked = this.#pool.pickForKey(prefixHashOf(row)) ?? picked;
      else if (row.sample > 0) picked = this.#pool.pick(this.#lastEndpoint) ?? picked;
      return this.#lastEndpoint = picked;
    }
    if (holds === undefined) return avoided === picked ? this.#pool.pickOther(picked) : picked;
    const endpoint = this.#pool.pickFor(holds);
    if (endpoint === undefined) this.#queue.add(work, this.#offerAgainMs(work));
    return endpoint;
  }

  #offerAgainMs({ holds = [] }: Work): number {
    return Math.min(Math.max(1, this.#pool.soonestMs(holds)), MAX_OFFER_WAIT_MS);
  }
}

/** A hash of the system messages and the turn after them: rows that share these go to one teacher,
 * which then finds them in its prefix cache. */
function prefixHashOf({ messages }: Row): number {
  let text = "";
  for (const { role, content } of messages) {
    text += `${role}\n${typeof content === "string" ? content : JSON.stringify(content)}\n`;
    if (role !== "system" && role !== "developer") break;
  }
  return hash32(text);
}
