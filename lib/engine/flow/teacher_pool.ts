/**
 * The teachers of a run: which one gets the next attempt, and when.
 *
 * @module
 */

import { sumOf } from "../../figures.ts";
import type { TeacherStatus } from "../../progress/mod.ts";
import { Alarm, every } from "../../timer.ts";
import { earliestStart, leastBusy, leastUsed, ownerOf, type RequestedWait } from "./choice.ts";
import {
  Endpoint,
  type EndpointContext,
  type EndpointOptions,
  type TeacherCounts,
} from "./endpoint.ts";

const TICK_MS = 100;

/** The interval while nothing depends on time: waking up costs more CPU than the update. */
const STEADY_TICK_MS = 500;

/** A wait below the clock's precision would end again and again without any time passing. */
const MIN_WAIT_MS = 0.001;

export interface TeacherPoolOptions extends EndpointContext {
  readonly teachers: readonly EndpointOptions[];
  /** Reads the clock; `now` returns the last reading. */
  readonly readClock: () => number;
  readonly onReady: () => void;
  readonly onTick: () => void;
}

export interface Backoff {
  /** Unix time in milliseconds when sending continues, for users. */
  readonly until: number;
  readonly reason: string;
}

export class TeacherPool {
  #endpoints: readonly Endpoint[];
  #rateShare = 1;
  readonly #departed = new DepartedTeachers();
  readonly #options: TeacherPoolOptions;
  readonly #context: EndpointContext;
  /** Reused by `pick()` on the hot path. */
  readonly #ready: Endpoint[] = [];
  readonly #alarm: Alarm;
  #stopTicks: (() => void) | undefined;
  #tickMs = 0;

  constructor(options: TeacherPoolOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.readClock, options.onReady);
    this.#context = { ...options, onFailure: () => this.#tickOften() };
    this.#endpoints = options.teachers.map((teacher) => new Endpoint(teacher, this.#context));
  }

  get limit(): number {
    return sumOf(this.#active, ({ limit }) => limit);
  }

  get maxPerSecond(): number {
    return sumOf(this.#active, ({ userRate }) => userRate.maxPerSecond);
  }

  get isHalted(): boolean {
    return this.#active.length === 0;
  }

  get hasSeveral(): boolean {
    return this.#active.length > 1;
  }

  get #active(): Endpoint[] {
    return this.#endpoints.filter(({ isActive }) => isActive);
  }

  /** Why and until when nothing is sent; undefined if a teacher is available or all are halted. */
  get backoff(): Backoff | undefined {
    const now = this.#options.now();
    let earliest = Infinity, reason = "";
    for (const endpoint of this.#endpoints) {
      if (!endpoint.isActive) continue;
      const until = endpoint.unavailableUntil(now);
      if (until === undefined) return undefined;
      if (until < earliest) {
        earliest = until;
        reason = endpoint.reason;
      }
    }
    if (earliest === Infinity) return undefined;
    return { until: this.#options.wallClock() + Math.max(0, earliest - now), reason };
  }

  /** Milliseconds until a teacher accepts a row; 0 if one does now, or none is active. */
  soonestMs(waits: readonly RequestedWait[]): number {
    const now = this.#options.now();
    const soonest = earliestStart(this.#active, waits, now);
    return soonest === Infinity ? 0 : Math.max(0, soonest - now);
  }

  open(): void {
    this.#tickEvery(TICK_MS);
  }

  close(): void {
    this.#tickEvery(0);
    this.#alarm.set(Infinity);
  }

  /** Picks `preferred` if it has room, otherwise a teacher that has room and less than its share in
   * flight. If no teacher has room, calls `onReady` once a backoff or rate limit is over. */
  pick(preferred?: Endpoint): Endpoint | undefined {
    const now = this.#options.readClock();
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
    if (count === 0 && soonest < Infinity) {
      this.#alarm.setEarlier(now + Math.max(MIN_WAIT_MS, soonest));
    }
    if (count < 2) return count === 0 ? undefined : ready[0];
    return leastUsed(ready, count, (inFlight + 1) / weight);
  }

  pickFor(waits: readonly RequestedWait[]): Endpoint | undefined {
    return leastBusy(this.#endpoints, waits, this.#options.readClock());
  }

  pickForKey(key: number): Endpoint | undefined {
    return ownerOf(key, this.#endpoints, this.#options.readClock());
  }

  /** Adds a teacher, or takes back one that has calls in flight. Starts carefully. */
  add(teacher: EndpointOptions): void {
    // Without any turns, a new teacher alone would get all rows at first.
    const turns = Math.max(0, ...this.#active.map(({ turns, weight }) => turns / weight));
    // A second endpoint would not count the attempts in flight at the first.
    const existing = this.#endpoints.find((endpoint) => endpoint.teacher === teacher.teacher);
    const endpoint = existing ?? new Endpoint(teacher, { ...this.#context, isCareful: true });
    if (existing === undefined) this.#endpoints = [...this.#endpoints, endpoint];
    existing?.rejoin(teacher);
    endpoint.turns = turns * endpoint.weight;
    if (this.#rateShare !== 1) endpoint.userRate.setShare(this.#rateShare);
    this.#changed();
  }

  change({ teacher, weight, maxConcurrency }: EndpointOptions): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.teacher === teacher) endpoint.setShare({ weight, maxConcurrency });
    }
    this.#changed();
  }

  remove(teacher: EndpointOptions["teacher"]): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.teacher === teacher) endpoint.isLeaving = true;
    }
    this.#changed();
  }

  setConcurrency(concurrency: number): void {
    for (const endpoint of this.#endpoints) endpoint.setConcurrency(concurrency);
    this.#changed();
  }

  setRateShare(share: number): void {
    this.#rateShare = share;
    for (const endpoint of this.#endpoints) endpoint.userRate.setShare(share);
    this.#options.onReady();
  }

  statuses(): TeacherStatus[] {
    this.#removeDeparted();
    return this.#departed.allStatuses(this.#endpoints.map((endpoint) => endpoint.status()));
  }

  #changed(): void {
    this.#tickOften();
    this.#options.onReady();
  }

  #tick(): void {
    this.#options.readClock();
    const before = this.limit;
    for (const endpoint of this.#endpoints) endpoint.tick();
    this.#removeDeparted();
    if (this.limit > before) this.#options.onReady();
    this.#options.onTick();
    // `onReady` may have ended the run and closed the pool.
    if (this.#tickMs === 0) return;
    this.#tickEvery(this.#endpoints.every(({ isSteady }) => isSteady) ? STEADY_TICK_MS : TICK_MS);
  }

  /** Called when a limit may change again. First accounts for the time since the last tick. */
  #tickOften(): void {
    if (this.#tickMs !== STEADY_TICK_MS) return;
    this.#options.readClock();
    this.#options.onTick();
    this.#tickEvery(TICK_MS);
  }

  #tickEvery(ms: number): void {
    if (ms === this.#tickMs) return;
    this.#tickMs = ms;
    this.#stopTicks?.();
    this.#stopTicks = ms === 0 ? undefined : every(ms, () => this.#tick(), { keepsAlive: true });
  }

  #removeDeparted(): void {
    const departed = this.#endpoints.filter(({ hasLeft }) => hasLeft);
    if (departed.length === 0) return;
    // Endpoints keep adding to these counts: the cost of answers may be estimated later.
    for (const endpoint of departed) endpoint.counts = this.#departed.add(endpoint.status());
    this.#endpoints = this.#endpoints.filter(({ hasLeft }) => !hasLeft);
  }
}

/** Maximum number of departed teachers with their own status: in a run of days, pods restart
 * many times, with new addresses. */
const MAX_NAMED = 100;

/** Statuses of teachers that have left the list, so that totals still add up. */
export class DepartedTeachers {
  readonly #named = new Map<string, TeacherStatus>();
  /** The sum of the teachers that left before the named ones. */
  #earlier: TeacherStatus | undefined;

  /** Returns the counts that are shown from now on; what is added to them is shown, too. */
  add(status: TeacherStatus): TeacherCounts {
    const key = keyOf(status);
    const idle = { until: null, reason: null, in_flight: 0, limit: 0 };
    const finalStatus = { ...status, state: "left" as const, ...idle };
    const previous = this.#named.get(key);
    // Changed in place, because the endpoint that left before has the same counts.
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
