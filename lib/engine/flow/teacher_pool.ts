/**
 * Chooses which teacher of a run gets the next attempt, and when.
 *
 * @module
 */

import type { TeacherStatus } from "../../progress/mod.ts";
import { every, MAX_TIMER_MS } from "../../timer.ts";
import {
  hasLeft,
  heldUntil,
  type Hold,
  isActive,
  leastBusy,
  leastUsed,
  ownerOf,
} from "./choice.ts";
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
  readonly readClock?: () => number;
  /** Called when an attempt may be possible that was not before. */
  readonly onReady: () => void;
  /** Called two to ten times a second. */
  readonly onTick: () => void;
}

/** A time in which nothing is sent. */
export interface Backoff {
  /** The end in Unix milliseconds. */
  readonly until: number;
  /** The end in milliseconds from now. */
  readonly inMs: number;
  /** Why nothing is sent, for the user. */
  readonly reason: string;
}

export class TeacherPool {
  #endpoints: readonly Endpoint[];
  #rateShare = 1;
  /** Whether `#endpoints` may contain teachers that have left. */
  #hasLeaving = false;
  readonly #departed = new Departed();
  readonly #options: TeacherPoolOptions;
  readonly #context: EndpointContext;
  readonly #readClock: () => number;
  /** Reused by `pick()`, which is on the hot path. Entries that the current call did not set are
   * stale. */
  readonly #ready: Endpoint[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #stopTicks: (() => void) | undefined;
  #tickMs = 0;

  /** No timer runs before `open()`. */
  constructor(options: TeacherPoolOptions) {
    this.#options = options;
    this.#readClock = options.readClock ?? options.now;
    this.#context = { ...options, onFailure: () => this.#tickOften() };
    this.#endpoints = options.teachers.map((teacher) => new Endpoint(teacher, this.#context));
  }

  /** How many attempts may be in flight over all teachers. */
  get limit(): number {
    return this.#endpoints.reduce(
      (sum, endpoint) => isActive(endpoint) ? sum + endpoint.limit : sum,
      0,
    );
  }

  /** Attempts per second that the user's limits allow, over all teachers; Infinity without
   * limits. */
  get maxPerSecond(): number {
    return this.#endpoints.reduce(
      (sum, endpoint) => isActive(endpoint) ? sum + endpoint.userRate.maxPerSecond : sum,
      0,
    );
  }

  /** Whether all teachers were halted or have left. */
  get isHalted(): boolean {
    return !this.#endpoints.some(isActive);
  }

  /** Whether more than one teacher may receive attempts, now or later. */
  get hasSeveral(): boolean {
    return this.#endpoints.filter(isActive).length > 1;
  }

  /** Why nothing is sent, and until when; undefined while a teacher is
   * available, and if all are halted. */
  get backoff(): Backoff | undefined {
    const now = this.#options.now();
    let earliest = Infinity, reason = "";
    for (const endpoint of this.#endpoints) {
      if (!isActive(endpoint)) continue;
      const until = endpoint.unavailableUntil(now);
      if (until === undefined) return undefined;
      if (until < earliest) {
        earliest = until;
        reason = endpoint.reason;
      }
    }
    if (earliest === Infinity) return undefined;
    const inMs = Math.max(0, earliest - now);
    return { until: this.#options.wallClock() + inMs, inMs, reason };
  }

  /** Milliseconds until a teacher accepts a row, given what others requested for it; 0 if one does
   * now, or if none receives anything new. */
  soonestMs(holds: readonly Hold[]): number {
    const now = this.#options.now();
    let soonest = Infinity;
    for (const endpoint of this.#endpoints) {
      if (!isActive(endpoint)) continue;
      const until = Math.max(endpoint.unavailableUntil(now) ?? now, heldUntil(holds, endpoint));
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
   * there is none, `onReady` is called when the backoff or rate limit in the way is over. */
  pick(preferred?: Endpoint): Endpoint | undefined {
    const now = this.#readClock();
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
    return leastUsed(ready, count, (inFlight + 1) / weight);
  }

  /** A teacher other than `avoided` with room now, or `avoided` if there is none. */
  pickOther(avoided: Endpoint): Endpoint {
    const now = this.#readClock();
    const other = this.#endpoints.find((endpoint) =>
      endpoint !== avoided && endpoint.delayMs(now) === 0
    );
    return other ?? avoided;
  }

  /** The teacher with the least in flight for its weight, of those that have room now and whose
   * requested wait for the row is over; undefined if there is none. */
  pickFor(holds: readonly Hold[]): Endpoint | undefined {
    return leastBusy(this.#endpoints, holds, this.#readClock());
  }

  /** The teacher for rows with this key: always the same while it has room; else undefined. */
  pickForKey(key: number): Endpoint | undefined {
    return ownerOf(key, this.#endpoints, this.#readClock());
  }

  /**
   * Adds a teacher, or lists one again that left and still has calls in flight. It starts
   * carefully, even if the others have proven themselves.
   */
  add(teacher: EndpointOptions): void {
    // Without the turns that it missed, it alone would get all rows at first.
    const others = this.#endpoints.filter(isActive);
    const turns = Math.max(0, ...others.map(({ turns, weight }) => turns / weight));
    // A second endpoint would not know what the first still has in flight.
    const existing = this.#endpoints.find((endpoint) => endpoint.teacher === teacher.teacher);
    const endpoint = existing ?? new Endpoint(teacher, { ...this.#context, isCareful: true });
    if (existing === undefined) this.#endpoints = [...this.#endpoints, endpoint];
    existing?.rejoin(teacher);
    endpoint.turns = turns * endpoint.weight;
    if (this.#rateShare !== 1) endpoint.userRate.setShare(this.#rateShare);
    this.#tickOften();
    this.#options.onReady();
  }

  /** Changes the weight and the limit of a teacher; everything learned about it stays. */
  change({ teacher, weight, maxConcurrency }: EndpointOptions): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.teacher === teacher) endpoint.setShare({ weight, maxConcurrency });
    }
    this.#tickOften();
    this.#options.onReady();
  }

  /** Sends nothing new to a teacher; its calls in flight are finished. */
  remove(teacher: EndpointOptions["teacher"]): void {
    for (const endpoint of this.#endpoints) if (endpoint.teacher === teacher) endpoint.leave();
    this.#hasLeaving = true;
    this.#tickOften();
    this.#options.onReady();
  }

  /** Changes the maximum number of attempts in flight over all teachers. */
  setConcurrency(concurrency: number): void {
    for (const endpoint of this.#endpoints) endpoint.setConcurrency(concurrency);
    this.#tickOften();
    this.#options.onReady();
  }

  /** Uses only a share of `rpm` and `tpm`, from 0 to 1. */
  setRateShare(share: number): void {
    this.#rateShare = share;
    for (const endpoint of this.#endpoints) endpoint.userRate.setShare(share);
    this.#options.onReady();
  }

  /** Includes teachers that have left. */
  statuses(): TeacherStatus[] {
    if (this.#hasLeaving) this.#removeDeparted();
    return this.#departed.allStatuses(this.#endpoints.map((endpoint) => endpoint.status()));
  }

  #tick(): void {
    this.#readClock();
    const before = this.limit;
    for (const endpoint of this.#endpoints) endpoint.tick();
    if (this.#hasLeaving) this.#removeDeparted();
    if (this.limit > before) this.#options.onReady();
    this.#options.onTick();
    // `onReady` may have ended the run and closed the pool.
    if (this.#tickMs === 0) return;
    this.#tickEvery(this.#endpoints.every(({ isSteady }) => isSteady) ? STEADY_TICK_MS : TICK_MS);
  }

  /** Returns to frequent ticks because time matters again. First counts the time that has passed
   * since the last one. */
  #tickOften(): void {
    if (this.#tickMs !== STEADY_TICK_MS) return;
    this.#readClock();
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

  /**
   * Removes teachers that have left once nothing is in flight there; keeps their counts and costs.
   */
  #removeDeparted(): void {
    for (const endpoint of this.#endpoints) {
      if (hasLeft(endpoint)) this.#departed.add(endpoint.status());
    }
    this.#endpoints = this.#endpoints.filter((endpoint) => !hasLeft(endpoint));
    this.#hasLeaving = this.#endpoints.some(({ isLeaving }) => isLeaving);
  }

  #wakeAt(wakeAt: number): void {
    if (this.#timer !== undefined && this.#timerAt <= wakeAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = wakeAt;
    // At least 1: a wait below the precision of the clock would end repeatedly without any time
    // passing.
    const leftMs = Math.max(1, Math.ceil(wakeAt - this.#options.now()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#options.onReady();
    }, Math.min(MAX_TIMER_MS, leftMs));
  }
}
