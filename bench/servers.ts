/**
 * Teachers in a separate process: one without latency, and busy ones, which have a rate limit, fail,
 * or queue requests.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { errorResponse } from "../lib/simulate/chat.ts";
import { draw, hashText } from "../lib/simulate/options.ts";
import { type Helper, startHelper, untilEnd } from "./processes.ts";
import { COMPLETION, COMPLETION_BODY } from "./rows.ts";

export interface ZeroServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`. */
  readonly baseUrl: string;
}

/** Starts a teacher without latency, which gives one answer to every request. */
export async function startZeroServer(): Promise<ZeroServer> {
  const helper = await startHelper(import.meta.filename!, {});
  return {
    baseUrl: `${helper.greeting}/v1`,
    [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose](),
  };
}

export interface BusyOptions {
  readonly latencyMs: number;
  /**
   * Largest deviation from the mean latency, as a fraction of it. The same prompt always has the
   * same latency, and a number of tokens proportional to it.
   * @default 0
   */
  readonly spread?: number;
  /** Rate limit. Further requests get 429 without `Retry-After`. @default no limit */
  readonly perSecond?: number;
  /** Requests that `perSecond` allows at once (the size of its token bucket). @default 1 */
  readonly burst?: number;
  /** Fraction of the prompts whose first request gets 500, after the latency. @default 0 */
  readonly failing?: number;
  /**
   * Maximum number of requests processed at once. Others queue, without a timeout. @default no
   * limit
   */
  readonly slots?: number;
}

export interface Ledger {
  readonly posts: number;
  readonly rateLimited: number;
  readonly failed: number;
  /** Largest number of requests at once, including those in the queue. */
  readonly peak: number;
}

export interface BusyServer extends AsyncDisposable {
  /** Returns the URL of the teacher with this name. The first request to it creates the teacher. */
  baseUrl(name: string): string;
  /** Ends the server. Returns the ledgers of the teachers by name. */
  end(): Promise<Record<string, Ledger>>;
}

export async function startBusyServer(options: BusyOptions): Promise<BusyServer> {
  const helper: Helper<Record<string, Ledger>> = await startHelper(import.meta.filename!, options);
  return {
    baseUrl: (name) => `${helper.greeting}/${name}/v1`,
    end: helper.end,
    [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose](),
  };
}

export class BusyTeacher {
  readonly #options: BusyOptions;
  readonly #failedPrompts = new Set<string>();
  readonly #queue: (() => void)[] = [];
  #tokens: number;
  #refilledMs = performance.now();
  #processing = 0;
  #open = 0;
  #posts = 0;
  #rateLimited = 0;
  #failed = 0;
  #peak = 0;

  constructor(options: BusyOptions) {
    this.#options = options;
    this.#tokens = options.burst ?? 1;
  }

  get ledger(): Ledger {
    return {
      posts: this.#posts,
      rateLimited: this.#rateLimited,
      failed: this.#failed,
      peak: this.#peak,
    };
  }

  async ask(prompt: string): Promise<Response> {
    const { latencyMs, spread = 0, failing = 0 } = this.#options;
    this.#posts++;
    if (!this.#takeToken()) {
      this.#rateLimited++;
      return errorResponse(429, "Rate limit reached for requests");
    }
    const length = 1 + spread * (2 * draw(hashText(prompt, 0), LENGTH) - 1);
    this.#peak = Math.max(this.#peak, ++this.#open);
    await this.#takeSlot();
    await sleep(latencyMs * length);
    this.#freeSlot();
    this.#open--;
    if (draw(hashText(prompt, 0), FAILING) < failing && !this.#failedPrompts.has(prompt)) {
      this.#failedPrompts.add(prompt);
      this.#failed++;
      return errorResponse(500, "The server had an error while processing your request");
    }
    return answerOf(length);
  }

  #takeToken(): boolean {
    const { perSecond = Infinity, burst = 1 } = this.#options;
    if (perSecond === Infinity) return true;
    const now = performance.now();
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#refilledMs) * perSecond / 1_000);
    this.#refilledMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  async #takeSlot(): Promise<void> {
    if (this.#processing >= (this.#options.slots ?? Infinity)) {
      // A freed slot goes to the first request in the queue, not to a new one.
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else {
      this.#processing++;
    }
  }

  #freeSlot(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#processing--;
    else next();
  }
}

/** Salts for `draw`, so that its two numbers for a prompt are independent. */
const LENGTH = 1, FAILING = 2;

const TOKENS = COMPLETION.usage!.completionTokens;
const BODY = JSON.parse(COMPLETION_BODY);

function answerOf(length: number): Response {
  const completion_tokens = Math.round(TOKENS * length);
  return Response.json({ ...BODY, usage: { ...BODY.usage, completion_tokens } });
}

/** Answers without any work on the request, which would count as the teacher's latency. */
function zeroHandler(): Deno.ServeHandler {
  const bytes = new TextEncoder().encode(COMPLETION_BODY);
  const headers = [["content-type", "application/json"]] satisfies HeadersInit;
  return async (request) => {
    await request.bytes();
    return new Response(bytes, { headers });
  };
}

function busyHandler(options: BusyOptions, teachers: Map<string, BusyTeacher>): Deno.ServeHandler {
  return async (request) => {
    const [, name] = new URL(request.url).pathname.split("/");
    const { messages } = await request.json();
    const teacher = teachers.get(name) ?? new BusyTeacher(options);
    teachers.set(name, teacher);
    return await teacher.ask(messages.at(-1).content);
  };
}

/** @param options The options of a busy server; `{}` for a teacher without latency. */
async function serve(options: Partial<BusyOptions>): Promise<void> {
  const { latencyMs } = options;
  const teachers = new Map<string, BusyTeacher>();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
  }, latencyMs === undefined ? zeroHandler() : busyHandler({ ...options, latencyMs }, teachers));
  await untilEnd();
  await server.shutdown();
  const ledgers = [...teachers].map(([name, { ledger }]) => [name, ledger]);
  console.log(JSON.stringify(Object.fromEntries(ledgers)));
}

if (import.meta.main) await serve(JSON.parse(Deno.args[0]));
