/**
 * Searches for the number of attempts in flight at which a teacher has the highest throughput.
 *
 * Servers of one's own (vLLM, SGLang) never send a 429: they queue. Latency says nothing, because it follows
 * the length of an answer, and limits that follow latency (TCP Vegas, Netflix's gradient) shrink when prompts
 * get harder. So this climbs the hill of goodput, as .NET's thread pool does: it compares the goodput of two
 * limits, one after the other, and keeps the better one. Windows are counted in answers, so that a lull makes
 * a window longer and not worse.
 *
 * @module
 */

/** The search begins here and goes no lower: with fewer in flight, a server that queues is no faster. A lower
 * ceiling has priority. */
export const EXPLORING_FROM = 32;

/** The step of a climb, and the steps up and down that are tried in turn from a good limit. If the step up
 * pays, the climb continues. */
const CLIMB = 2, UP = Math.SQRT2, DOWN = Math.SQRT1_2;
/** A higher limit is better where goodput grows with at least this power of it: by 7 % for twice the
 * limit. */
const WORTHWHILE_POWER = 0.1;
/** A lower limit is as good if this share of the goodput is left. A wrong step down costs more than a right one
 * saves. */
const AS_GOOD = 0.99;
/** Where the mean length of answers differs by this factor, two windows are not comparable. */
const REGIME_FACTOR = 1.5;
/** Answers in a window, as a multiple of what may be in flight. */
const WINDOW_TURNOVERS = 2;
/** The shortest window, in ms. */
const WINDOW_MIN_MS = 2_000;
/** Windows at a limit that no step has improved, before the next step is tried; ± 25 %, so that two runs at one
 * teacher do not step together. A step down costs 30 % of 3 turnovers in about 50. */
const HOLD_WINDOWS = 8;

/** Settings and dependencies of `HillClimb`. */
export interface HillClimbOptions {
  /** The highest limit. */
  readonly ceiling: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
}

/** The goodput of one window. */
interface Goodput {
  /** Completion tokens a second; answers a second where the teacher counts no tokens. */
  readonly perSecond: number;
  /** 0 if the teacher counts none. */
  readonly tokensPerAnswer: number;
}

/** Chooses a limit by its goodput. */
export class HillClimb {
  readonly #options: HillClimbOptions;
  #ceiling: number;
  /** The best limit so far. */
  #held: number;
  /** The goodput at the best limit, measured last. */
  #reference: Goodput | undefined;
  /** The limit in force: the best one, or one that is being tried. */
  #limit: number;
  /** The factor for the next step from the best limit. */
  #step = CLIMB;
  #windowsToHold = 1;
  #window: Window;

  /** Starts at 32, or at the ceiling where that is lower. */
  constructor(options: HillClimbOptions) {
    this.#options = options;
    this.#ceiling = options.ceiling;
    this.#held = this.#limit = Math.min(EXPLORING_FROM, options.ceiling);
    this.#window = Window.afterSettling(this.#limit);
  }

  /** How many attempts may be in flight. */
  get limit(): number {
    return this.#limit;
  }

  /** Sets the highest limit. */
  setCeiling(ceiling: number): void {
    this.#ceiling = ceiling;
    if (ceiling < this.#limit) this.#limit = ceiling;
    this.interrupted();
  }

  /** An answer came while this limit was what kept more from being sent. */
  answered(tokens: number): void {
    const now = this.#options.now();
    const goodput = this.#window.answered(now, tokens);
    if (goodput === undefined) return;
    if (this.#limit === this.#held) this.#hold(goodput, now);
    else this.#compare(goodput);
  }

  /** Restarts the current window: too little was in flight. */
  discard(): void {
    this.#window = Window.afterSettling(this.#limit);
  }

  /** Another part has changed what is in flight: keeps the limit, and forgets what was measured. */
  interrupted(): void {
    this.#held = this.#limit;
    this.#reference = undefined;
    this.#step = CLIMB;
    this.#windowsToHold = 1;
    this.discard();
  }

  /** A window at the best limit has ended: the last one before a step is what the step is compared with. */
  #hold(goodput: Goodput, now: number): void {
    this.#reference = goodput;
    this.#windowsToHold--;
    this.#window = Window.from(this.#limit, now);
    if (this.#windowsToHold <= 0) this.#try();
  }

  /** A window at a limit that is being tried has ended. */
  #compare(goodput: Goodput): void {
    const reference = this.#reference;
    if (reference === undefined || !areComparable(goodput, reference)) {
      this.#goBack(1);
      return;
    }
    const wanted = this.#step > 1 ? this.#step ** WORTHWHILE_POWER : AS_GOOD;
    if (goodput.perSecond >= wanted * reference.perSecond) {
      this.#held = this.#limit;
      this.#reference = goodput;
      if (this.#step === UP) this.#step = CLIMB;
      this.#try();
    } else {
      this.#goBack(this.#step === CLIMB ? 1 : this.#holdLength());
      this.#turnAround();
    }
  }

  /** Tries the next limit. If the step does not change it, another step is tried later. */
  #try(): void {
    const floor = Math.min(EXPLORING_FROM, this.#ceiling);
    const wanted = Math.round(this.#held * this.#step);
    this.#limit = Math.max(floor, Math.min(this.#ceiling, wanted));
    if (this.#limit === this.#held) {
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
    this.#limit = this.#held;
    this.#windowsToHold = windowsToHold;
    this.discard();
  }
}

/** Counts answers and tokens until there are enough to measure the goodput. */
class Window {
  /** Attempts in flight: this many answers are one turnover. */
  readonly #inFlight: number;
  /** When the window began; undefined while answers of the previous limit come in. */
  #startedAt: number | undefined;
  #answers = 0;
  #tokens = 0;

  private constructor(inFlight: number, startedAt?: number) {
    this.#inFlight = inFlight;
    this.#startedAt = startedAt;
  }

  /** A window that begins at once. */
  static from(inFlight: number, now: number): Window {
    return new Window(inFlight, now);
  }

  /** A window that begins after one turnover, when all that was in flight has been answered. */
  static afterSettling(inFlight: number): Window {
    return new Window(inFlight);
  }

  /** Counts an answer. Returns the goodput when the window ends. It ends after whole turnovers only: answers to
   * requests that were sent together arrive together, and half of them would mislead. */
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

/** Whether the answers of two windows have similar lengths. */
function areComparable(a: Goodput, b: Goodput): boolean {
  const longer = Math.max(a.tokensPerAnswer, b.tokensPerAnswer);
  return longer <= REGIME_FACTOR * Math.min(a.tokensPerAnswer, b.tokensPerAnswer);
}
