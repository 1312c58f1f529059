/**
 * Checks answers in a worker, many at a time, and replaces it when an answer takes too long.
 *
 * @module
 */

import type { Completion } from "../teacher/mod.ts";
import type { Unchecked, Verdict } from "./checks.ts";

export interface WorkerCheckOptions {
  readonly pattern: RegExp | undefined;
  readonly jsonSchema: unknown;
}

/** The first message to the worker. It replies with "" once it can check answers, or with the
 * reason why it cannot. */
export interface Setup {
  readonly pattern: readonly [source: string, flags: string] | undefined;
  readonly jsonSchema: string | undefined;
  /** One 32-bit integer of shared memory: `IDLE`, or `2 * index` plus a `Phase` while the worker
   * checks the answer at `index` in its batch. */
  readonly progress: SharedArrayBuffer;
}

/** A later message to the worker. It replies with `Reasons`. */
export interface Batch {
  readonly texts: readonly string[];
  /** Indexes in `texts` of answers with tool calls. */
  readonly withToolCalls: readonly number[];
}

/** Reasons for rejection, by index in the batch; other answers pass. */
export type Reasons = ReadonlyMap<number, string>;

export const Phase = { Schema: 0, Pattern: 1 } as const;

export const IDLE = -1;

/** Maximum time for checking one answer against the schema or the pattern. */
const MAX_CHECK_MS = 1_000;
/** The run is halted when this many answers in a row take longer or crash the worker. */
const MAX_FAILURES_IN_A_ROW = 3;
const POLL_MS = 50;
/** Maximum time counted between two polls: a delay of this thread may delay the worker, too. */
const MAX_POLL_MS = 2 * POLL_MS;
const MAX_BATCH_ANSWERS = 256;
/** A batch is full once it has this many characters. */
const MAX_BATCH_CHARS = 4_000_000;

interface QueuedAnswer {
  readonly text: string;
  readonly hasToolCalls: boolean;
  readonly resolve: (verdict: Verdict) => void;
}

interface Watch {
  readonly timer: ReturnType<typeof setInterval>;
  polledAtMs: number;
  /** The last value of `Setup.progress`. */
  progress: number;
  unchangedMs: number;
}

export class WorkerCheck {
  readonly #options: WorkerCheckOptions;
  /** New for each worker, because a terminated one may continue to write for some seconds. */
  #progress!: Int32Array<SharedArrayBuffer>;
  #worker: Worker | undefined;
  #queue: QueuedAnswer[] = [];
  /** Answers to check again: a later answer of their batch took too long or crashed the worker. */
  #toRecheck: QueuedAnswer[] = [];
  #batch: { readonly items: readonly QueuedAnswer[]; readonly isRecheck: boolean } | undefined;
  #isReady = false;
  #failuresInARow = 0;
  /** The verdict on all further answers. */
  #finalVerdict: Unchecked | undefined;
  #watch: Watch | undefined;

  private constructor(options: WorkerCheckOptions) {
    this.#options = options;
  }

  static async start(options: WorkerCheckOptions): Promise<WorkerCheck> {
    const check = new WorkerCheck(options);
    const problem = await check.#start();
    if (problem === undefined) return check;
    check.close();
    throw new TypeError(`Cannot start the worker that checks answers: ${problem}`);
  }

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

  /** Resolves to undefined once the worker is ready, or to the reason why it cannot start. */
  #start(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#progress = new Int32Array(new SharedArrayBuffer(4)).fill(IDLE);
    try {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      this.#worker = worker;
      worker.onerror = (event) => {
        event.preventDefault();
        resolve(event.message);
        if (this.#worker === worker) this.#onCrash(event.message);
      };
      worker.onmessage = ({ data: problem }: MessageEvent<string>) => {
        worker.onmessage = ({ data }: MessageEvent<Reasons>) => {
          // The worker may have been terminated while the message was on its way.
          if (this.#worker === worker) this.#onReasons(data);
        };
        this.#isReady = problem === "";
        resolve(problem || undefined);
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
      progress: this.#progress.buffer,
    };
  }

  /** Sends the next batch if the worker is ready and idle. Answers to check again go first. */
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
      polledAtMs: performance.now(),
      progress: IDLE,
      unchangedMs: 0,
    };
  }

  #onReasons(reasons: Reasons): void {
    const { items, isRecheck } = this.#batch!;
    this.#batch = undefined;
    if (this.#watch !== undefined) this.#watch.progress = IDLE;
    if (!isRecheck) this.#failuresInARow = 0;
    for (const [index, { resolve }] of items.entries()) resolve(reasons.get(index));
    this.#send();
  }

  #poll(): void {
    const watch = this.#watch!;
    const nowMs = performance.now();
    const passedMs = Math.min(nowMs - watch.polledAtMs, MAX_POLL_MS);
    const progress = Atomics.load(this.#progress, 0);
    const isSame = progress !== IDLE && progress === watch.progress;
    watch.unchangedMs = isSame ? watch.unchangedMs + passedMs : 0;
    watch.polledAtMs = nowMs;
    watch.progress = progress;
    if (watch.unchangedMs >= MAX_CHECK_MS) {
      this.#giveUpAnswer(progress >> 1, timeoutReason(progress & 1));
    }
  }

  #onCrash(message: string): void {
    if (this.#batch === undefined) return;
    const answer = Math.max(0, Atomics.load(this.#progress, 0) >> 1);
    this.#giveUpAnswer(answer, `The answer could not be checked: ${message}`);
  }

  /** Fails one answer and replaces the worker. Halts the run instead if this is the third such
   * answer in a row. */
  #giveUpAnswer(index: number, reason: string): void {
    const { items, isRecheck } = this.#batch!;
    this.#stop();
    this.#batch = undefined;
    // The answers before this one were checked, so failures are counted anew.
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
  const seconds = MAX_CHECK_MS / 1_000;
  return `Cannot check the answer for ${check}: the check takes more than ${seconds} s. ` +
    "A nested repetition, as in (a+)+, can take exponential time: write a single one, as in a+";
}
