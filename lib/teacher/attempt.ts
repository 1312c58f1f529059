/**
 * One attempt: one POST, from its first byte to its result. It implements undici's handler itself, so that one object
 * holds the whole state of a request: undici's `request()` creates a `Readable` for each answer, which costs more than
 * everything here.
 *
 * @module
 */

import { type DispatchController, type DispatchHandler, errors } from "../deps/undici.ts";
import { changedError, TeacherError } from "../errors.ts";
import { type AnswerContext, readAnswer } from "./answer.ts";
import type { AttemptShared, Deadline, Timed } from "./attempt_shared.ts";
import type { Connection } from "./connection.ts";
import { tooLong } from "./broken_answer.ts";
import { type BodyReader, IncomingBody } from "./incoming_body.ts";
import {
  type AnswerHeaders,
  lateness,
  networkError,
  refusal,
  silence,
  type Stage,
} from "./attempt_error.ts";
import { rateLimitOf, statesRateLimit } from "./rate_headers.ts";
import { StreamReader } from "./stream.ts";
import type { Completion } from "./teacher.ts";

/** One attempt. After `start()` it settles its promise exactly once. */
export class Attempt implements DispatchHandler, BodyReader, Timed {
  readonly startedAt: number;
  readonly timeoutMs: number;
  lastTokenAt = -1;
  completeAt = -1;

  readonly #outcome = Promise.withResolvers<Completion>();
  /** The answer, or why there is none. */
  readonly promise: Promise<Completion> = this.#outcome.promise;
  readonly #shared: AttemptShared;
  readonly #context: AnswerContext;
  readonly #signal: AbortSignal;
  #connection: Connection;
  /** The request, until it is written. */
  #request = "";
  #controller: DispatchController | undefined;
  #settled = false;
  #released = false;
  #status = 0;
  #isAnswer = false;
  /** When the head of an answer with rate limits came, or -1. */
  #headAt = -1;
  #headers: AnswerHeaders = {};
  #stream: StreamReader | undefined;
  #firstTokenAt = -1;
  readonly #body = new IncomingBody(this);
  #breakage: Error | undefined;

  /** Takes a connection; nothing is sent yet. `timeoutMs`: what is left of its row's time. */
  constructor(
    shared: AttemptShared,
    context: AnswerContext,
    signal: AbortSignal,
    timeoutMs: number = Infinity,
  ) {
    this.#shared = shared;
    this.#context = context;
    this.#signal = signal;
    this.startedAt = shared.now();
    this.timeoutMs = Math.min(shared.timeoutMs, timeoutMs);
    this.#connection = shared.connections.take(this.startedAt);
  }

  /** Whether the request was written to a connection. */
  get isConnected(): boolean {
    return this.#controller !== undefined;
  }

  /** Sends the request. */
  start(body: string): void {
    const { deadlines, aborts, connections } = this.#shared;
    deadlines.add(this);
    aborts.add(this.#signal, this);
    this.#request = body;
    const listenMs = this.#connection.listenMs();
    if (listenMs > 0) connections.listening.add(listenMs, () => this.#dispatch());
    else this.#dispatch();
  }

  /** Ends it with the reason of its signal. */
  abort(reason: unknown): void {
    this.#fail(reason);
    this.#endRequest();
  }

  /** Ends it because a deadline has passed. A stream with a finish reason and a complete JSON object are kept: only
   * counts, or the end of the connection's response, are missing. */
  expire(deadline: Deadline): void {
    this.#body.flush();
    if (this.#stream !== undefined && this.#stream.finishReason !== "") this.#succeed(this.#stream);
    else if (this.#isAnswer && this.#stream === undefined && this.#body.holdsObject) {
      this.onBodyEnd(undefined);
    } else this.#fail(this.#status >= 300 ? this.#refusal() : this.#lateness(deadline));
    this.#endRequest();
  }

  /** undici: the request is about to be written. */
  onRequestStart(controller: DispatchController): void {
    this.#controller = controller;
    this.#request = "";
    // The attempt ended while it waited for a connection.
    if (this.#settled) controller.abort(ENDED);
  }

  /** undici: the head of the response has arrived. */
  onResponseStart(
    _controller: DispatchController,
    status: number,
    headers: AnswerHeaders,
  ): void {
    // 103 and other 1xx come before the response.
    if (status < 200) return;
    this.#connection.onHead(headers["keep-alive"]);
    this.#status = status;
    this.#isAnswer = status < 300;
    this.#headers = headers;
    this.#body.start(this.#isAnswer, headers);
    if (this.#isAnswer && statesRateLimit(headers)) this.#headAt = this.#shared.now();
  }

  /** undici: a part of the body has arrived. */
  onResponseData(_controller: DispatchController, chunk: Uint8Array): void {
    if (!this.#settled) this.#body.receive(chunk);
  }

  /** undici: the response has ended, and the connection is free. */
  onResponseEnd(): void {
    this.#connection.onEnd();
    this.#release();
    if (!this.#settled) this.#body.finish();
  }

  /** undici: the connection broke, or the attempt was aborted. */
  onResponseError(_controller: DispatchController, error: Error): void {
    if (!this.#settled && !this.isConnected && this.#connection.wasFoundClosed) {
      return this.#dispatchElsewhere();
    }
    const breakage = this.isConnected ? this.#connection.understood(error) : error;
    this.#release();
    if (this.#settled) return;
    this.#breakage = breakage;
    this.#body.finish();
  }

  /** A part of an event stream. */
  onEvents(chunk: Uint8Array): void {
    if (this.#settled) return;
    const { streamHabits } = this.#shared;
    const stream = this.#stream ??= new StreamReader(this.#status, this.#context, streamHabits);
    if (stream.feed(chunk)) {
      this.lastTokenAt = this.#shared.now();
      if (this.#firstTokenAt < 0) this.#firstTokenAt = this.lastTokenAt;
    }
    if (stream.error !== undefined) {
      this.#fail(stream.error);
      this.#endRequest();
    } else if (stream.done) {
      // The lane does not wait for the end of the response; the sweep of deadlines limits that.
      this.completeAt = this.#shared.now();
      this.#succeed(stream);
    }
  }

  /** The body is too long. */
  onTooLong(): void {
    this.#fail(this.#isAnswer ? tooLong(this.#status) : this.#refusal());
    this.#endRequest();
  }

  /** The body has ended. */
  onBodyEnd(error: Error | undefined = this.#breakage): void {
    if (this.#settled) return;
    try {
      if (error === undefined) this.#finish();
      else this.#finishBroken(error);
    } catch (failure) {
      const mayBeLines = this.#isAnswer && this.#stream === undefined;
      if (mayBeLines && this.#body.tellLines()) this.onBodyEnd(error);
      else this.#fail(failure);
    }
  }

  #dispatch(): void {
    if (this.#released) return;
    const { address: { origin, path }, headers } = this.#shared;
    const body = this.#request;
    this.#connection.dispatch({ origin, method: "POST", path, headers, body }, this);
  }

  /** No byte was handed to the closed connection, so the request is still sent only once. */
  #dispatchElsewhere(): void {
    const { connections, now } = this.#shared, closed = this.#connection;
    this.#connection = connections.take(now());
    connections.give(closed);
    this.#dispatch();
  }

  #finishBroken(error: Error): void {
    // An error response that was cut short is still an error response.
    if (this.#status >= 300) this.#fail(this.#refusal());
    // A broken stream is not complete, whatever its finish reason: a proxy may have cut it, and some servers
    // give a reason in every chunk. A JSON object shows its own end, also where the connection does not.
    else if (this.#stream === undefined && this.#body.holdsObject) this.#finish();
    else throw this.#brokenBy(error);
  }

  #finish(): void {
    if (!this.#isAnswer) return this.#fail(this.#refusal());
    const stream = this.#stream;
    if (stream === undefined) {
      return this.#answer(readAnswer(this.#body.text(), this.#status, this.#context));
    }
    stream.end();
    if (stream.error !== undefined) this.#fail(stream.error);
    else this.#succeed(stream);
  }

  #succeed(stream: StreamReader): void {
    if (!this.#settled) this.#answer(this.#completionOf(stream));
  }

  #completionOf(stream: StreamReader): Completion {
    const ttftMs = this.#firstTokenAt < 0 ? undefined : this.#firstTokenAt - this.startedAt;
    return stream.completion(ttftMs, this.#shared.deadlines.size > 1);
  }

  #answer(completion: Completion): void {
    this.#settled = true;
    this.#body.drop();
    if (this.#headAt < 0) return this.#outcome.resolve(completion);
    // A document comes with its head, a stream after it.
    const now = this.#shared.now(), ageMs = this.#stream === undefined ? 0 : now - this.#headAt;
    const rateLimit = rateLimitOf(this.#headers, now, ageMs);
    this.#outcome.resolve(rateLimit === undefined ? completion : { ...completion, rateLimit });
  }

  #fail(reason: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#body.drop();
    const hasPartial = reason instanceof TeacherError && this.#stream?.hasOutput;
    this.#outcome.reject(
      hasPartial ? changedError(reason, { partial: this.#completionOf(this.#stream!) }) : reason,
    );
  }

  #refusal(): TeacherError {
    const { address, now } = this.#shared;
    return refusal({
      status: this.#status,
      headers: this.#headers,
      text: this.#body.text(),
      address: address.shown,
      versioned: address.versioned,
      redact: this.#context.redact,
      context: this.#context,
      now: now(),
    });
  }

  #brokenBy(error: Error): TeacherError {
    const stage: Stage = this.#status > 0 ? "answering" : this.isConnected ? "sent" : "connecting";
    return networkError(error, this.#shared.address.host, stage, this.#shared.proxyHost);
  }

  #lateness(deadline: Deadline): TeacherError {
    const { timeoutMs, streamIdleTimeoutMs, address: { host } } = this.#shared;
    if (deadline === "connect") return this.#brokenBy(new errors.ConnectTimeoutError());
    if (deadline === "silence") return silence(host, streamIdleTimeoutMs);
    return lateness(host, this.timeoutMs, this.timeoutMs < timeoutMs);
  }

  /** Ends the request, unless the response has ended already. */
  #endRequest(): void {
    if (this.#released) return;
    // Both call onResponseError(), which releases the connection.
    if (this.#controller === undefined) this.#connection.drop();
    else this.#controller.abort(ENDED);
    this.#release();
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#shared.deadlines.delete(this);
    this.#shared.aborts.delete(this.#signal, this);
    this.#shared.connections.give(this.#connection);
  }
}

/** Created once: it is never shown, and creating an error is expensive. */
const ENDED = new Error("The attempt was ended");
