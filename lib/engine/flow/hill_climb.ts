/**
 * Searches for the number of attempts in flight at which a teacher has the highest throughput.
 *
 * Servers that users run themselves (vLLM, SGLang) queue requests and never send a 429. Latency
 * grows with the length of answers, so limits that follow latency (TCP Vegas, Netflix's gradient)
 * shrink when prompts get harder. Like .NET's thread pool, this search climbs the hill of goodput,
 * measured as tokens per second of answers. It compares the goodput of two limits and keeps the
 * better limit. A measurement window lasts for a number of answers rather than a time, so a lull
 * makes the window longer instead of less accurate.
 *
 * @module
 */

import type { LoadControlOptions } from "./load_control.ts";

/** The limit at which the search begins, and its minimum. With fewer attempts in flight, a server
 * that queues requests is no faster. */
const MIN_EXPLORED_LIMIT = 32;

/** The factor of each step as long as steps increase goodput. */
const CLIMB = 2;
/** The factors of steps from a good limit, tried alternately. If a step increases goodput, the
 * climb continues. */
const UP = Math.SQRT2;
const DOWN = Math.SQRT1_2;
/** A higher limit is better if goodput grows with at least this power of the limit: twice the limit
 * must increase goodput by 7 %. */
const WORTHWHILE_POWER = 0.1;
/** A lower limit is kept if this fraction of the goodput remains. A wrong step down costs more than
 * a right step down saves. */
const AS_GOOD_FRACTION = 0.99;
/** Two windows are not comparable if their mean answer lengths differ by more than this factor. */
const MAX_LENGTH_FACTOR = 1.5;
/** A window has at least this number of answers for each attempt in flight. */
const WINDOW_TURNOVERS = 2;
const WINDOW_MIN_MS = 2_000;
/** After a step by `UP` or `DOWN` that did not pay, the limit stays the same for this number of
 * windows. The number varies by 25 %, so that two runs do not step at the same time. Steps down,
 * which may lower goodput by 30 %, then take only 8 % of the time. */
const HOLD_WINDOWS = 8;

type HillClimbOptions = Pick<LoadControlOptions, "ceiling" | "now" | "random">;

interface Goodput {
  /** Completion tokens per second, or answers per second if the teacher reports no tokens. */
  readonly perSecond: number;
  /** 0 if the teacher reports no tokens. */
  readonly tokensPerAnswer: number;
}

export class HillClimb {
  readonly #options: HillClimbOptions;
  #ceiling: number;
  #bestLimit: number;
  #goodputAtBest: Goodput | undefined;
  #limit: number;
  #step = CLIMB;
  #windowsToHold = 1;
  #window: Window;

  constructor(options: HillClimbOptions) {
    this.#options = options;
    this.#ceiling = options.ceiling;
    this.#bestLimit = this.#limit = Math.min(MIN_EXPLORED_LIMIT, options.ceiling);
    this.#window = new Window(this.#limit);
  }

  get limit(): number {
    return this.#limit;
  }

  setCeiling(ceiling: number): void {
    const lower = Math.min(ceiling, this.#ceiling), isSame = ceiling === this.#ceiling;
    this.#ceiling = ceiling;
    // A change of a teacher's weight also sets the ceiling, even if the ceiling stays the same.
    if (isSame || Math.max(this.#limit, this.#bestLimit) < lower) return;
    this.#limit = Math.min(ceiling, this.#limit);
    this.interrupted();
  }

  /** Called for each answer while the limit is the bottleneck. */
  answered(tokens: number): void {
    const now = this.#options.now();
    const goodput = this.#window.answered(now, tokens);
    if (goodput === undefined) return;
    if (this.#limit === this.#bestLimit) this.#hold(goodput, now);
    else this.#compare(goodput);
  }

  /** Begins a new window because the current one is not comparable: too little was in flight, or
   * the limit has changed. */
  discard(): void {
    this.#window = new Window(this.#limit);
  }

  /** Keeps the limit and forgets all measurements, because something else has changed the number of
   * attempts in flight. */
  interrupted(): void {
    this.#bestLimit = this.#limit;
    this.#goodputAtBest = undefined;
    this.#step = CLIMB;
    this.#windowsToHold = 1;
    this.discard();
  }

  /** Called when a window at the best limit has ended. The goodput of the next step is compared
   * with `goodput`. */
  #hold(goodput: Goodput, now: number): void {
    this.#goodputAtBest = goodput;
    this.#windowsToHold--;
    this.#window = new Window(this.#limit, now);
    if (this.#windowsToHold <= 0) this.#takeStep();
  }

  #compare(goodput: Goodput): void {
    const reference = this.#goodputAtBest;
    if (reference === undefined || !areComparable(goodput, reference)) {
      this.#goBack(1);
      return;
    }
    const factor = this.#step > 1 ? this.#step ** WORTHWHILE_POWER : AS_GOOD_FRACTION;
    if (goodput.perSecond >= factor * reference.perSecond) {
      this.#bestLimit = this.#limit;
      this.#goodputAtBest = goodput;
      if (this.#step === UP) this.#step = CLIMB;
      this.#takeStep();
    } else {
      this.#goBack(this.#step === CLIMB ? 1 : this.#holdLength());
      this.#turnAround();
    }
  }

  /** Takes the next step. If the step would not change the limit, holds the limit and reverses the
   * direction. */
  #takeStep(): void {
    const floor = Math.min(MIN_EXPLORED_LIMIT, this.#ceiling);
    const next = Math.round(this.#bestLimit * this.#step);
    this.#limit = Math.max(floor, Math.min(this.#ceiling, next));
    if (this.#limit === this.#bestLimit) {
      this.#windowsToHold = this.#holdLength();
      this.#turnAround();
    } else {
      this.discard();
    }
  }

  #turnAround(): void {
    this.#step = this.#step === UP ? DOWN : UP;
  }

  #holdLength(): number {
    return HOLD_WINDOWS * (0.75 + this.#options.random() / 2);
  }

  #goBack(windowsToHold: number): void {
    this.#limit = this.#bestLimit;
    this.#windowsToHold = windowsToHold;
    this.discard();
  }
}

class Window {
  readonly #inFlight: number;
  /** When the window began; undefined while answers to attempts under the previous limit arrive. */
  #startedAt: number | undefined;
  #answers = 0;
  #tokens = 0;

  /** @param startedAt When the window begins, if everything in flight was sent under this limit. If
   * omitted, the window begins after one answer for each attempt in flight. */
  constructor(inFlight: number, startedAt?: number) {
    this.#inFlight = inFlight;
    this.#startedAt = startedAt;
  }

  /** Returns the goodput if the window ends with this answer. A window ends only at a multiple of
   * the attempts in flight: requests that are sent together are answered together, and counting
   * only part of these answers would distort the goodput. */
  answered(now: number, tokens: number): Goodput | undefined {
    this.#answers++;
    if (this.#startedAt === undefined) {
      if (this.#answers < this.#inFlight) return undefined;
      this.#startedAt = now;
      this.#answers = 0;
      return undefined;
    }
    this.#tokens += tokens;
    const elapsedMs = now - this.#startedAt;
    if (this.#answers % this.#inFlight !== 0 || elapsedMs < WINDOW_MIN_MS) return undefined;
    if (this.#answers < WINDOW_TURNOVERS * this.#inFlight) return undefined;
    return {
      perSecond: 1_000 * (this.#tokens > 0 ? this.#tokens : this.#answers) / elapsedMs,
      tokensPerAnswer: this.#tokens / this.#answers,
    };
  }
}

function areComparable(a: Goodput, b: Goodput): boolean {
  const longer = Math.max(a.tokensPerAnswer, b.tokensPerAnswer);
  return longer <= MAX_LENGTH_FACTOR * Math.min(a.tokensPerAnswer, b.tokensPerAnswer);
}
