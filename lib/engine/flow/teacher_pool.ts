/**
 * Chooses which teacher of a run gets the next attempt, and when.
 *
 * @module
 */

import type { TeacherStatus } from "../../progress/mod.ts";
import { every, MAX_TIMER_MS } from "../../timer.ts";
import { Departed } from "./departed.ts";
import { Endpoint } from "./endpoint.ts";
import type { EndpointContext, EndpointOptions } from "./endpoint_options.ts";

/** How often the limits are updated, in milliseconds. */
const TICK_MS = 100;

/** How often the limits are updated while nothing depends on time, in milliseconds: waking up costs
 * more CPU than the update. */
const STEADY_TICK_MS = 500;

export interface TeacherPoolOptions extends EndpointContext {
  readonly teachers: readonly EndpointOptions[];
  /** Reads the clock, whose last reading `now` returns. @default now */
  readonly read?: () => number;
  /** Called when an attempt may be possible that was not before. */
  readonly onReady: () => void;
  /** Called two to ten times a second. */
  readonly onTick: () => void;
}

/** A time in which nothing is sent. */
export interface Rest {
  /** The end in Unix milliseconds. */
  readonly until: number;
  /** The end in milliseconds from now. */
  readonly inMs: number;
  /** Why nothing is sent, for the user. */
  readonly reason: string;
}

/** A teacher asked not to receive a row before a time. */
interface Hold {
  readonly by: Endpoint;
  readonly until: number;
}

export class TeacherPool {
  #endpoints: readonly Endpoint[];
  #rateShare = 1;
  /** Whether a teacher that has left still has attempts in flight. */
  #areLeaving = false;
  readonly #departed = new Departed();
  readonly #options: TeacherPoolOptions;
  readonly #context: EndpointContext;
  readonly #read: () => number;
  /** Scratch space of `pick()`, which is on the hot path; teachers with room come first. */
  readonly #ready: Endpoint[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #stopTicks: (() => void) | undefined;
  #tickMs = 0;

  /** No timer runs before `open()`. */
  constructor(options: TeacherPoolOptions) {
    this.#options = options;
    this.#read = options.read ?? options.now;
    this.#context = { ...options, onFailure: () => this.#attend() };
    this.#endpoints = options.teachers.map((teacher) => new Endpoint(teacher, this.#context));
  }

  /** How many attempts may be in flight over all teachers. */
  get limit(): number {
    return this.#endpoints.reduce((sum, one) => isOut(one) ? sum : sum + one.limit, 0);
  }

  /** Whether all teachers were halted or have left. */
  get isHalted(): boolean {
    return this.#endpoints.every(isOut);
  }

  /** Why nothing is sent, and until when; undefined unless all teachers rest. */
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

  /** Milliseconds until some teacher accepts a row that others put off; 0 if one does now. */
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

  /** Starts to update what depends on time. */
  open(): void {
    this.#tickEvery(TICK_MS);
  }

  close(): void {
    this.#tickEvery(0);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A teacher with room now and less in flight than its share, or `preferred` if that has room. If
   * there is none, `onReady` is called once time alone makes room. */
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

  /** A teacher other than `avoided` with room now, or `avoided` if there is none. */
  pickOther(avoided: Endpoint): Endpoint {
    const now = this.#read();
    const isOther = (one: Endpoint) => one !== avoided && one.delayMs(now) === 0;
    return this.#endpoints.find(isOther) ?? avoided;
  }

  /** The least busy teacher for its weight with room now that has not put off the row; undefined if
   * there is none. */
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

  /**
   * Adds a teacher, or one that left before. It starts carefully, whatever the others have proven.
   */
  add(teacher: EndpointOptions): void {
    // Without the turns that it missed, it alone would get all rows at first.
    const others = this.#endpoints.filter((one) => !isOut(one));
    const turns = others.reduce((most, one) => Math.max(most, one.turns / one.weight), 0);
    // A second endpoint would not know what the first still has in flight.
    const known = this.#endpoints.find((one) => one.teacher === teacher.teacher);
    const endpoint = known ?? new Endpoint(teacher, { ...this.#context, isCareful: true });
    if (known === undefined) this.#endpoints = [...this.#endpoints, endpoint];
    known?.rejoin(teacher);
    endpoint.turns = turns * endpoint.weight;
    if (this.#rateShare !== 1) endpoint.setRateShare(this.#rateShare);
    this.#attend();
    this.#options.onReady();
  }

  /** Changes the weight and the limit of a teacher; everything learned about it stays. */
  change({ teacher, weight, maxConcurrency }: EndpointOptions): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.teacher === teacher) endpoint.setPlace({ weight, maxConcurrency });
    }
    this.#options.onReady();
  }

  /** Sends nothing new to a teacher; its calls in flight are finished. */
  remove(teacher: EndpointOptions["teacher"]): void {
    for (const endpoint of this.#endpoints) if (endpoint.teacher === teacher) endpoint.leave();
    this.#areLeaving = true;
    this.#attend();
    this.#options.onReady();
  }

  /**
   * The teacher for rows with this key: always the same, while it has room; undefined otherwise.
   * Each key belongs to the teacher with the highest hash of both (rendezvous hashing), so that
   * only the keys of a teacher that joins or leaves move.
   */
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
    // If all rows have the same key, other teachers must not stay idle.
    return best.inFlight > MOST_OF_SHARE * inFlight * best.weight / weight ? undefined : best;
  }

  /** Changes the most attempts in flight that the run allows. */
  setConcurrency(concurrency: number): void {
    for (const endpoint of this.#endpoints) endpoint.setConcurrency(concurrency);
    this.#attend();
  }

  /** Uses only a share of `rpm` and `tpm`, from 0 to 1. */
  setRateShare(share: number): void {
    this.#rateShare = share;
    for (const endpoint of this.#endpoints) endpoint.setRateShare(share);
    this.#options.onReady();
  }

  /** Includes teachers that have left. */
  statuses(): TeacherStatus[] {
    if (this.#areLeaving) this.#forget();
    return this.#departed.with(this.#endpoints.map((endpoint) => endpoint.status()));
  }

  #tick(): void {
    this.#read();
    const before = this.limit;
    for (const endpoint of this.#endpoints) endpoint.tick();
    if (this.#areLeaving) this.#forget();
    if (this.limit > before) this.#options.onReady();
    this.#options.onTick();
    // `onReady` may have ended the run and closed the pool.
    if (this.#tickMs === 0) return;
    this.#tickEvery(this.#endpoints.every((one) => one.isSteady) ? STEADY_TICK_MS : TICK_MS);
  }

  /** Returns to frequent ticks because time matters again. First counts the time that has passed
   * since the last one. */
  #attend(): void {
    if (this.#tickMs !== STEADY_TICK_MS) return;
    this.#read();
    this.#options.onTick();
    this.#tickEvery(TICK_MS);
  }

  /** @param ms The interval in milliseconds; 0 for no ticks. */
  #tickEvery(ms: number): void {
    if (ms === this.#tickMs) return;
    this.#tickMs = ms;
    this.#stopTicks?.();
    this.#stopTicks = ms === 0 ? undefined : every(ms, () => this.#tick(), { keepsAlive: true });
  }

  /** Removes teachers that have left once nothing is in flight there; what they did is kept. */
  #forget(): void {
    const isGone = (one: Endpoint) => one.isLeaving && one.inFlight === 0;
    for (const one of this.#endpoints) if (isGone(one)) this.#departed.add(one.status());
    this.#endpoints = this.#endpoints.filter((one) => !isGone(one));
    this.#areLeaving = this.#endpoints.some((one) => one.isLeaving);
  }

  #wakeAt(at: number): void {
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // At least 1: a wait below the precision of the clock would end repeatedly without any time
    // passing.
    const leftMs = Math.max(1, Math.ceil(at - this.#options.now()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#options.onReady();
    }, Math.min(MAX_TIMER_MS, leftMs));
  }
}

/**
 * Of the first `count` endpoints, the one used least for its weight among those that one more
 * attempt keeps within their share. Not the least busy one: with few in flight, that would be the
 * same for every weight.
 */
function leastBusy(
  endpoints: readonly Endpoint[],
  count: number,
  sharePerWeight: number,
): Endpoint | undefined {
  let best: Endpoint | undefined;
  for (let i = 0; i < count; i++) {
    const endpoint = endpoints[i];
    // A probe is made anyway: attempts that hang say nothing about a teacher that is down or
    // closed.
    if (endpoint.inFlight >= endpoint.weight * sharePerWeight && !endpoint.isProbed) continue;
    if (best === undefined || endpoint.turns * best.weight < best.turns * endpoint.weight) {
      best = endpoint;
    }
  }
  return best;
}

/** Whether a teacher receives nothing new. */
function isOut(endpoint: Endpoint): boolean {
  return endpoint.isHalted || endpoint.isLeaving;
}

/** By how much a teacher may exceed its share for the rows that belong to it, as a factor. */
const MOST_OF_SHARE = 1.25;

/** A hash of two 32-bit numbers (the last steps of MurmurHash3). */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Until when a teacher has put off a row; -Infinity if it has not. */
function heldUntil(holds: readonly Hold[], endpoint: Endpoint): number {
  return holds.find(({ by }) => by === endpoint)?.until ?? -Infinity;
}
