/**
 * One teacher as the engine sees it: how many attempts may be in flight, when the next may be made,
 * and whether it is up.
 *
 * @module
 */

import { type TeacherError, UNREADABLE_FILE } from "../../errors.ts";
import type { TeacherStatus } from "../../progress/mod.ts";
import { hash32 } from "../../hash.ts";
import type { Completion, Teacher } from "../../teacher/mod.ts";
import type { Classification } from "../errors/mod.ts";
import { CircuitBreaker } from "./circuit_breaker.ts";
import type { EndpointContext, EndpointOptions, FailureEffect } from "./endpoint_options.ts";
import { LoadControl, type Sent } from "./load_control.ts";

/** Causes of failures that may mean that less should be sent. */
const PRESSURE_CAUSES: ReadonlySet<Classification["cause"]> = new Set([
  "load",
  "unreachable",
  "timeout",
]);

export class Endpoint {
  readonly teacher: Teacher;
  /** A 32-bit hash of its address, for `pickForKey`. */
  readonly addressHash: number;
  inFlight = 0;
  /** Attempts made. The number of an attempt is its ticket. */
  attempts = 0;
  /** Attempts made and, for a teacher that joined later, those that it missed. The pool takes turns
   * by this number. */
  turns = 0;
  readonly #context: EndpointContext;
  #weight: number;
  #maxConcurrency: number;
  #runConcurrency: number;
  readonly #load: LoadControl;
  readonly #breaker: CircuitBreaker;
  #answered = 0;
  #failed = 0;
  #completionTokens = 0;
  #costUsd = 0;
  #reason = "";
  #haltReason: string | undefined;
  #isLeaving = false;

  constructor(options: EndpointOptions, context: EndpointContext) {
    const { now, random } = context;
    this.teacher = options.teacher;
    this.addressHash = hash32(options.teacher.address ?? "");
    this.#context = context;
    this.#weight = options.weight;
    this.#maxConcurrency = options.maxConcurrency;
    this.#runConcurrency = context.concurrency;
    const ceiling = Math.min(options.maxConcurrency, context.concurrency);
    this.#load = new LoadControl({ ...context, ceiling, rpm: options.rpm, tpm: options.tpm });
    this.#breaker = new CircuitBreaker({ now, random });
  }

  /** The share of the load relative to other teachers. */
  get weight(): number {
    return this.#weight;
  }

  /** The time on the engine's clock, in milliseconds. */
  get now(): number {
    return this.#context.now();
  }

  /** How many attempts may be in flight. */
  get limit(): number {
    return this.#load.limit;
  }

  get hasAnswered(): boolean {
    return this.#answered > 0;
  }

  /** Whether it was halted and receives nothing more. */
  get isHalted(): boolean {
    return this.#haltReason !== undefined;
  }

  /** Whether it is unreachable, or nearly every attempt fails. */
  get isDown(): boolean {
    return this.#breaker.isDown;
  }

  /** Whether only probes are sent, because it is down or its quota is used up. */
  get isProbed(): boolean {
    return this.isDown || this.#load.closedUntil !== undefined;
  }

  /** Why it was halted, else its last failure; "" without either. */
  get reason(): string {
    return this.#haltReason ?? this.#reason;
  }

  /**
   * Whether nothing depends on time until an attempt fails, so `tick()` may be called rarely.
   */
  get isSteady(): boolean {
    if (this.isHalted) return true;
    return !this.#isLeaving && !this.isDown && this.#load.isSteady(this.#context.now());
  }

  /** When attempts may be made again after an outage, a cool-down or a used-up quota, on the
   * engine's clock; undefined without one of these. */
  unavailableUntil(now: number): number | undefined {
    const { closedUntil, coolUntil } = this.#load;
    if (this.#breaker.isDown) return Math.max(this.#breaker.probeAt, coolUntil);
    if (closedUntil !== undefined) return Math.max(closedUntil, coolUntil);
    return coolUntil > now ? coolUntil : undefined;
  }

  /** Milliseconds until an attempt may be made: 0 if now, Infinity if one in flight must end first,
   * or nothing more is sent. */
  delayMs(now: number): number {
    if (this.#haltReason !== undefined || this.#isLeaving) return Infinity;
    const unavailableUntil = this.unavailableUntil(now);
    if (unavailableUntil !== undefined && unavailableUntil > now) return unavailableUntil - now;
    // A probe is made even if attempts hang.
    if (this.inFlight >= this.#load.limit && !this.isProbed) return Infinity;
    return this.#load.delayMs(now);
  }

  /** Takes a slot for an attempt. Returns the number of the attempt, from 1. */
  take(): number {
    this.inFlight++;
    this.attempts++;
    this.turns++;
    this.#load.sent(this.attempts);
    this.#breaker.sent();
    return this.attempts;
  }

  /** Called when an attempt returned a completion, which may still be rejected. */
  answered(sent: Sent, completion: Completion): void {
    const inFlight = this.inFlight--;
    this.#answered++;
    this.#completionTokens += completion.usage?.completionTokens ?? 0;
    this.#responded(sent);
    this.#load.answered(sent, inFlight, completion);
  }

  /** Called when an answer was paid for, complete or partial, accepted or not. */
  paid(costUsd: number): void {
    this.#costUsd += costUsd;
  }

  /**
   * Called when an attempt failed.
   *
   * @param isFirstFailure Whether nothing has counted against the row before.
   */
  failed(
    sent: Sent,
    error: TeacherError,
    classification: Classification,
    isFirstFailure: boolean,
  ): FailureEffect {
    this.#context.onFailure?.();
    const inFlight = this.inFlight--;
    this.#failed++;
    const { cause, action } = classification;
    this.#load.failed(error.partial);
    this.#completionTokens += error.partial?.usage?.completionTokens ?? 0;
    // The teacher is not in trouble. It has responded, unless the error arose here. Custom teachers
    // need not name a status.
    if (action !== "retry" || cause === "ending" || cause === "adjusted") {
      if (error.code !== UNREADABLE_FILE) this.#responded(sent);
      return { counts: cause !== "adjusted", isTolerated: false };
    }
    this.#reason = error.status === undefined ? error.message : `${error.status}: ${error.message}`;
    const verdict = PRESSURE_CAUSES.has(cause)
      ? this.#load.pressed(sent, inFlight, classification)
      : undefined;
    if (verdict === "closed") return { counts: false, isTolerated: false };
    const isTolerated = verdict === "tolerated";
    const wasDown = this.isDown;
    const counts = this.#breaker.failed(cause, sent.startedAt, isFirstFailure);
    if (this.isDown && !wasDown) this.#context.onOutage?.(this);
    return { counts, isTolerated };
  }

  /** Called when an attempt was aborted. */
  abandoned(): void {
    this.inFlight--;
    this.#load.failed(undefined);
  }

  /** Called if an attempt is not made after all: frees its slot. */
  notSent(): void {
    this.inFlight--;
    this.attempts--;
    this.turns--;
    this.#load.notSent();
    this.#breaker.notSent();
  }

  /** The latest time of the next probe, on the engine's clock, as set by `probeBy()`; else
   * Infinity. */
  get latestProbeAt(): number {
    return this.#breaker.latestProbeAt;
  }

  /** Makes the next probe at this time on the engine's clock at the latest. */
  probeBy(latestProbeAt: number): void {
    this.#breaker.latestProbeAt = latestProbeAt;
  }

  /** Sends nothing more to it. The first reason is kept. */
  halt(reason: string): void {
    this.#haltReason ??= reason;
  }

  /** Whether it has left the list of teachers and receives nothing new. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Sends nothing new to it; its calls in flight are finished. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Changes its share of the load and its maximum number of attempts in flight. Everything learned
   * about the teacher stays. */
  setShare({ weight, maxConcurrency }: Pick<EndpointOptions, "weight" | "maxConcurrency">): void {
    // Its turns so far count as if it had always had this weight.
    this.turns *= weight / this.#weight;
    this.#weight = weight;
    this.#maxConcurrency = maxConcurrency;
    this.setConcurrency(this.#runConcurrency);
  }

  /** Called when it is listed again before its last call has ended: continues as carefully as after
   * an outage, even if it was halted. */
  rejoin(place: Pick<EndpointOptions, "weight" | "maxConcurrency">): void {
    this.setShare(place);
    this.#isLeaving = false;
    this.#haltReason = undefined;
    this.#load.restart();
  }

  /** Changes the maximum number of attempts in flight over all teachers. */
  setConcurrency(concurrency: number): void {
    this.#runConcurrency = concurrency;
    this.#load.setCeiling(Math.min(this.#maxConcurrency, concurrency));
  }

  /** Its limits in attempts and tokens per minute, as the user set them. */
  get userRate(): LoadControl["userRate"] {
    return this.#load.userRate;
  }

  /** Called every 100 ms, or every 500 ms while all teachers are steady. */
  tick(): void {
    this.#load.tick(this.inFlight > 0 && !this.isProbed);
  }

  status(): TeacherStatus {
    const now = this.#context.now();
    const unavailableUntil = this.unavailableUntil(now);
    const state = this.isHalted
      ? "halted"
      : this.#isLeaving
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
      answered: this.#answered,
      failed: this.#failed,
      completion_tokens: this.#completionTokens,
      cost_usd: this.#costUsd,
    };
  }

  /** Called when the teacher has responded. After an outage, it starts with one attempt again. */
  #responded(sent: Sent): void {
    this.#load.responded(sent);
    if (!this.#breaker.answered(sent.startedAt)) return;
    this.#load.restart();
    this.#context.onOutage?.(this);
  }
}
