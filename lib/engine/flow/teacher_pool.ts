/**
 * All teachers of a run: which of them is asked next, and when.
 *
 * @module
 */

import type { TeacherStatus } from "../../progress/mod.ts";
import { MAX_TIMER_MS } from "../../timer.ts";
import { Endpoint, type EndpointContext, type EndpointOptions } from "./endpoint.ts";

/** How often time has its effect on the limits, in milliseconds. */
const TICK_MS = 100;

/** What a pool is made from. */
export interface TeacherPoolOptions extends EndpointContext {
  /** One endpoint for each teacher. */
  readonly teachers: readonly EndpointOptions[];
  /** Looks at the clock, which `now` remembers. @default now */
  readonly read?: () => number;
  /** An attempt may be possible that was not before. */
  readonly onReady: () => void;
  /** Time has passed; called ten times a second. */
  readonly onTick: () => void;
}

/** Why nothing is sent. */
export interface Rest {
  /** Until when, in Unix milliseconds. */
  readonly until: number;
  /** The same in milliseconds from now. */
  readonly inMs: number;
  /** In words. */
  readonly reason: string;
}

/** A teacher does not want a row before a time. */
interface Hold {
  readonly by: Endpoint;
  readonly until: number;
}

/** The teachers of a run. */
export class TeacherPool {
  #endpoints: readonly Endpoint[];
  /** Whether teachers have left of which something is still under way. */
  #areLeaving = false;
  readonly #options: TeacherPoolOptions;
  readonly #read: () => number;
  /** Those that may be asked now stand first; for `pick()` only, which is on the hot path. */
  readonly #ready: Endpoint[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #ticker: ReturnType<typeof setInterval> | undefined;

  /** Nothing runs before `open()`. */
  constructor(options: TeacherPoolOptions) {
    this.#options = options;
    this.#read = options.read ?? options.now;
    this.#endpoints = options.teachers.map((teacher) => new Endpoint(teacher, options));
  }

  /** How many attempts may be under way, all teachers together. */
  get limit(): number {
    return this.#endpoints.reduce((sum, one) => isOut(one) ? sum : sum + one.limit, 0);
  }

  /** Whether no teacher will be asked again. */
  get isHalted(): boolean {
    return this.#endpoints.every(isOut);
  }

  /** Why nothing is sent, and until when; undefined while a teacher is not resting. */
  get rest(): Rest | undefined {
    const now = this.#options.now();
    let first = Infinity, reason = "";
    for (const endpoint of this.#endpoints) {
      if (isOut(endpoint)) continue;
      const until = endpoint.restsUntil(now);
      if (until === undefined) return undefined;
      if (until < first) {
        first = until;
        reason = endpoint.reason;
      }
    }
    if (first === Infinity) return undefined;
    const inMs = Math.max(0, first - now);
    return { until: this.#options.wallClock() + inMs, inMs, reason };
  }

  /** How long no teacher may be asked for a row that some do not want yet, in milliseconds. */
  soonestMs(holds: readonly Hold[]): number {
    const now = this.#options.now();
    let soonest = Infinity;
    for (const endpoint of this.#endpoints) {
      if (isOut(endpoint)) continue;
      const until = Math.max(endpoint.restsUntil(now) ?? now, heldUntil(holds, endpoint));
      soonest = Math.min(soonest, until);
    }
    return soonest === Infinity ? 0 : Math.max(0, soonest - now);
  }

  /** Updates ten times a second what depends on time, from now on. */
  open(): void {
    this.#ticker ??= setInterval(() => this.#tick(), TICK_MS);
  }

  /** Frees the timers. */
  close(): void {
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
    this.#ticker = this.#timer = undefined;
  }

  /** A teacher that may be asked now: one that has less in flight than its share, or `preferred` where
   * that may be asked. Without one, `onReady` is called when time has brought one. */
  pick(preferred?: Endpoint): Endpoint | undefined {
    const now = this.#read();
    if (preferred !== undefined && preferred.delayMs(now) === 0) return preferred;
    const ready = this.#ready;
    let count = 0, inFlight = 0, weight = 0, soonest = Infinity;
    for (let i = 0; i < this.#endpoints.length; i++) {
      const endpoint = this.#endpoints[i];
      const delayMs = endpoint.delayMs(now);
      if (delayMs > 0) {
        soonest = Math.min(soonest, delayMs);
        continue;
      }
      ready[count++] = endpoint;
      inFlight += endpoint.inFlight;
      weight += endpoint.weight;
    }
    if (count === 0 && soonest < Infinity) this.#wakeAt(now + soonest);
    if (count < 2) return count === 0 ? undefined : ready[0];
    return leastBusy(ready, count, (inFlight + 1) / weight);
  }

  /** Another teacher than `avoided` that may be asked now, or that one where there is no other. */
  pickOther(avoided: Endpoint): Endpoint {
    const now = this.#read();
    const isOther = (one: Endpoint) => one !== avoided && one.delayMs(now) === 0;
    return this.#endpoints.find(isOther) ?? avoided;
  }

  /** A teacher that may be asked now for a row that some do not want yet: the least busy one for its
   * weight. */
  pickFor(holds: readonly Hold[]): Endpoint | undefined {
    const now = this.#read();
    let best: Endpoint | undefined;
    for (const endpoint of this.#endpoints) {
      if (heldUntil(holds, endpoint) > now || endpoint.delayMs(now) > 0) continue;
      if (best === undefined || endpoint.inFlight * best.weight < best.inFlight * endpoint.weight) {
        best = endpoint;
      }
    }
    return best;
  }

  /** Gives a teacher its share of the load from now on. It starts carefully, whatever the others have proven. */
  add(teacher: EndpointOptions): void {
    const endpoint = new Endpoint(teacher, { ...this.#options, isCareful: true });
    // Without the turns that it has missed, it alone would get all of them first.
    const others = this.#endpoints.filter((one) => !isOut(one));
    const turns = others.reduce((most, one) => Math.max(most, one.turns / one.weight), 0);
    endpoint.turns = turns * endpoint.weight;
    this.#endpoints = [...this.#endpoints, endpoint];
    this.#options.onReady();
  }

  /** Gives a teacher nothing new; what is under way there is finished. */
  remove(teacher: EndpointOptions["teacher"]): void {
    for (const endpoint of this.#endpoints) if (endpoint.teacher === teacher) endpoint.leave();
    this.#areLeaving = true;
    this.#options.onReady();
  }

  /** The teacher for rows of a key: always the same one, while it has room. Each key goes to the teacher with the
   * highest hash of both (rendezvous hashing), so that a teacher that joins or leaves moves its own share only. */
  pickForKey(key: number): Endpoint | undefined {
    const now = this.#read();
    let best: Endpoint | undefined, highest = -1, inFlight = 1, weight = 0;
    for (const endpoint of this.#endpoints) {
      if (isOut(endpoint) || endpoint.isProbed) continue;
      inFlight += endpoint.inFlight;
      weight += endpoint.weight;
      const hash = mixed(key, endpoint.id);
      if (hash <= highest) continue;
      highest = hash;
      best = endpoint;
    }
    if (best === undefined || best.delayMs(now) > 0) return undefined;
    // One prompt of all rows must not leave the others idle.
    return best.inFlight > MOST_OF_SHARE * inFlight * best.weight / weight ? undefined : best;
  }

  /** Allows more or fewer attempts at once. */
  setConcurrency(concurrency: number): void {
    for (const endpoint of this.#endpoints) endpoint.setConcurrency(concurrency);
  }

  /** Takes this share of the rate limits that are set, from now on. */
  setRateShare(share: number): void {
    for (const endpoint of this.#endpoints) endpoint.setRateShare(share);
    this.#options.onReady();
  }

  /** Where each teacher stands. */
  statuses(): TeacherStatus[] {
    return this.#endpoints.map((endpoint) => endpoint.status());
  }

  #tick(): void {
    this.#read();
    const before = this.limit;
    for (const endpoint of this.#endpoints) endpoint.tick();
    if (this.#areLeaving) this.#forget();
    if (this.limit > before) this.#options.onReady();
    this.#options.onTick();
  }

  /** Forgets teachers that have left, once nothing is under way there. */
  #forget(): void {
    this.#endpoints = this.#endpoints.filter((one) => !one.isLeaving || one.inFlight > 0);
    this.#areLeaving = this.#endpoints.some((one) => one.isLeaving);
  }

  #wakeAt(at: number): void {
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // At least 1: the moment may have passed since it was computed, and a wait that is lost in the digits
    // of the clock would be over again and again without any time passing.
    const leftMs = Math.max(1, Math.ceil(at - this.#options.now()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#options.onReady();
    }, Math.min(MAX_TIMER_MS, leftMs));
  }
}

/** One of the first `count` that have less in flight than their share once one more is. Which of them: the one that
 * was asked least often for its weight. With few in flight, the least busy one alone would be the same
 * for every weight. */
function leastBusy(
  endpoints: readonly Endpoint[],
  count: number,
  sharePerWeight: number,
): Endpoint | undefined {
  let best: Endpoint | undefined;
  for (let i = 0; i < count; i++) {
    const endpoint = endpoints[i];
    // A probe is made anyway: what hangs since it went says nothing of a teacher that is down, or closed.
    if (endpoint.inFlight >= endpoint.weight * sharePerWeight && !endpoint.isProbed) continue;
    if (best === undefined || endpoint.turns * best.weight < best.turns * endpoint.weight) {
      best = endpoint;
    }
  }
  return best;
}

/** Whether a teacher gets nothing new for the rest of the run. */
function isOut(endpoint: Endpoint): boolean {
  return endpoint.isHalted || endpoint.isLeaving;
}

/** How far above its share a teacher may be for the rows that it is the best for. */
const MOST_OF_SHARE = 1.25;

/** A hash of two 32-bit numbers (MurmurHash3's last steps). */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Until when a teacher does not want a row; -Infinity where it does. */
function heldUntil(holds: readonly Hold[], endpoint: Endpoint): number {
  return holds.find(({ by }) => by === endpoint)?.until ?? -Infinity;
}
