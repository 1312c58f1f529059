/**
 * Overloaded teachers: one with a rate limit, one that fails, one that queues requests. They run in
 * a process of their own, which counts the requests.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { errorResponse } from "../lib/simulate/chat.ts";
import { type Helper, startHelper, untilEnd } from "./helper_process.ts";
import { COMPLETION, COMPLETION_BODY } from "./rows.ts";

/** The behaviour of all teachers of one server. */
export interface BusyOptions {
  /** The latency of an answer, in milliseconds. */
  readonly latencyMs: number;
  /**
   * The spread of latencies around that, as a fraction of it; it is the same for a prompt each
   * time, and the answer's tokens are in proportion. @default 0
   */
  readonly spread?: number;
  /** Requests per second; above that, 429 at once, without `Retry-After`. @default no limit */
  readonly perSecond?: number;
  /** With `perSecond`: the burst that is accepted after a pause. @default 1 */
  readonly burst?: number;
  /** Fraction of the prompts that get 500 the first time, after the latency. @default 0 */
  readonly failing?: number;
  /**
   * Requests that are processed at the same time; the others wait without a time limit. @default no
   * limit
   */
  readonly slots?: number;
}

/** The requests of one teacher. */
export interface Ledger {
  /** Requests. */
  readonly posts: number;
  /** Of those, the ones that got 429. */
  readonly refused: number;
  /** Of those, the ones that got 500. */
  readonly failed: number;
  /** The maximum that waited or were processed at the same time. */
  readonly peak: number;
}

/** A server with any number of teachers. Dispose of it, or end it. */
export interface BusyServer extends AsyncDisposable {
  /** The base URL of a teacher, which is created by its first request. */
  baseUrl(name: string): string;
  /** Ends the server and returns each teacher's ledger. */
  end(): Promise<Record<string, Ledger>>;
}

/** Starts the server in a new process. */
export async function startBusyServer(options: BusyOptions): Promise<BusyServer> {
  const helper: Helper<Record<string, Ledger>> = await startHelper(
    import.meta.filename!,
    options,
  );
  return {
    baseUrl: (name) => `${helper.greeting}/${name}/v1`,
    end: helper.end,
    [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose](),
  };
}

/** One teacher. */
export class BusyTeacher {
  readonly #options: BusyOptions;
  readonly #asked = new Set<string>();
  readonly #queue: (() => void)[] = [];
  #free: number;
  #seenAt = performance.now();
  #atWork = 0;
  #held = 0;
  #posts = 0;
  #refused = 0;
  #failed = 0;
  #peak = 0;

  /** Starts without requests. */
  constructor(options: BusyOptions) {
    this.#options = options;
    this.#free = options.burst ?? 1;
  }

  /** The requests so far. */
  get ledger(): Ledger {
    return { posts: this.#posts, refused: this.#refused, failed: this.#failed, peak: this.#peak };
  }

  /** Answers one request. */
  async ask(prompt: string): Promise<Response> {
    const { latencyMs, spread = 0, failing = 0 } = this.#options;
    this.#posts++;
    if (!this.#takes()) {
      this.#refused++;
      return errorResponse(429, "Rate limit reached for requests");
    }
    const length = 1 + spread * (2 * shareOf(prompt, "length") - 1);
    this.#peak = Math.max(this.#peak, ++this.#held);
    await this.#enter();
    await sleep(latencyMs * length);
    this.#leave();
    this.#held--;
    if (shareOf(prompt, "failing") < failing && !this.#asked.has(prompt)) {
      this.#asked.add(prompt);
      this.#failed++;
      return errorResponse(500, "The server had an error while processing your request");
    }
    return answerOf(length);
  }

  #takes(): boolean {
    const { perSecond = Infinity, burst = 1 } = this.#options;
    if (perSecond === Infinity) return true;
    const now = performance.now();
    this.#free = Math.min(burst, this.#free + (now - this.#seenAt) * perSecond / 1_000);
    this.#seenAt = now;
    if (this.#free < 1) return false;
    this.#free--;
    return true;
  }

  async #enter(): Promise<void> {
    if (this.#atWork >= (this.#options.slots ?? Infinity)) {
      // The slot is handed over to the next in the queue: a new request cannot take it.
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else {
      this.#atWork++;
    }
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#atWork--;
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
 * A number in [0, 1) that is always the same for a text: FNV-1a, 32 bits, with the finalizer of
 * MurmurHash3, without which texts with a common prefix get similar numbers.
 */
function shareOf(text: string, salt: string): number {
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
