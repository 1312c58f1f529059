/**
 * Checks answers in a worker, many at a time, and replaces the worker when an answer takes too
 * long.
 *
 * @module
 */

import type { Completion } from "../teacher/mod.ts";
import {
  type Batch,
  IDLE,
  Note,
  NOTES,
  Phase,
  type Ready,
  type Reasons,
  type Setup,
  type Unchecked,
  type Verdict,
} from "./check.ts";

export interface WorkerCheckOptions {
  readonly pattern: RegExp | undefined;
  /** A schema that compiles; undefined if there is none. */
  readonly jsonSchema: unknown;
}

/** The longest check of one answer, in milliseconds. */
const MOST_MS = 1_000;
/**
 * Answers in a row that take longer than `MOST_MS`, or crash the worker, before the run is halted.
 */
const MOST_IN_A_ROW = 3;
const WATCH_MS = 50;
/**
 * The most time that counts between two looks: if this thread was delayed, the worker may have been
 * delayed too.
 */
const MOST_WATCH_MS = 2 * WATCH_MS;
/** The most answers in a batch for the worker. */
const BATCH_ANSWERS = 256;
/** A batch takes no more answers once it holds this many characters. */
const BATCH_CHARS = 4_000_000;

/** An answer that waits for its verdict. */
interface Waiting {
  readonly text: string;
  readonly hasToolCalls: boolean;
  readonly resolve: (verdict: Verdict) => void;
}

/** What the worker was doing at the last look. */
interface Watch {
  readonly timer: ReturnType<typeof setInterval>;
  /** The time of that look: a monotonic clock, in milliseconds. */
  at: number;
  answer: number;
  phase: number;
  /** How long the worker has been at the same answer and phase, in milliseconds. */
  forMs: number;
}

/** Runs checks in a worker, with a queue of answers. */
export class WorkerCheck {
  readonly #options: WorkerCheckOptions;
  /**
   * The worker's notes (see `Note`). Each worker has its own: one that was terminated may write for
   * some seconds more.
   */
  #progress = new Int32Array(new SharedArrayBuffer(NOTES * 4));
  #worker: Worker | undefined;
  #waiting: Waiting[] = [];
  /**
   * Answers of a terminated worker that come before the one that took too long: they were checked,
   * but their verdicts are lost.
   */
  #again: Waiting[] = [];
  /** The batch of the worker; undefined while it has none or is being started. */
  #batch: { readonly items: readonly Waiting[]; readonly isAgain: boolean } | undefined;
  #isReady = false;
  #tooLong = 0;
  #end: Unchecked | undefined;
  #watch: Watch | undefined;

  private constructor(options: WorkerCheckOptions) {
    this.#options = options;
  }

  /**
   * Starts the worker.
   *
   * @throws {TypeError} when it cannot be started
   */
  static async start(options: WorkerCheckOptions): Promise<WorkerCheck> {
    const made = new WorkerCheck(options);
    const problem = await made.#start();
    if (problem === undefined) return made;
    made.close();
    throw new TypeError(`Cannot start the worker that checks answers: ${problem}`);
  }

  readonly check = ({ response, toolCalls }: Completion): Promise<Verdict> => {
    if (this.#end !== undefined) return Promise.resolve(this.#end);
    return new Promise((resolve) => {
      const hasToolCalls = (toolCalls?.length ?? 0) > 0;
      this.#waiting.push({ text: response ?? "", hasToolCalls, resolve });
      this.#send();
    });
  };

  /** Terminates the worker. Answers that wait stay unchecked. */
  close(): void {
    this.#giveUp({ unchecked: "The run has ended before the answer was checked", isFinal: false });
  }

  #giveUp(end: Unchecked): void {
    this.#end ??= end;
    this.#stop();
    const left = [...this.#batch?.items ?? [], ...this.#again, ...this.#waiting];
    this.#batch = undefined;
    this.#again = this.#waiting = [];
    for (const { resolve } of left) resolve(end);
  }

  #stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#isReady = false;
    clearInterval(this.#watch?.timer);
    this.#watch = undefined;
  }

  /** Returns why the worker cannot be started, or undefined once it is ready. */
  #start(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#progress = new Int32Array(new SharedArrayBuffer(NOTES * 4)).fill(IDLE);
    try {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      this.#worker = worker;
      worker.onerror = (event) => {
        event.preventDefault();
        resolve(event.message);
        if (this.#worker === worker) this.#onCrash(event.message);
      };
      worker.onmessage = ({ data }: MessageEvent<Ready>) => {
        worker.onmessage = ({ data }: MessageEvent<Reasons>) => {
          // The worker may have been terminated while the message was on its way.
          if (this.#worker === worker) this.#onReasons(data);
        };
        this.#isReady = data.problem === undefined;
        resolve(data.problem);
        this.#send();
      };
      worker.postMessage(this.#setup());
    } catch (error) {
      resolve(String(error));
    }
    return promise;
  }

  #setup(): Setup {
    const { pattern, jsonSchema } = this.#options;
    return {
      pattern: pattern && [pattern.source, pattern.flags],
      jsonSchema: jsonSchema === undefined ? undefined : JSON.stringify(jsonSchema),
      progress: this.#progress.buffer as SharedArrayBuffer,
    };
  }

  /** Gives the worker the next batch, unless it has one. */
  #send(): void {
    if (!this.#isReady || this.#batch !== undefined) return;
    const isAgain = this.#again.length > 0;
    const items = take(isAgain ? this.#again : this.#waiting);
    if (items.length === 0) {
      clearInterval(this.#watch?.timer);
      this.#watch = undefined;
      return;
    }
    this.#batch = { items, isAgain };
    const withToolCalls = items.flatMap(({ hasToolCalls }, place) => hasToolCalls ? place : []);
    const batch: Batch = { texts: items.map(({ text }) => text), withToolCalls };
    this.#worker!.postMessage(batch);
    this.#watch ??= {
      timer: setInterval(() => this.#look(), WATCH_MS),
      at: performance.now(),
      answer: IDLE,
      phase: IDLE,
      forMs: 0,
    };
  }

  #onReasons(reasons: Reasons): void {
    const { items, isAgain } = this.#batch!;
    this.#batch = undefined;
    if (this.#watch !== undefined) this.#watch.answer = IDLE;
    if (!isAgain) this.#tooLong = 0;
    for (const [place, { resolve }] of items.entries()) resolve(reasons.get(place));
    this.#send();
  }

  /** Checks whether the worker is still at the same answer. */
  #look(): void {
    const watch = this.#watch!;
    const now = performance.now();
    const passedMs = Math.min(now - watch.at, MOST_WATCH_MS);
    const answer = Atomics.load(this.#progress, Note.Answer);
    const phase = Atomics.load(this.#progress, Note.Phase);
    const isSame = answer !== IDLE && answer === watch.answer && phase === watch.phase;
    watch.forMs = isSame ? watch.forMs + passedMs : 0;
    watch.at = now;
    watch.answer = answer;
    watch.phase = phase;
    if (watch.forMs >= MOST_MS) this.#onTooLong(answer, tooLong(phase));
  }

  #onCrash(message: string): void {
    if (this.#batch === undefined) return;
    const answer = Math.max(0, Atomics.load(this.#progress, Note.Answer));
    this.#onTooLong(answer, `The answer could not be checked: ${message}`);
  }

  /** Gives up an answer of the batch, and replaces the worker. */
  #onTooLong(place: number, reason: string): void {
    const { items, isAgain } = this.#batch!;
    this.#stop();
    this.#batch = undefined;
    // The worker has checked other answers since the last one that took too long.
    if (place > 0 && !isAgain) this.#tooLong = 0;
    this.#tooLong++;
    this.#again.unshift(...items.slice(0, place));
    this.#waiting.unshift(...items.slice(place + 1));
    if (this.#tooLong < MOST_IN_A_ROW) {
      items[place].resolve({ unchecked: reason, isFinal: true });
      this.#restart();
      return;
    }
    const halt = `${MOST_IN_A_ROW} answers in a row could not be checked. The last one: ${reason}`;
    items[place].resolve({ unchecked: reason, isFinal: true, halt });
    const unchecked = "The answer was not checked, as those before it could not be checked";
    this.#giveUp({ unchecked, isFinal: false, halt });
  }

  #restart(): void {
    void this.#start().then((problem) => {
      if (problem === undefined || this.#end !== undefined) return;
      const unchecked = `The worker that checks answers cannot be started again: ${problem}`;
      this.#giveUp({ unchecked, isFinal: false, halt: unchecked });
    });
  }
}

/** Takes the answers of the next batch. */
function take(from: Waiting[]): Waiting[] {
  let count = 0, chars = 0;
  while (count < from.length && count < BATCH_ANSWERS && (count === 0 || chars < BATCH_CHARS)) {
    chars += from[count++].text.length;
  }
  return from.splice(0, count);
}

function tooLong(phase: number): string {
  const what = phase === Phase.Pattern
    ? "the reject pattern (--reject-pattern)"
    : "the JSON Schema (--json-schema)";
  return `Cannot check the answer for ${what}: it takes more than ${
    MOST_MS / 1_000
  } s. A repetition ` +
    "inside of a repetition, as in (a+)+, takes exponential time: write it as one";
}
