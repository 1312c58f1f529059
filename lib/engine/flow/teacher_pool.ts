/**
 * The teachers of a run. Decides which teacher gets the next attempt, and when.
 *
 * @module
 */

import { sumOf } from "../../figures.js";
import type { TeacherStatus } from "../../progress/mod.ts";
import { mixHashes } from "../../hash.ts";
import type { Teacher } from "../../teacher/mod.ts";
import { Alarm, every } from "../../timer.ts";
import { DepartedTeachers } from "./departed_teachers.ts";
import { Endpoint, type EndpointContext, type EndpointOptions } from "./endpoint.ts";

const TICK_MS = 100;
/** The interval of ticks while no limit depends on time. Waking up costs more CPU than the tick. */
const STEADY_TICK_MS = 500;

/** The minimum wait. A shorter wait could be rounded away, and the alarm would not ring again. */
const MIN_WAIT_MS = 0.001;

/** `pickForKey` skips a teacher with more than this multiple of its share in flight. */
const MAX_SHARE_FACTOR = 1.25;

/** The end of the wait that each throttling teacher requested for a row, on the engine's clock. */
export type RequestedWaits = Map<Endpoint, number>;

interface TeacherPoolOptions extends EndpointContext {
  readonly teachers: readonly EndpointOptions[];
  /** Reads the clock, whereas `now` returns the last reading. */
  readonly readClock: () => number;
  readonly onReady: () => void;
  readonly onTick: () => void;
}

export interface Backoff {
  /** Unix time in milliseconds at which sending continues, for display to users. */
  readonly until: number;
  readonly reason: string;
}

export class TeacherPool {
  #endpoints: readonly Endpoint[];
  /** The share of `rpm` and `tpm` that this process may use. Other shards use the rest. */
  #rateShare = 1;
  readonly #departed = new DepartedTeachers();
  readonly #options: TeacherPoolOptions;
  #context: EndpointContext;
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

  /** Whether no teacher can be used because each is leaving or halted. */
  get isUnusable(): boolean {
    return this.#endpoints.every(({ isActive }) => !isActive);
  }

  /** The first teacher that is halted and not leaving, if any. */
  get halted(): Endpoint | undefined {
    return this.#endpoints.find(({ isHalted, isLeaving }) => isHalted && !isLeaving);
  }

  get hasSeveral(): boolean {
    return this.#active.length > 1;
  }

  /** Whether a teacher is halted and no server was found for any active teacher. */
  get areOthersAbsent(): boolean {
    return this.halted !== undefined &&
      this.#active.every(({ absentSince }) => absentSince !== undefined);
  }

  /** Whether no server was found for any teacher that is not leaving. */
  get isAbsent(): boolean {
    return this.#endpoints.every(({ absentSince, isLeaving }) =>
      absentSince !== undefined || isLeaving
    );
  }

  get #active(): Endpoint[] {
    return this.#endpoints.filter(({ isActive }) => isActive);
  }

  /** Why nothing is sent, and until when; undefined if a teacher is available or none is active. */
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

  /** Returns the milliseconds until any active teacher is up and the wait that it requested is
   * over; 0 if no teacher is active. */
  soonestMs(waits: RequestedWaits): number {
    const now = this.#options.now();
    const starts = this.#active.map((endpoint) =>
      Math.max(endpoint.unavailableUntil(now) ?? now, waits.get(endpoint) ?? now)
    );
    return starts.length === 0 ? 0 : Math.max(0, Math.min(...starts) - now);
  }

  open(): void {
    this.#tickEvery(TICK_MS);
  }

  close(): void {
    this.#tickEvery(0);
    this.#alarm.set(Infinity);
  }

  /** Picks `preferred` if it has room, or else a teacher that has room and less than its share in
   * flight. If no teacher has room, `onReady` is called when a backoff or rate limit is over. */
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
    return this.#leastUsed(count, (inFlight + 1) / weight);
  }

  /** Returns the endpoint with the fewest turns for its weight, among the first `count` endpoints
   * of `#ready` that are below their share in flight. Turns are compared because weights would be
   * rounded away if few attempts are in flight. */
  #leastUsed(count: number, sharePerWeight: number): Endpoint | undefined {
    let best: Endpoint | undefined;
    for (let i = 0; i < count; i++) {
      const endpoint = this.#ready[i];
      // Attempts that hang must not block a probe.
      if (endpoint.inFlight >= endpoint.weight * sharePerWeight && !endpoint.isProbed) continue;
      if (best === undefined || endpoint.turns * best.weight < best.turns * endpoint.weight) {
        best = endpoint;
      }
    }
    return best;
  }

  /** Among the teachers that have room and no longer request a wait for the row, picks the teacher
   * with the fewest attempts in flight for its weight. */
  pickFor(waits: RequestedWaits): Endpoint | undefined {
    const now = this.#options.readClock();
    let best: Endpoint | undefined;
    for (const endpoint of this.#endpoints) {
      if ((waits.get(endpoint) ?? now) > now || endpoint.delayMs(now) > 0) continue;
      if (best === undefined || endpoint.inFlight * best.weight < best.inFlight * endpoint.weight) {
        best = endpoint;
      }
    }
    return best;
  }

  /** Returns the teacher for rows with this key, or undefined if that teacher has no room or too
   * many attempts in flight. Weighted rendezvous hashing picks the teacher with the highest hash of
   * key, address and weight. Each teacher gets keys in proportion to its weight, and when a teacher
   * joins or leaves, only the keys of that teacher move. */
  pickForKey(key: number): Endpoint | undefined {
    const now = this.#options.readClock();
    let best: Endpoint | undefined, highest = 0, inFlight = 1, weight = 0;
    for (const endpoint of this.#endpoints) {
      if (!endpoint.isActive || endpoint.isProbed) continue;
      inFlight += endpoint.inFlight;
      weight += endpoint.weight;
      const score = endpoint.weight /
        -Math.log((mixHashes(key, endpoint.addressHash) + 0.5) / 2 ** 32);
      if (score <= highest) continue;
      highest = score;
      best = endpoint;
    }
    if (best === undefined || best.delayMs(now) > 0) return undefined;
    // Without this limit, rows that all have the same key would leave the other teachers idle.
    return best.inFlight > MAX_SHARE_FACTOR * inFlight * best.weight / weight ? undefined : best;
  }

  /** Adds a teacher, or takes back a teacher that is leaving but still has calls in flight. In both
   * cases, sending starts carefully. */
  add(teacher: EndpointOptions): void {
    // With 0 turns, a new teacher would get all rows at first.
    const turns = Math.max(0, ...this.#active.map(({ turns, weight }) => turns / weight));
    // Attempts in flight at the existing endpoint would not count for a second endpoint.
    const existing = this.#endpointOf(teacher.teacher);
    const endpoint = existing ?? new Endpoint(teacher, { ...this.#context, isCareful: true });
    if (existing === undefined) this.#endpoints = [...this.#endpoints, endpoint];
    existing?.rejoin(teacher);
    endpoint.turns = turns * endpoint.weight;
    if (this.#rateShare !== 1) endpoint.userRate.setShare(this.#rateShare);
    this.#changed();
  }

  change(teacher: EndpointOptions): void {
    this.#endpointOf(teacher.teacher)?.change(teacher);
    this.#changed();
  }

  remove(teacher: Teacher): void {
    const endpoint = this.#endpointOf(teacher);
    if (endpoint !== undefined) endpoint.isLeaving = true;
    this.#changed();
  }

  #endpointOf(teacher: Teacher): Endpoint | undefined {
    return this.#endpoints.find((endpoint) => endpoint.teacher === teacher);
  }

  setConcurrency(concurrency: number): void {
    this.#context = { ...this.#context, concurrency };
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

  /** Called when a limit may change again. `onTick` first handles the time since the last tick. */
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
    // Endpoints keep adding to these counts, because the cost of an answer may be estimated later.
    for (const endpoint of departed) endpoint.counts = this.#departed.add(endpoint.status());
    this.#endpoints = this.#endpoints.filter(({ hasLeft }) => !hasLeft);
  }
}
