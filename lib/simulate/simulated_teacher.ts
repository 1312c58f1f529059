/**
 * An OpenAI-compatible teacher on a loopback port, fast enough to put Retort under load.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { callback, type OptionRules, wholeNumberFrom } from "../options.ts";
import {
  emptyResponse,
  errorResponse,
  eventsOf,
  eventsResponse,
  jsonResponse,
  modelsResponse,
  readChatRequest,
} from "./chat.ts";
import {
  type Fault,
  Faults,
  type Plan,
  planAnswer,
  type ResolvedSimulateOptions,
  resolveSimulateOptions,
  SIMULATE_RULES,
  type SimulateOptions,
} from "./options.ts";

/** How a simulated teacher behaves, and where it listens. */
export interface SimulatedTeacherOptions extends SimulateOptions {
  /** The port on 127.0.0.1. @default a free port */
  port?: number;
  /** A monotonic clock for the `rpm` limit, in milliseconds. @default performance.now */
  now?: () => number;
}

/** A simulated teacher that accepts requests until it is closed. */
export interface SimulatedTeacher extends AsyncDisposable {
  /** The base URL: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** The port on 127.0.0.1 that was given, or the free port that was chosen. */
  readonly port: number;
  /** The number of requests for chat completions so far, including rejected requests. */
  readonly posts: number;
  /** Closes all connections and stops listening. */
  close(): Promise<void>;
}

/** The fraction of the latency after which the first piece of a stream is sent. */
const FIRST_PIECE_AT = 0.2;

/**
 * Starts a simulated teacher on 127.0.0.1.
 *
 * It answers `POST /v1/chat/completions`, whole or as a stream, and `GET /v1/models`. The seed and
 * the prompt determine which prompts are refused or truncated. Text, tokens and latency also depend
 * on the `seed` of the request, and faults on how often the prompt was sent before. Each answer
 * starts with a digest of its prompt and a quotation from the last user message.
 *
 * @throws {TypeError} An option is unknown or not a number.
 * @throws {RangeError} An option is out of range.
 * @throws {UsageError} The port is in use.
 * @example
 * ```ts
 * import { serveSimulatedTeacher } from "../../mod.ts";
 *
 * await using teacher = serveSimulatedTeacher({ latency: 50, tokens: 20 });
 * const response = await fetch(`${teacher.url}/models`);
 * console.log((await response.json()).data[0].id); // "simulated"
 * ```
 */
export function serveSimulatedTeacher(options: SimulatedTeacherOptions = {}): SimulatedTeacher {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot simulate with ${options}: the options must be an object`);
  }
  const resolved = resolveSimulateOptions(options, undefined, SERVER_RULES);
  const { port = 0, now }: SimulatedTeacherOptions = resolved;
  const handler = new RequestHandler(resolved, now);
  const abort = new AbortController();
  const server = listen(port, handler, abort.signal);
  async function close(): Promise<void> {
    abort.abort();
    handler.sleepers.close();
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

const SERVER_RULES: OptionRules<SimulatedTeacherOptions> = {
  ...SIMULATE_RULES,
  port: wholeNumberFrom(0, 65_535),
  now: callback,
};

function listen(
  port: number,
  handler: RequestHandler,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  // Only a truncated body causes an error. Its sender has gone and receives no response.
  const onError = () => errorResponse(400, "Cannot read the body of the request");
  const options = { hostname: "127.0.0.1", port, signal, onListen() {}, onError };
  try {
    return Deno.serve(options, (request) => handler.answer(request));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    const problem = `Cannot listen on port ${port}: another program uses it. Choose another port`;
    throw new UsageError(problem, { cause });
  }
}

class RequestHandler {
  posts = 0;
  readonly #options: ResolvedSimulateOptions;
  readonly #now: () => number;
  readonly #gate: RateGate | undefined;
  readonly #faults: Faults;
  readonly sleepers = new Sleepers();
  #inFlight = 0;

  constructor(options: ResolvedSimulateOptions, now = () => performance.now()) {
    this.#options = options;
    this.#faults = new Faults(options);
    this.#now = now;
    if (options.rpm > 0) this.#gate = new RateGate(options.rpm, now());
  }

  answer(request: Request): Response | Promise<Response> {
    const { method, url } = request;
    // `new URL` would take up a large part of the time of a request.
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
    const plan = planAnswer(chat.prompt, this.#options, chat.maxTokens, chat.seed);
    const rejection = this.#rejection(plan);
    if (rejection) return rejection;
    this.#inFlight++;
    let isStreaming = false;
    try {
      const fault = this.#faults.next(plan);
      if (fault === "error" || fault === "broken" || !chat.stream) {
        if (plan.latencyMs > 0) await this.sleepers.sleep(plan.latencyMs);
        if (fault === "error") {
          return errorResponse(500, "The simulated teacher failed, as it was asked to (errors)");
        }
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

  /** Returns the response if the request is rejected; otherwise undefined. */
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

  #stream(events: string[], latencyMs: number): ReadableStream<Uint8Array<ArrayBuffer>> {
    const encoder = new TextEncoder();
    const firstMs = latencyMs * FIRST_PIECE_AT;
    const stepMs = (latencyMs - firstMs) / (events.length - 1);
    let nextIndex = 0, isOver = false;
    const finish = () => {
      isOver = true;
      this.#inFlight--;
    };
    return new ReadableStream({
      pull: async (controller) => {
        await this.sleepers.sleep(nextIndex === 0 ? firstMs : stepMs);
        if (isOver) return;
        controller.enqueue(encoder.encode(events[nextIndex++]));
        if (nextIndex < events.length) return;
        finish();
        controller.close();
      },
      cancel: finish,
    }, { highWaterMark: 0 });
  }
}

/** Returns the plan of what is actually sent. An aborted answer has half of the planned tokens. */
function sentPlan(plan: Plan, fault: Fault | undefined): Plan {
  if (fault !== "aborted") return plan;
  return { ...plan, answerTokens: Math.floor(plan.answerTokens / 2), finishReason: "abort" };
}

/** A token bucket for a limit per minute. As at OpenAI, it holds only the requests of one
 * second. */
export class RateGate {
  readonly #requestsPerMs: number;
  readonly #capacity: number;
  #available: number;
  #refilledAtMs: number;

  constructor(rpm: number, nowMs: number) {
    this.#requestsPerMs = rpm / 60_000;
    this.#capacity = Math.max(1, rpm / 60);
    this.#available = this.#capacity;
    this.#refilledAtMs = nowMs;
  }

  /** Returns 0 if the request is admitted, or else the number of seconds until a retry. */
  admit(nowMs: number): number {
    const refill = (nowMs - this.#refilledAtMs) * this.#requestsPerMs;
    this.#available = Math.min(this.#capacity, this.#available + refill);
    this.#refilledAtMs = nowMs;
    if (this.#available >= 1) {
      this.#available -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - this.#available) / this.#requestsPerMs / 1000));
  }
}

/** The waits of all requests. `close()` ends them at once. */
export class Sleepers {
  readonly #timers = new Map<ReturnType<typeof setTimeout>, () => void>();
  #isClosed = false;

  /** Resolves after `ms` milliseconds, or when `close()` is called. */
  sleep(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.set(timer, resolve);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const [timer, resolve] of this.#timers) {
      clearTimeout(timer);
      resolve();
    }
    this.#timers.clear();
  }
}
