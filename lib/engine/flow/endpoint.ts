/**
 * One teacher in a run: how many attempts may be in flight, when the next one may start, and
 * whether the teacher is up.
 *
 * @module
 */

import { type TeacherError, UNREADABLE_FILE } from "../../errors.ts";
import type { TeacherStatus } from "../../progress/mod.ts";
import { hash32 } from "../../hash.ts";
import type { Completion, Teacher } from "../../teacher/mod.ts";
import type { Classification } from "../errors/mod.ts";
import { CircuitBreaker } from "./circuit_breaker.ts";
import { LoadControl, type LoadControlOptions, type SentAttempt } from "./load_control.ts";
import type { RateLimiter } from "./rate.ts";

export interface EndpointOptions extends Pick<LoadControlOptions, "rpm" | "tpm"> {
  readonly teacher: Teacher;
  readonly weight: number;
  readonly maxConcurrency: number;
}

export interface EndpointContext extends Omit<LoadControlOptions, "ceiling" | "rpm" | "tpm"> {
  /** The concurrency of the run, over all endpoints. */
  readonly concurrency: number;
  /** Called when a teacher goes down, and when it is up again. */
  readonly onOutage?: (endpoint: Endpoint) => void;
  /** Called when an attempt has failed, before the failure affects the limit or the circuit
   * breaker. */
  readonly onFailure?: () => void;
}

export type TeacherCounts = Pick<
  TeacherStatus,
  "answered" | "failed" | "completion_tokens" | "cost_usd"
>;

export interface FailureEffect {
  /** Whether the failure counts against the row. */
  readonly counts: boolean;
  /** Whether the teacher throttles no more than usual. The row then waits for a shorter time. */
  readonly isTolerated: boolean;
}

export class Endpoint {
  readonly teacher: Teacher;
  readonly addressHash: number;
  inFlight = 0;
  /** The number of attempts so far. Each attempt's number, counted from 1, is its ticket. */
  attempts = 0;
  /** The number of attempts so far, scaled so that a teacher that joins, or whose weight changes,
   * has nothing to catch up on. The pool picks the teacher with the lowest `turns / weight`. */
  turns = 0;
  weight: number;
  isLeaving = false;
  readonly #context: EndpointContext;
  #maxConcurrency: number;
  #runConcurrency: number;
  readonly #load: LoadControl;
  readonly breaker: CircuitBreaker;
  /** Counts that are part of `status()`. Teachers with the same address and model share this object
   * once they have left. */
  counts: TeacherCounts = { answered: 0, failed: 0, completion_tokens: 0, cost_usd: 0 };
  #reason = "";
  /** Whether the last failure was that no connection could be made. */
  isUnreachable = false;
  /** The time since which no attempt has found a server; undefined after any other result. Once any
   * teacher has answered, each failure resets this time while another teacher may answer. */
  absentSince: number | undefined;
  hasAnsweredPartly = false;
  #haltReason: string | undefined;

  constructor(options: EndpointOptions, context: EndpointContext) {
    this.teacher = options.teacher;
    this.addressHash = hash32(options.teacher.address ?? "");
    this.#context = context;
    this.weight = options.weight;
    this.#maxConcurrency = options.maxConcurrency;
    this.#runConcurrency = context.concurrency;
    const ceiling = Math.min(options.maxConcurrency, context.concurrency);
    this.#load = new LoadControl({ ...context, ceiling, rpm: options.rpm, tpm: options.tpm });
    this.breaker = new CircuitBreaker(context);
  }

  get now(): number {
    return this.#context.now();
  }

  get limit(): number {
    return this.#load.limit;
  }

  get hasAnswered(): boolean {
    return this.counts.answered > 0;
  }

  get isHalted(): boolean {
    return this.#haltReason !== undefined;
  }

  get isActive(): boolean {
    return !this.isHalted && !this.isLeaving;
  }

  get hasLeft(): boolean {
    return this.isLeaving && this.inFlight === 0;
  }

  get isDown(): boolean {
    return this.breaker.isDown;
  }

  /** Whether attempts are probes because the teacher is down or its quota is used up. */
  get isProbed(): boolean {
    return this.isDown || this.#load.closedUntil !== undefined;
  }

  /** Why the teacher was halted. If it was not, its last error due to load, a fault or an outage;
   * empty if there was none. */
  get reason(): string {
    return this.#haltReason ?? this.#reason;
  }

  /** Whether `tick()` has no effect until an attempt fails or a setting changes. */
  get isSteady(): boolean {
    if (this.isHalted) return true;
    return !this.isLeaving && !this.isDown && this.#load.isSteady(this.#context.now());
  }

  /** Returns when the next attempt may start, or undefined if the teacher is available. An attempt
   * waits for the end of the pause that the teacher requested. If the teacher is down or its quota
   * is used up, the attempt also waits for the time of the next probe. */
  unavailableUntil(now: number): number | undefined {
    const { closedUntil, coolUntil } = this.#load;
    const probeAt = this.isDown ? this.breaker.probeAt : closedUntil;
    if (probeAt !== undefined) return Math.max(probeAt, coolUntil);
    return coolUntil > now ? coolUntil : undefined;
  }

  /** Returns the milliseconds until the next attempt may start, or Infinity if an attempt in flight
   * must end first or the teacher is halted or leaving. */
  delayMs(now: number): number {
    if (!this.isActive) return Infinity;
    const unavailableUntil = this.unavailableUntil(now);
    if (unavailableUntil !== undefined && unavailableUntil > now) return unavailableUntil - now;
    // A probe may exceed the limit, because attempts that hang must not block it.
    if (this.inFlight >= this.#load.limit && !this.isProbed) return Infinity;
    return this.#load.delayMs(now);
  }

  /** Takes a slot, and returns the ticket of the attempt. */
  takeSlot(): number {
    this.inFlight++;
    this.attempts++;
    this.turns++;
    this.#load.sent(this.attempts);
    this.breaker.sent();
    return this.attempts;
  }

  answered(sent: SentAttempt, completion: Completion): void {
    const inFlight = this.inFlight--;
    this.absentSince = undefined;
    this.counts.answered++;
    this.counts.completion_tokens += completion.usage?.completionTokens ?? 0;
    this.#responded(sent);
    this.#load.answered(sent, inFlight, completion);
  }

  paid(costUsd: number): void {
    this.counts.cost_usd += costUsd;
  }

  /** @param isFirstFailure Whether no earlier failure counted against the row. */
  failed(
    sent: SentAttempt,
    error: TeacherError,
    classification: Classification,
    isFirstFailure: boolean,
  ): FailureEffect {
    this.#context.onFailure?.();
    const inFlight = this.inFlight--;
    if (!error.isUnreachable) this.absentSince = undefined;
    this.counts.failed++;
    const { cause, action } = classification, { partial } = error;
    if (partial !== undefined) this.hasAnsweredPartly = true;
    this.#load.failed(partial);
    this.counts.completion_tokens += partial?.usage?.completionTokens ?? 0;
    // An error that is not due to load or a fault shows that the teacher responded, even if a
    // custom teacher throws it without a status. There are two exceptions: a file of the row that
    // cannot be read, and an error that halts the teacher, such as a bad certificate. Neither says
    // anything about an outage.
    if (action !== "retry" || cause === "ending" || cause === "adjusted") {
      if (action !== "halt" && error.code !== UNREADABLE_FILE) this.#responded(sent);
      return { counts: cause !== "adjusted", isTolerated: false };
    }
    this.isUnreachable = cause === "unreachable";
    this.#reason = error.status === undefined ? error.message : `${error.status}: ${error.message}`;
    const verdict = cause === "fault"
      ? undefined
      : this.#load.congested(sent, inFlight, classification);
    if (verdict === "closed") return { counts: false, isTolerated: false };
    const isTolerated = verdict === "tolerated";
    const wasDown = this.isDown;
    const counts = this.breaker.failed(cause, sent.startedAt, isFirstFailure);
    if (this.isDown && !wasDown) this.#context.onOutage?.(this);
    return { counts, isTolerated };
  }

  abandoned(): void {
    this.inFlight--;
    this.#load.failed(undefined);
  }

  /** Halts the teacher. If it is halted already, keeps the first reason. */
  halt(reason: string): void {
    this.#haltReason ??= reason;
  }

  /** Ends a halt, so that the teacher is probed again. */
  resume(): void {
    this.#haltReason = undefined;
  }

  /** Changes the weight and the maximum, and keeps what was learned about the teacher. */
  change({ weight, maxConcurrency }: Pick<EndpointOptions, "weight" | "maxConcurrency">): void {
    // The turns so far are scaled as if the teacher had always had this weight.
    this.turns *= weight / this.weight;
    this.weight = weight;
    this.#maxConcurrency = maxConcurrency;
    this.setConcurrency(this.#runConcurrency);
  }

  /** Takes back a teacher that is leaving but still has calls in flight, even if it was halted.
   * Sending restarts as carefully as after an outage. */
  rejoin(settings: Pick<EndpointOptions, "weight" | "maxConcurrency">): void {
    this.change(settings);
    this.isLeaving = false;
    this.absentSince = undefined;
    this.resume();
    this.#load.restart();
  }

  setConcurrency(concurrency: number): void {
    this.#runConcurrency = concurrency;
    this.#load.setCeiling(Math.min(this.#maxConcurrency, concurrency));
  }

  get userRate(): RateLimiter {
    return this.#load.userRate;
  }

  tick(): void {
    this.#load.tick(this.inFlight > 0 && !this.isProbed);
  }

  status(): TeacherStatus {
    const now = this.#context.now();
    const unavailableUntil = this.unavailableUntil(now);
    const state = this.isHalted
      ? "halted"
      : this.isLeaving
      ? "leaving"
      : this.isDown
      ? "down"
      : unavailableUntil === undefined
      ? "up"
      : "cooling_down";
    return {
      address: this.teacher.address ?? "",
      model: this.teacher.model ?? "",
      state,
      until: unavailableUntil === undefined || this.isHalted
        ? null
        : new Date(this.#context.wallClock() + Math.max(0, unavailableUntil - now)).toISOString(),
      reason: state === "up" ? null : this.reason,
      weight: this.weight,
      in_flight: this.inFlight,
      limit: this.limit,
      ...this.counts,
    };
  }

  /** Called when the teacher has responded. If this ends an outage, sending restarts with one
   * attempt. */
  #responded(sent: SentAttempt): void {
    this.#load.responded(sent);
    if (!this.breaker.responded(sent.startedAt)) return;
    this.#load.restart();
    this.#context.onOutage?.(this);
  }
}
