/**
 * An OpenAI-compatible teacher on a loopback port. It costs nothing, needs no key, and is fast
 * enough to put Retort under load.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import {
  draw,
  emptyResponse,
  errorResponse,
  eventsOf,
  eventsResponse,
  jsonResponse,
  modelsResponse,
  type Plan,
  planAnswer,
  readChatRequest,
} from "./chat.ts";
import { AttemptCounter, RateGate, Sleepers } from "./gates.ts";
import {
  type ResolvedSimulateOptions,
  resolveSimulateOptions,
  type SimulateOptions,
} from "./options.ts";

/** How a simulated teacher behaves and where it listens. */
export interface SimulatedTeacherOptions extends SimulateOptions {
  /** The port on 127.0.0.1. @default a free one */
  port?: number;
  /** A monotonic clock for the `rpm` limit, in milliseconds. @default performance.now */
  now?: () => number;
}

/** A simulated teacher that accepts requests until it is closed. */
export interface SimulatedTeacher extends AsyncDisposable {
  /** The base URL: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** The port on 127.0.0.1: the given one, or the one that was free. */
  readonly port: number;
  /** Requests for chat completions so far, rejected ones included. */
  readonly posts: number;
  /** Closes all connections and stops listening. */
  close(): Promise<void>;
}

/** What goes wrong with a request: status 500, status 200 without an answer, or an answer that ends
 * half-way. */
type Fault = "error" | "broken" | "aborted";

const FAILED = "The simulated teacher failed, as it was asked to (errors)";

/** The salts of the draws for faults begin above this one: each attempt at a prompt has its own. */
const FAULT_SALT = 99;

/** When the first piece of a stream is sent, as a fraction of the latency. */
const FIRST_PIECE_AT = 0.2;

/**
 * Starts a simulated teacher on 127.0.0.1.
 *
 * It answers `POST /v1/chat/completions`, whole or as a stream, and `GET /v1/models`. Seed and
 * prompt determine text, tokens, latency and refusal; whether a request gets 500, a broken or an
 * aborted answer also depends on how many times the prompt was sent before. Each answer starts with
 * a digest of its prompt and a quotation from the last user message. Memory does not grow with the
 * number of requests.
 *
 * @throws {TypeError} An option is unknown or not a number.
 * @throws {RangeError} An option is out of range.
 * @throws {UsageError} The port is in use.
 * @example
 * ```ts
 * await using teacher = serveSimulatedTeacher({ latency: 50, tokens: 20 });
 * const response = await fetch(`${teacher.url}/models`);
 * console.log((await response.json()).data[0].id); // "simulated"
 * ```
 */
export function serveSimulatedTeacher(options: SimulatedTeacherOptions = {}): SimulatedTeacher {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot simulate with ${options}: the options must be an object`);
  }
  const { port = 0, now, ...rest } = options;
  const handler = new RequestHandler(
    resolveSimulateOptions(rest),
    now ?? (() => performance.now()),
  );
  const abort = new AbortController();
  const server = listen(port, handler, abort.signal);
  async function close(): Promise<void> {
    abort.abort();
    handler.close();
    await server.finished;
  }
  return {
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    port: server.addr.port,
    get posts() {
      return handler.posts;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listen(
  port: number,
  handler: RequestHandler,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  const options = {
    hostname: "127.0.0.1",
    port,
    signal,
    onListen() {},
    // Only a truncated body causes an error, and its sender is gone.
    onError: () => errorResponse(400, "Cannot read the body of the request"),
  };
  try {
    return Deno.serve(options, (request) => handler.answer(request));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    const problem = `Cannot listen on port ${port}: another program does. Name another port`;
    throw new UsageError(problem, { cause });
  }
}

class RequestHandler {
  posts = 0;
  readonly #options: ResolvedSimulateOptions;
  readonly #now: () => number;
  readonly #gate: RateGate | undefined;
  readonly #attempts = new AttemptCounter();
  readonly #sleepers = new Sleepers();
  #inFlight = 0;

  constructor(options: ResolvedSimulateOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
    if (options.rpm > 0) this.#gate = new RateGate(options.rpm, now());
  }

  close(): void {
    this.#sleepers.close();
  }

  answer(request: Request): Response | Promise<Response> {
    const { method, url } = request;
    // `new URL` would take a good part of the time of a request.
    const path = url.slice(url.indexOf("/", "http://".length)).replace(/[?#].*$/, "");
    if (method === "POST" && path === "/v1/chat/completions") return this.#complete(request);
    if (method === "GET" && path === "/v1/models") return modelsResponse();
    return errorResponse(
      404,
      `Cannot ${method} ${path}: a simulated teacher has POST /v1/chat/completions and GET /v1/models`,
    );
  }

  async #complete(request: Request): Promise<Response> {
    this.posts++;
    const chat = readChatRequest(await request.text());
    if (typeof chat === "string") return errorResponse(400, chat);
    const plan = planAnswer(chat.prompt, this.#options, chat.maxTokens);
    const rejection = this.#rejection(plan);
    if (rejection) return rejection;
    this.#inFlight++;
    let isStreaming = false;
    try {
      const fault = this.#faultOf(plan);
      if (fault === "error" || fault === "broken" || !chat.stream) {
        if (plan.latencyMs > 0) await this.#sleepers.sleep(plan.latencyMs);
        if (fault === "error") return errorResponse(500, FAILED);
        return fault === "broken" ? emptyResponse() : jsonResponse(chat, sentPlan(plan, fault));
      }
      const events = eventsOf(chat, sentPlan(plan, fault));
      if (plan.latencyMs === 0) return eventsResponse(events.join(""));
      isStreaming = true;
      return eventsResponse(this.#stream(events, plan.latencyMs));
    } finally {
      if (!isStreaming) this.#inFlight--;
    }
  }

  /** The response that rejects a request at once; undefined if it is admitted. */
  #rejection(plan: Plan): Response | undefined {
    const { capacity } = this.#options;
    if (capacity > 0 && this.#inFlight >= capacity) {
      const message = `The simulated teacher has ${capacity} requests in flight (capacity)`;
      return errorResponse(429, message, { "retry-after": "1" });
    }
    const waitSeconds = this.#gate?.admit(this.#now()) ?? 0;
    if (waitSeconds > 0) {
      const message = `The simulated teacher takes ${this.#options.rpm} requests per minute (rpm)`;
      return errorResponse(429, message, { "retry-after": String(waitSeconds) });
    }
    if (!plan.isRejected) return undefined;
    return errorResponse(400, "The simulated teacher refuses this prompt (refusals)");
  }

  /** The fault of this request; undefined if it has none. */
  #faultOf(plan: Plan): Fault | undefined {
    const { errors, broken, aborted } = this.#options;
    if (errors === 0 && broken === 0 && aborted === 0) return undefined;
    const random = draw(plan.hash, FAULT_SALT + this.#attempts.count(plan.hash));
    if (random < errors) return "error";
    if (random < errors + broken) return "broken";
    return random < errors + broken + aborted ? "aborted" : undefined;
  }

  #stream(events: string[], latencyMs: number): ReadableStream<Uint8Array<ArrayBuffer>> {
    const encoder = new TextEncoder();
    const firstMs = latencyMs * FIRST_PIECE_AT;
    const stepMs = (latencyMs - firstMs) / (events.length - 1);
    let next = 0, isOver = false;
    const finish = () => {
      isOver = true;
      this.#inFlight--;
    };
    return new ReadableStream({
      pull: async (controller) => {
        await this.#sleepers.sleep(next === 0 ? firstMs : stepMs);
        if (isOver) return;
        controller.enqueue(encoder.encode(events[next++]));
        if (next < events.length) return;
        finish();
        controller.close();
      },
      cancel: finish,
    }, { highWaterMark: 0 });
  }
}

/** The part of the plan that is sent: half of the tokens if the answer is aborted. */
function sentPlan(plan: Plan, fault: Fault | undefined): Plan {
  if (fault !== "aborted") return plan;
  return { ...plan, answerTokens: Math.floor(plan.answerTokens / 2), finishReason: "abort" };
}
