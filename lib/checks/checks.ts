/**
 * Defines what a check is, and creates the checks of a run from its options.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { compilePattern, jsonCheck, patternCheck, schemaCheck } from "./built_in_checks.ts";
import { inspect } from "node:util";

/** The verdict on an answer that could not be checked. */
interface Unchecked {
  /** Why the answer could not be checked. */
  readonly unchecked: string;
  /** Whether the row fails. Otherwise, it stays pending. The next run checks the answer, or
   * requests another one if the answer has `kept` fields. */
  readonly isFinal: boolean;
  /** Why the run is halted; undefined if it continues. */
  readonly halt?: string;
}

/** Why an answer is rejected or could not be checked; undefined if it passes. */
export type Verdict = string | Unchecked | undefined;

/** Attempts, latency and cost of a row so far, including this answer. */
export interface AnswerCost {
  readonly attempts: number;
  /** Milliseconds that the last attempt took. */
  readonly latencyMs: number;
  /** US dollars for all attempts; null if the cost of any attempt is unknown. */
  readonly costUsd: number | null;
}

/** Checks an answer before it is kept. Returns a promise only if the check is asynchronous.
 * Never throws or rejects. */
export type Check = (
  completion: Completion,
  row: Row,
  cost: AnswerCost,
) => Verdict | Promise<Verdict>;

export interface CheckOptions {
  /** Whether answers must be JSON. @default false */
  readonly requireJson?: boolean;
  /** The JSON Schema: an object or a boolean, alone or in a `response_format`. */
  readonly jsonSchema?: unknown;
  readonly rejectPattern?: string | RegExp;
  /** The caller's own check. @default none */
  readonly check?: Check;
  /** Whether patterns and schemas are checked on this thread: the bundle for Node has no file for a
   * worker. @default false */
  readonly checksOnThisThread?: boolean;
}

/** Disposing terminates the worker without waiting for the answer that it is checking. */
export interface Checks extends Disposable {
  readonly list: readonly Check[];
}

/**
 * Creates the checks, in this order: JSON or its schema, pattern, `check`. Patterns and schemas are
 * checked in a worker by default, because a regular expression can take hours for one answer.
 *
 * @throws {TypeError} when the JSON Schema is invalid, or no worker can be started
 * @throws {RangeError} when the pattern is empty or not a regular expression, or the schema names
 * an unknown draft
 */
export async function createChecks(options: CheckOptions): Promise<Checks> {
  const { requireJson = false, jsonSchema, rejectPattern, check } = options;
  // The pattern is compiled first, so that an invalid one is reported before the schema is
  // compiled, which takes longer.
  const pattern = rejectPattern === undefined ? undefined : compilePattern(rejectPattern);
  // The schema is compiled on this thread, too, so that an invalid one is reported before the first
  // call.
  const schema = jsonSchema === undefined ? undefined : await schemaCheck(jsonSchema);
  const json = schema === undefined && requireJson ? [jsonCheck()] : [];
  const slow = [schema, pattern && patternCheck(pattern)].filter((it) => it !== undefined);
  const callers = check === undefined ? [] : [check];
  if (slow.length === 0 || options.checksOnThisThread) {
    return { list: [...json, ...slow, ...callers], [Symbol.dispose]: () => {} };
  }
  const worker = await WorkerCheck.start({ pattern, jsonSchema: JSON.stringify(jsonSchema) });
  return { list: [...json, worker.check, ...callers], [Symbol.dispose]: () => worker.close() };
}

/** This function is never called. Because of its import, Deno downloads the worker together with
 * the program, as cluster nodes may have no network. */
export const importWorker = (): Promise<unknown> => import("./worker.ts");

/** The first message to the worker. It replies with "" once it can check answers, or with the
 * reason why it cannot. */
export interface Setup {
  readonly pattern: RegExp | undefined;
  /** A JSON Schema as JSON text. */
  readonly jsonSchema: string | undefined;
}

/** Every later message to the worker. It replies with a list of verdicts, one for each answer, up
 * to the first answer that could not be checked. */
export interface Batch {
  readonly texts: readonly string[];
  /** Indexes in `texts` of answers with tool calls. */
  readonly withToolCalls: readonly number[];
}

/** The run is halted when this many answers in a row could not be checked. */
const MAX_FAILURES_IN_A_ROW = 3;
const MAX_BATCH_ANSWERS = 256;
/** A batch is full once it has this many characters. */
const MAX_BATCH_CHARS = 4_000_000;

interface QueuedAnswer {
  readonly text: string;
  readonly hasToolCalls: boolean;
  readonly resolve: (verdict: Verdict) => void;
}

export class WorkerCheck {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  #queue: QueuedAnswer[] = [];
  /** The answers that the worker is checking now. */
  #batch: readonly QueuedAnswer[] = [];
  #failuresInARow = 0;
  /** The verdict on all further answers. */
  #finalVerdict: Unchecked | undefined;

  static async start(setup: Setup): Promise<WorkerCheck> {
    try {
      const check = new WorkerCheck();
      await check.#setUp(setup);
      return check;
    } catch (problem) {
      throw new TypeError(`Cannot start the worker that checks answers: ${problem}`);
    }
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
    this.#worker.terminate();
    const unchecked = [...this.#batch, ...this.#queue];
    this.#batch = this.#queue = [];
    for (const { resolve } of unchecked) resolve(verdict);
  }

  #setUp(setup: Setup): Promise<void> {
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => {
        event.preventDefault();
        reject(event.message);
        const halt = `The worker that checks answers has ended: ${event.message}`;
        this.#giveUp({ unchecked: halt, isFinal: false, halt });
      };
      worker.onmessage = ({ data: problem }: MessageEvent<string>) => {
        worker.onmessage = ({ data }: MessageEvent<Verdict[]>) => this.#onVerdicts(data);
        if (problem === "") return resolve();
        this.close();
        reject(problem);
      };
      worker.postMessage(setup);
    });
  }

  /** Sends the next batch if the worker is idle. */
  #send(): void {
    if (this.#batch.length > 0 || this.#queue.length === 0) return;
    const items = this.#batch = takeBatch(this.#queue);
    const withToolCalls = items.flatMap(({ hasToolCalls }, index) => hasToolCalls ? index : []);
    const batch: Batch = { texts: items.map(({ text }) => text), withToolCalls };
    this.#worker.postMessage(batch);
  }

  #onVerdicts(verdicts: readonly Verdict[]): void {
    // The worker may have been terminated while the message was on its way.
    if (this.#finalVerdict !== undefined) return;
    const items = this.#batch;
    this.#batch = [];
    this.#queue.unshift(...items.slice(verdicts.length));
    for (const [index, verdict] of verdicts.entries()) {
      if (typeof verdict !== "object") this.#failuresInARow = 0;
      else if (++this.#failuresInARow === MAX_FAILURES_IN_A_ROW) {
        return this.#halt(items[index], verdict);
      }
      items[index].resolve(verdict);
    }
    this.#send();
  }

  #halt({ resolve }: QueuedAnswer, last: Unchecked): void {
    const halt = `${MAX_FAILURES_IN_A_ROW} answers in a row could not be checked. ` +
      `The last one: ${last.unchecked}`;
    resolve({ ...last, halt });
    const unchecked =
      "The answer was not checked, because the answers before it could not be checked";
    this.#giveUp({ unchecked, isFinal: false, halt });
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

/** A row with its answer, as the `validate` of a `ResponseGenerator` gets it. Numbers of the row
 * are as `JSON.parse` reads them. The fields below replace fields of the row with the same name. */
export interface AnsweredRow {
  /** The id of the answer. */
  uid: string;
  /** The text of the answer; "" if it has none. */
  response: string;
  /** The reasoning; "" if the teacher sent none. */
  reasoning: string;
  /** The finish reason as the teacher sent it, such as `stop` or `tool_calls`; "" if it sent
   * none. */
  finish_reason: string;
  /** The tool calls in the OpenAI format; absent if there are none. */
  tool_calls?: readonly unknown[];
  /** The row's own fields. */
  [field: string]: unknown;
}

/** Called with each answer that passed the built-in checks. `true` or nothing keeps it; `false`, a
 * string (the reason) or an exception rejects it. */
export type Validate = (
  row: AnsweredRow,
) => boolean | string | void | Promise<boolean | string | void>;

export function validateCheck(validate: Validate): Check {
  return verdictCheck((completion, row) => validate(answeredRow(row, completion)));
}

/** Makes a check from a function. What it returns or throws means the same as in a `Validate`. */
export function verdictCheck(judge: (...answer: Parameters<Check>) => unknown): Check {
  return (...answer) => {
    try {
      const verdict = judge(...answer);
      return isPromiseLike(verdict)
        ? Promise.resolve(verdict).then(reasonOf, thrownReason)
        : reasonOf(verdict);
    } catch (error) {
      return thrownReason(error);
    }
  };
}

function answeredRow(row: Row, completion: Completion): AnsweredRow {
  // Spreading keeps a field named `__proto__` a field like any other.
  const { tool_calls: _, ...rowFields } = JSON.parse(row.text) as Record<string, unknown>;
  const fields: AnsweredRow = {
    ...rowFields,
    uid: row.uid,
    response: completion.response ?? "",
    reasoning: completion.reasoning ?? "",
    finish_reason: completion.finishReason ?? "",
  };
  const { toolCalls } = completion;
  if (toolCalls !== undefined && toolCalls.length > 0) fields.tool_calls = toolCalls;
  return fields;
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

function reasonOf(verdict: unknown): string | undefined {
  if (verdict === true || verdict === undefined || verdict === null) return undefined;
  if (verdict === false || verdict === "") return `validate() returned ${JSON.stringify(verdict)}`;
  if (typeof verdict === "string") return verdict;
  const returned = Array.isArray(verdict) ? "an array" : `a value of type ${typeof verdict}`;
  return `validate() must return true, false or a string: it returned ${returned}`;
}

function thrownReason(error: unknown): string {
  if (error instanceof Error) return `validate() threw: ${error.name}: ${error.message}`;
  // String() throws for some values, such as objects without a prototype.
  return `validate() threw: ${typeof error === "string" ? JSON.stringify(error) : inspect(error)}`;
}
