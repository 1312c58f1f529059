/** One attempt, which is one POST from its first byte to its result. A single object is the handler
 * for undici and holds the state. undici's `request()` would create a `Readable` for each answer,
 * which costs more than all of this code. @module */

import type { DispatchController, DispatchHandler } from "../deps/undici.ts";
import { changedError, TeacherError } from "../errors.ts";
import { isWholeAnswer, readAnswer } from "./answer.ts";
import type { AnswerContext } from "./completion.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { statusError } from "./error_response.ts";
import { type BodyReader, IncomingBody, tooLongError } from "./incoming_body.ts";
import {
  type Aborts,
  type Deadline,
  deadlineError,
  type Deadlines,
  networkError,
  type Stage,
  type TimedAttempt,
  type TimeLimits,
} from "./interruptions.ts";
import type { Address } from "./network.ts";
import { type HeaderFields, rateLimitOf, statesRateLimit } from "./rate_headers.ts";
import { type StreamHabits, StreamReader } from "./stream.ts";
import type { Completion } from "./teacher.ts";

export interface AttemptShared extends TimeLimits {
  readonly address: Address;
  readonly proxyHost: string | undefined;
  /** The header fields as alternating names and values. */
  readonly headers: string[];
  readonly connections: Connections;
  readonly deadlines: Deadlines;
  readonly aborts: Aborts;
  readonly streamHabits: StreamHabits;
}

/** One POST. After `start()`, `promise` is settled exactly once. */
export class Attempt implements DispatchHandler, BodyReader, TimedAttempt {
  readonly startedAt: number;
  readonly timeoutMs: number;
  lastTokenAt = -1;
  completeAt = -1;

  readonly #outcome = Promise.withResolvers<Completion>();
  readonly promise: Promise<Completion> = this.#outcome.promise;
  readonly #shared: AttemptShared;
  readonly #context: AnswerContext;
  readonly #signal: AbortSignal;
  #connection: Connection;
  /** The body of the request. Emptied when undici begins to write it, to free memory. */
  #requestBody = "";
  #controller: DispatchController | undefined;
  #isSettled = false;
  #isReleased = false;
  #status = 0;
  #isAnswer = false;
  /** When a response with rate-limit headers began; -1 if there are no such headers. */
  #headAt = -1;
  #headers: HeaderFields = {};
  #stream: StreamReader | undefined;
  #ttftMs: number | undefined;
  readonly #body = new IncomingBody(this);
  #connectionError: Error | undefined;

  /** Acquires a connection, but sends nothing yet. `timeoutMs` is the row's remaining time. */
  constructor(
    shared: AttemptShared,
    context: AnswerContext,
    signal: AbortSignal,
    timeoutMs: number = Infinity,
  ) {
    this.#shared = shared;
    this.#context = context;
    this.#signal = signal;
    this.startedAt = shared.deadlines.now();
    this.timeoutMs = Math.min(shared.timeoutMs, timeoutMs);
    this.#connection = shared.connections.acquire(shared.now());
  }

  get isConnected(): boolean {
    return this.#controller !== undefined;
  }

  /** Sends the request. First watches an idle connection, in case the server has closed it. */
  start(body: string): void {
    const { deadlines, aborts, connections } = this.#shared;
    deadlines.add(this);
    aborts.add(this.#signal, this);
    this.#requestBody = body;
    const watchMs = this.#connection.watchMs();
    if (watchMs > 0) connections.watchTimers.add(watchMs, () => this.#dispatch());
    else this.#dispatch();
  }

  abort(reason: unknown): void {
    this.#fail(reason);
    this.#endRequest();
  }

  expire(deadline: Deadline): void {
    this.#body.flush();
    this.onBodyEnd(
      deadlineError(deadline, this.#shared.address.host, this.timeoutMs, this.#shared),
    );
    this.#endRequest();
  }

  checkEnd(): void {
    if (this.#isSettled) return;
    const stream = this.#stream;
    if (stream !== undefined) {
      // The answer turns out to be incomplete if the stream continues, or if another stream shows
      // that this teacher ends streams only with `[DONE]`.
      if (!stream.isWhole) this.completeAt = -1;
      else if (this.completeAt < 0) this.completeAt = this.#shared.deadlines.now();
    } else if (this.#body.hasNewObject()) {
      if (this.#isAnswer && !isWholeAnswer(this.#body.text(), this.#context)) return;
      this.completeAt = this.#shared.deadlines.now();
      this.onBodyEnd(undefined);
    }
  }

  onRequestStart(controller: DispatchController): void {
    this.#controller = controller;
    this.#requestBody = "";
    // The attempt may have ended while the request was waiting for a connection.
    if (this.#isSettled) controller.abort(ENDED);
  }

  onResponseStart(_: DispatchController, status: number, headers: HeaderFields): void {
    // 1xx responses, such as 103, precede the actual response.
    if (status < 200) return;
    this.#connection.onHead(headers["keep-alive"]);
    this.#status = status;
    this.#isAnswer = status < 300;
    this.#headers = headers;
    this.#body.start(this.#isAnswer, headers);
    if (this.#isAnswer && statesRateLimit(headers)) this.#headAt = this.#shared.now();
  }

  onResponseData(_controller: DispatchController, chunk: Uint8Array): void {
    if (!this.#isSettled) this.#body.receive(chunk);
  }

  onResponseEnd(): void {
    this.#connection.onEnd();
    this.#release();
    if (!this.#isSettled) this.#body.finish();
  }

  /** undici calls this if it cannot connect, if the connection breaks, and after an abort. */
  onResponseError(_controller: DispatchController, error: Error): void {
    if (!this.#isSettled && !this.isConnected && this.#connection.wasOpenAtDispatch) {
      return this.#dispatchElsewhere();
    }
    const connectionError = this.isConnected ? this.#connection.interpret(error) : error;
    this.#release();
    if (this.#isSettled) return;
    this.#connectionError = connectionError;
    this.#body.finish();
  }

  onEvents(chunk: Uint8Array): void {
    if (this.#isSettled) return;
    const { streamHabits, deadlines } = this.#shared;
    const stream = this.#stream ??= new StreamReader(this.#status, this.#context, streamHabits);
    if (stream.feed(chunk)) {
      this.lastTokenAt = deadlines.now();
      this.#ttftMs ??= this.lastTokenAt - this.startedAt;
    }
    if (stream.error !== undefined) this.abort(stream.error);
    else if (stream.done) {
      // The response now has two seconds to end (`DRAIN_MS`).
      this.completeAt = deadlines.now();
      this.#answer(this.#completionOf(stream));
    }
  }

  onTooLong(): void {
    this.abort(this.#isAnswer ? tooLongError(this.#status) : this.#statusError());
  }

  onBodyEnd(error: Error | undefined = this.#connectionError): void {
    if (this.#isSettled) return;
    try {
      // The status decides, even if the body of an error response is incomplete.
      if (this.#status >= 300) this.#fail(this.#statusError());
      else if (error === undefined) this.#finish();
      else this.#finishEarly(error);
    } catch (failure) {
      const mayBeLines = this.#isAnswer && this.#stream === undefined;
      const areLines = mayBeLines && this.#body.readAsLines();
      // If the response broke off, its lines become the partial answer of the failure.
      if (areLines && error === undefined) this.onBodyEnd(undefined);
      else this.#fail(failure);
    }
  }

  #dispatch(): void {
    if (this.#isReleased) return;
    const { address: { origin, path }, headers } = this.#shared;
    const body = this.#requestBody;
    this.#connection.dispatch({ origin, method: "POST", path, headers, body }, this);
  }

  /** Sends the request on another connection. The closed socket received none of its bytes. */
  #dispatchElsewhere(): void {
    const { connections, now } = this.#shared, closed = this.#connection;
    this.#connection = connections.acquire(now());
    connections.release(closed);
    this.#dispatch();
  }

  /** Settles an attempt whose response did not end. Throws the reason if the answer is incomplete.
   * `error` is the error of the connection, or the `TeacherError` of a deadline. */
  #finishEarly(error: Error): void {
    const stream = this.#stream, isDeadline = error instanceof TeacherError;
    // A JSON object is complete once its last brace has arrived.
    if (stream === undefined && this.#body.holdsObject) this.#finish();
    // At a deadline, a stream with a finish reason counts as complete. After a broken connection,
    // it does not: a proxy may have truncated it, and some servers send the reason in every chunk.
    else if (isDeadline && stream !== undefined && stream.finishReason !== "") {
      this.#answer(this.#completionOf(stream));
    } else throw isDeadline ? error : this.#networkError(error);
  }

  #finish(): void {
    const stream = this.#stream;
    if (stream === undefined) {
      return this.#answer(readAnswer(this.#body.text(), this.#status, this.#context));
    }
    stream.end();
    if (stream.error !== undefined) this.#fail(stream.error);
    else this.#answer(this.#completionOf(stream));
  }

  #completionOf(stream: StreamReader): Completion {
    return stream.completion(this.#ttftMs, this.#shared.deadlines.size > 1);
  }

  #answer(completion: Completion): void {
    this.#isSettled = true;
    this.#body.destroyDecoder();
    if (this.#headAt < 0) return this.#outcome.resolve(completion);
    // The limits in the head are as old as the head. A JSON answer arrives with the head, but a
    // stream ends long after it.
    const now = this.#shared.now(), ageMs = this.#stream === undefined ? 0 : now - this.#headAt;
    const rateLimit = rateLimitOf(this.#headers, now, ageMs);
    this.#outcome.resolve(rateLimit === undefined ? completion : { ...completion, rateLimit });
  }

  #fail(reason: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#body.destroyDecoder();
    const hasPartial = reason instanceof TeacherError && this.#stream?.hasOutput;
    this.#outcome.reject(
      hasPartial ? changedError(reason, { partial: this.#completionOf(this.#stream!) }) : reason,
    );
  }

  #statusError(): TeacherError {
    const { address, now } = this.#shared, context = this.#context, waitedMs = this.#waitedMs();
    const response = { status: this.#status, headers: this.#headers, text: this.#body.text() };
    return statusError({ ...response, address, context, waitedMs, now: now() });
  }

  #networkError(error: Error): TeacherError {
    const stage: Stage = this.#status > 0 ? "answering" : this.isConnected ? "sent" : "connecting";
    const { address, proxyHost } = this.#shared, { isStreamed } = this.#context;
    const request = { waitedMs: this.#waitedMs(), isStreamed };
    return networkError(error, address.host, stage, proxyHost, request);
  }

  #waitedMs(): number {
    return this.#shared.deadlines.now() - this.startedAt;
  }

  #endRequest(): void {
    if (this.#isReleased) return;
    // Both calls make undici call `onResponseError()`, unless the request is still in
    // `watchTimers`.
    if (this.#controller === undefined) void this.#connection.close();
    else this.#controller.abort(ENDED);
    this.#release();
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#shared.deadlines.delete(this);
    this.#shared.aborts.delete(this.#signal, this);
    this.#shared.connections.release(this.#connection);
  }
}

/** Created only once, because errors are expensive. This error is never shown. */
const ENDED = new Error("The attempt was ended");
