/**
 * Teachers in a separate process that have a rate limit, fail, or queue requests.
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { errorResponse } from "../lib/simulate/chat.ts";
import { type Helper, startHelper, untilEnd } from "./helper_process.ts";
import { COMPLETION, COMPLETION_BODY } from "./rows.ts";

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
  /** Largest number of requests at once, those in the queue included. */
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
    const length = 1 + spread * (2 * hashFraction(prompt, "length") - 1);
    this.#peak = Math.max(this.#peak, ++this.#open);
    await this.#takeSlot();
    await sleep(latencyMs * length);
    this.#freeSlot();
    this.#open--;
    if (hashFraction(prompt, "failing") < failing && !this.#failedPrompts.has(prompt)) {
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
      // The slot goes to the first in the queue, not to a new request.
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

const TOKENS = COMPLETION.usage!.completionTokens;
const BODY = JSON.parse(COMPLETION_BODY);

function answerOf(length: number): Response {
  const completion_tokens = Math.round(TOKENS * length);
  return Response.json({ ...BODY, usage: { ...BODY.usage, completion_tokens } });
}

/**
 * Maps a text to a number in [0, 1) by 32-bit FNV-1a with the finalizer of MurmurHash3. Without the
 * finalizer, texts with a common prefix would have similar hashes.
 */
function hashFraction(text: string, salt: string): number {
  let hash = 0x811c9dc5;
  for (const part of [salt, text]) {
    for (let i = 0; i < part.length; i++) {
      hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
    }
  }
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return ((hash ^ hash >>> 16) >>> 0) / 2 ** 32;
}

async function serve(options: BusyOptions): Promise<void> {
  const teachers = new Map<string, BusyTeacher>();
  function teacherOf(name: string): BusyTeacher {
    const teacher = teachers.get(name) ?? new BusyTeacher(options);
    teachers.set(name, teacher);
    return teacher;
  }
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
  }, async (request) => {
    const [, name] = new URL(request.url).pathname.split("/");
    const { messages } = await request.json();
    return await teacherOf(name).ask(messages.at(-1).content);
  });
  await untilEnd();
  await server.shutdown();
  const ledgers = [...teachers].map(([name, { ledger }]) => [name, ledger]);
  console.log(JSON.stringify(Object.fromEntries(ledgers)));
}

if (import.meta.main) await serve(JSON.parse(Deno.args[0]));
