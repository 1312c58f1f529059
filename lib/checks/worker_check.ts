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
  NOTE_COUNT,
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

/** How long each check of an answer may take: the schema, then the pattern. */
const MAX_CHECK_MS = 1_000;
/**
 * The run is halted when this many answers in a row exceed `MAX_CHECK_MS` or crash the worker.
 */
const MAX_FAILURES_IN_A_ROW = 3;
/** How often the worker's notes are read. */
const POLL_MS = 50;
/**
 * The longest time that counts between two polls: what delayed this thread may have delayed the
 * worker, too.
 */
const MAX_POLL_MS = 2 * POLL_MS;
const MAX_BATCH_ANSWERS = 256;
/** A batch takes no more answers once it holds this many characters. */
const MAX_BATCH_CHARS = 4_000_000;

/** An answer that waits for its verdict. */
interface QueuedAnswer {
  readonly text: string;
  readonly hasToolCalls: boolean;
  readonly resolve: (verdict: Verdict) => void;
}

/** What the worker was doing at the last poll. */
interface Watch {
  readonly timer: ReturnType<typeof setInterval>;
  /** Time of the last poll, by `performance.now()`. */
  polledMs: number;
  answer: number;
  phase: number;
  /** How long the worker has been at the same answer and phase. */
  elapsedMs: number;
}

/**
 * Not called: with this import, Deno downloads the worker together with the program. Nodes of a
 * cluster may have no network.
 */
export const importWorker = (): Promise<unknown> => import("./worker.ts");

/** Queues answers and checks them in a worker. */
export class WorkerCheck {
  readonly #options: WorkerCheckOptions;
  /**
   * The worker's notes (see `Note`). Each worker has an array of its own, because a terminated
   * worker may continue to write for some seconds.
   */
  #progress = new Int32Array(new SharedArrayBuffer(NOTE_COUNT * 4));
  #worker: Worker | undefined;
  #queue: QueuedAnswer[] = [];
  /**
   * Answers in the batch of a terminated worker before the one that failed: they were checked, but
   * their verdicts are lost.
   */
  #toRecheck: QueuedAnswer[] = [];
  /** The batch of the worker; undefined while it has none or is being started. */
  #batch: { readonly items: readonly QueuedAnswer[]; readonly isRecheck: boolean } | undefined;
  #isReady = false;
  #failuresInARow = 0;
  /** The verdict on all further answers; undefined while answers are checked. */
  #finalVerdict: Unchecked | undefined;
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
    const check = new WorkerCheck(options);
    const problem = await check.#start();
    if (problem === undefined) return check;
    check.close();
    throw new TypeError(`Cannot start the worker that checks answers: ${problem}`);
  }

  /** Queues an answer; resolves with its verdict. */
  readonly check = ({ response, toolCalls }: Completion): Promise<Verdict> => {
    if (this.#finalVerdict !== undefined) return Promise.resolve(this.#finalVerdict);
    return new Promise((resolve) => {
      const hasToolCalls = (toolCalls?.length ?? 0) > 0;
      this.#queue.push({ text: response ?? "", hasToolCalls, resolve });
      this.#send();
    });
  };

  /** Terminates the worker. Queued answers stay unchecked. */
  close(): void {
    this.#giveUp({ unchecked: "The run has ended before the answer was checked", isFinal: false });
  }

  #giveUp(verdict: Unchecked): void {
    this.#finalVerdict ??= verdict;
    this.#stop();
    const unchecked = [...this.#batch?.items ?? [], ...this.#toRecheck, ...this.#queue];
    this.#batch = undefined;
    this.#toRecheck = this.#queue = [];
    for (const { resolve } of unchecked) resolve(verdict);
  }

  #stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#isReady = false;
    clearInterval(this.#watch?.timer);
    this.#watch = undefined;
  }

  /**
   * Starts a worker. Resolves with the reason if it cannot start, or undefined once it is ready.
   */
  #start(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#progress = new Int32Array(new SharedArrayBuffer(NOTE_COUNT * 4)).fill(IDLE);
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

  /** Sends the worker its next batch, rechecks first, unless it has one or is not ready. Stops the
   * watch if no answer is left. */
  #send(): void {
    if (!this.#isReady || this.#batch !== undefined) return;
    const isRecheck = this.#toRecheck.length > 0;
    const items = takeBatch(isRecheck ? this.#toRecheck : this.#queue);
    if (items.length === 0) {
      clearInterval(this.#watch?.timer);
      this.#watch = undefined;
      return;
    }
    this.#batch = { items, isRecheck };
    const withToolCalls = items.flatMap(({ hasToolCalls }, index) => hasToolCalls ? index : []);
    const batch: Batch = { texts: items.map(({ text }) => text), withToolCalls };
    this.#worker!.postMessage(batch);
    this.#watch ??= {
      timer: setInterval(() => this.#poll(), POLL_MS),
      polledMs: performance.now(),
      answer: IDLE,
      phase: IDLE,
      elapsedMs: 0,
    };
  }

  #onReasons(reasons: Reasons): void {
    const { items, isRecheck } = this.#batch!;
    this.#batch = undefined;
    if (this.#watch !== undefined) this.#watch.answer = IDLE;
    if (!isRecheck) this.#failuresInARow = 0;
    for (const [index, { resolve }] of items.entries()) resolve(reasons.get(index));
    this.#send();
  }

  /** Gives up the answer that the worker is at if its check takes too long. */
  #poll(): void {
    const watch = this.#watch!;
    const nowMs = performance.now();
    const passedMs = Math.min(nowMs - watch.polledMs, MAX_POLL_MS);
    const answer = Atomics.load(this.#progress, Note.Answer);
    const phase = Atomics.load(this.#progress, Note.Phase);
    const isSame = answer !== IDLE && answer === watch.answer && phase === watch.phase;
    watch.elapsedMs = isSame ? watch.elapsedMs + passedMs : 0;
    watch.polledMs = nowMs;
    watch.answer = answer;
    watch.phase = phase;
    if (watch.elapsedMs >= MAX_CHECK_MS) this.#giveUpAnswer(answer, timeoutReason(phase));
  }

  #onCrash(message: string): void {
    if (this.#batch === undefined) return;
    const answer = Math.max(0, Atomics.load(this.#progress, Note.Answer));
    this.#giveUpAnswer(answer, `The answer could not be checked: ${message}`);
  }

  /** Gives up an answer of the batch, and replaces the worker. Halts after too many in a row. */
  #giveUpAnswer(index: number, reason: string): void {
    const { items, isRecheck } = this.#batch!;
    this.#stop();
    this.#batch = undefined;
    // The worker has checked the answers before this one since the last failure.
    if (index > 0 && !isRecheck) this.#failuresInARow = 0;
    this.#failuresInARow++;
    this.#toRecheck.unshift(...items.slice(0, index));
    this.#queue.unshift(...items.slice(index + 1));
    if (this.#failuresInARow < MAX_FAILURES_IN_A_ROW) {
      items[index].resolve({ unchecked: reason, isFinal: true });
      this.#restart();
      return;
    }
    const halt =
      `${MAX_FAILURES_IN_A_ROW} answers in a row could not be checked. The last one: ${reason}`;
    items[index].resolve({ unchecked: reason, isFinal: true, halt });
    const unchecked =
      "The answer was not checked, because the answers before it could not be checked";
    this.#giveUp({ unchecked, isFinal: false, halt });
  }

  #restart(): void {
    void this.#start().then((problem) => {
      if (problem === undefined || this.#finalVerdict !== undefined) return;
      const unchecked = `Cannot restart the worker that checks answers: ${problem}`;
      this.#giveUp({ unchecked, isFinal: false, halt: unchecked });
    });
  }
}

/** Removes the answers of the next batch from the front of a queue. */
function takeBatch(queue: QueuedAnswer[]): QueuedAnswer[] {
  const limit = Math.min(queue.length, MAX_BATCH_ANSWERS);
  let count = 0, chars = 0;
  while (count < limit && (count === 0 || chars < MAX_BATCH_CHARS)) {
    chars += queue[count++].text.length;
  }
  return queue.splice(0, count);
}

function timeoutReason(phase: number): string {
  const check = phase === Phase.Pattern
    ? "the reject pattern (--reject-pattern)"
    : "the JSON Schema (--json-schema)";
  return `Cannot check the answer for ${check}: the check takes more than ${
    MAX_CHECK_MS / 1_000
  } s. ` +
    "A nested repetition, as in (a+)+, can take exponential time: write a single one, as in a+";
}
