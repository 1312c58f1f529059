/**
 * A run against a teacher, event by event in simulated time: hours pass in a moment, the same every
 * time.
 *
 * `SimulatedLoad` has endless rows. It starts an attempt whenever its gate allows it, and asks the
 * gate again after each answer, each refusal, ten times per second and when a delay is over.
 *
 * @module
 */

import { BinaryHeap } from "../../lib/deps/std_data_structures.ts";
import type { ConcurrencyLimit } from "../../lib/engine/flow/concurrency.ts";

/** Numbers in [0, 1) that are the same for a seed (Park and Miller's generator). */
export function seededRandom(seed = 1): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Time of a simulation, in ms. */
export interface SimulatedTime {
  /** The time now. */
  now: number;
}

/** One POST. */
export interface SimulatedAttempt {
  /** Its number, from 1. */
  readonly ticket: number;
  /** When it was sent, in ms. */
  readonly startedAt: number;
  /** Attempts in flight when it was sent, this one included. */
  readonly inFlightAtStart: number;
  /** The length of its answer. */
  readonly tokens: number;
}

/** Decides when attempts may be sent. */
export interface SimulatedGate {
  /** Whether an attempt may be sent now, in addition to those in flight. */
  mayStart(inFlight: number): boolean;
  /** How long until it can allow an attempt if nothing else happens, in ms. @default 100 */
  delayMs?(): number;
  /** An attempt was sent. */
  started?(attempt: SimulatedAttempt): void;
  /** An attempt was answered. `inFlight` includes it. */
  answered(attempt: SimulatedAttempt, inFlight: number): void;
  /** An attempt was refused for load. `inFlight` includes it. */
  refused(attempt: SimulatedAttempt, inFlight: number): void;
  /** Time has passed. */
  tick(): void;
}

/** A limit alone. */
export function limitGate(limit: ConcurrencyLimit): SimulatedGate {
  return {
    mayStart: (inFlight) => inFlight < limit.value,
    answered: ({ startedAt, tokens }, inFlight) => limit.answered({ startedAt, inFlight, tokens }),
    refused: ({ startedAt }, inFlight) => limit.congested({ startedAt, inFlight }),
    tick: () => limit.tick(),
  };
}

/** Always the same number in flight. */
export function fixedGate(concurrency: number): SimulatedGate {
  return {
    mayStart: (inFlight) => inFlight < concurrency,
    answered: () => {},
    refused: () => {},
    tick: () => {},
  };
}

/** A server that answers in simulated time. */
export interface SimulatedServer {
  /** Takes an attempt, or returns false to refuse it. */
  take(now: number, attempt: SimulatedAttempt): boolean;
  /** When the next answer will be ready, if nothing else happens; undefined without attempts. */
  nextAt(now: number): number | undefined;
  /** Returns the answer that is ready. */
  finish(now: number): SimulatedAttempt;
}

/** The interval at which time passes for the gate, in ms. */
const TICK_MS = 100;
/** How long a refusal takes, in ms. */
const REFUSAL_MS = 20;

/** A shorter delay would be lost when it is added to the time. */
const LEAST_DELAY_MS = 0.1;

/** The result of a period of time. */
export interface SimulatedStretch {
  /** Answers per second. */
  readonly answersPerS: number;
  /** Tokens per second. */
  readonly tokensPerS: number;
  /** Refused attempts. */
  readonly refused: number;
}

/** One run. */
export class SimulatedLoad {
  readonly #time: SimulatedTime;
  readonly #server: SimulatedServer;
  readonly #gate: SimulatedGate;
  readonly #tokens: () => number;
  readonly #refusals: { at: number; attempt: SimulatedAttempt }[] = [];
  #tickAt: number;
  #sent = 0;
  /** Attempts in flight. */
  inFlight = 0;

  /** `tokens` is asked for the length of each answer. */
  constructor(
    time: SimulatedTime,
    server: SimulatedServer,
    gate: SimulatedGate,
    tokens: () => number = () => 1,
  ) {
    this.#time = time;
    this.#server = server;
    this.#gate = gate;
    this.#tokens = tokens;
    this.#tickAt = time.now + TICK_MS;
  }

  /** Lets `seconds` pass. */
  run(seconds: number): SimulatedStretch {
    const untilMs = this.#time.now + seconds * 1_000;
    let answers = 0, tokens = 0, refused = 0;
    this.#send();
    while (true) {
      const readyAt = this.#server.nextAt(this.#time.now) ?? Infinity;
      const refusedAt = this.#refusals[0]?.at ?? Infinity;
      const delayMs = this.#gate.delayMs?.() ?? 0;
      const allowedAt = delayMs > 0 ? this.#time.now + Math.max(LEAST_DELAY_MS, delayMs) : Infinity;
      const at = Math.min(readyAt, refusedAt, this.#tickAt, allowedAt);
      if (at > untilMs) break;
      this.#time.now = at;
      if (at === this.#tickAt) {
        this.#tickAt += TICK_MS;
        this.#gate.tick();
      } else if (at === readyAt) {
        const attempt = this.#server.finish(at);
        answers++;
        tokens += attempt.tokens;
        this.#gate.answered(attempt, this.inFlight--);
      } else if (at === refusedAt) {
        const { attempt } = this.#refusals.shift()!;
        refused++;
        this.#gate.refused(attempt, this.inFlight--);
      }
      this.#send();
    }
    this.#time.now = untilMs;
    return { answersPerS: answers / seconds, tokensPerS: tokens / seconds, refused };
  }

  #send(): void {
    const now = this.#time.now;
    while (this.#gate.mayStart(this.inFlight)) {
      const attempt = {
        ticket: ++this.#sent,
        startedAt: now,
        inFlightAtStart: this.inFlight,
        tokens: this.#tokens(),
      };
      this.inFlight++;
      this.#gate.started?.(attempt);
      if (!this.#server.take(now, attempt)) {
        this.#refusals.push({ at: now + REFUSAL_MS, attempt });
      }
    }
  }
}

/**
 * Processes up to `capacity` attempts at the same time, each for its own time, and refuses the
 * rest.
 */
export class RefusingServer implements SimulatedServer {
  readonly #ready = new BinaryHeap<{ at: number; attempt: SimulatedAttempt }>((a, b) =>
    a.at - b.at
  );
  readonly #latencyMs: () => number;
  /** Attempts that it answers at once; those it has already are answered. */
  capacity: number;

  /** `latencyMs` is asked once for each attempt. */
  constructor(capacity: number, latencyMs: () => number) {
    this.capacity = capacity;
    this.#latencyMs = latencyMs;
  }

  take(now: number, attempt: SimulatedAttempt): boolean {
    if (this.#ready.length >= this.capacity) return false;
    this.#ready.push({ at: now + this.#latencyMs(), attempt });
    return true;
  }

  nextAt(): number | undefined {
    return this.#ready.peek()?.at;
  }

  finish(): SimulatedAttempt {
    return this.#ready.pop()!.attempt;
  }
}

/**
 * Never refuses: processes `slots` attempts at the same time, each at `tokensPerS`, and queues the
 * rest.
 */
export class QueueingServer implements SimulatedServer {
  readonly #ready = new BinaryHeap<{ at: number; attempt: SimulatedAttempt }>((a, b) =>
    a.at - b.at
  );
  readonly #queue: SimulatedAttempt[] = [];
  readonly #tokensPerS: number;
  /** Attempts that it works on at once. */
  slots: number;

  constructor(slots: number, tokensPerS: number) {
    this.slots = slots;
    this.#tokensPerS = tokensPerS;
  }

  take(now: number, attempt: SimulatedAttempt): boolean {
    this.#queue.push(attempt);
    this.#work(now);
    return true;
  }

  nextAt(): number | undefined {
    return this.#ready.peek()?.at;
  }

  finish(now: number): SimulatedAttempt {
    const { attempt } = this.#ready.pop()!;
    this.#work(now);
    return attempt;
  }

  #work(now: number): void {
    while (this.#ready.length < this.slots && this.#queue.length > 0) {
      const attempt = this.#queue.shift()!;
      this.#ready.push({ at: now + 1_000 * attempt.tokens / this.#tokensPerS, attempt });
    }
  }
}

/** Never refuses and processes all attempts at the same time; the more there are, the slower each
 * of them gets. `speed` gives the tokens a second of one attempt among `inFlight`. */
export class BatchingServer implements SimulatedServer {
  /** Ready when each attempt in the batch has this number of tokens, counted from the start. */
  readonly #ready = new BinaryHeap<{ at: number; attempt: SimulatedAttempt }>((a, b) =>
    a.at - b.at
  );
  readonly #speed: (inFlight: number) => number;
  #tokensEach = 0;
  #countedAt = 0;

  constructor(speed: (inFlight: number) => number) {
    this.#speed = speed;
  }

  take(now: number, attempt: SimulatedAttempt): boolean {
    this.#pass(now);
    this.#ready.push({ at: this.#tokensEach + attempt.tokens, attempt });
    return true;
  }

  nextAt(now: number): number | undefined {
    this.#pass(now);
    const next = this.#ready.peek();
    if (next === undefined) return undefined;
    const left = Math.max(0, next.at - this.#tokensEach);
    return now + 1_000 * left / this.#speed(this.#ready.length);
  }

  finish(now: number): SimulatedAttempt {
    this.#pass(now);
    return this.#ready.pop()!.attempt;
  }

  #pass(now: number): void {
    const seconds = (now - this.#countedAt) / 1_000;
    if (this.#ready.length > 0) this.#tokensEach += seconds * this.#speed(this.#ready.length);
    this.#countedAt = now;
  }
}
