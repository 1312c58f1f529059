/**
 * A teacher on a real port with a rate limit (a token bucket), a limit of concurrent requests and a
 * latency. It can be killed and restarted, and keeps a ledger with times.
 *
 * @module
 */

import { Sleepers } from "../../lib/simulate/simulated_teacher.ts";
import {
  chatAnswer,
  errorAnswer,
  type LedgerRequest,
  type LedgerServer,
  serveLedger,
} from "./ledger_server.ts";
import { unusedPort } from "./ports.ts";

/** The limits of a teacher. */
export interface LimitedOptions {
  /** Milliseconds until an answer. Refusals come at once. @default 20 */
  latencyMs?: number;
  /** Requests per second; above that, 429. @default no limit */
  perSecond?: number;
  /** The burst that it accepts after a pause. @default perSecond */
  burst?: number;
  /** Requests in flight; above that, 503. @default no limit */
  capacity?: number;
  /** The header `Retry-After` of a refusal; undefined for none. @default none */
  retryAfter?: (entry: LedgerEntry) => string | undefined;
  /** Answers an accepted request after the latency; undefined means `answer to <prompt>`. */
  answer?: (
    request: LedgerRequest,
    entry: LedgerEntry,
  ) => Response | undefined | void | Promise<Response | undefined>;
}

/** One POST, as the ledger saw it. Times are those of `performance.now()`. */
export interface LedgerEntry {
  /** Which POST it is, from 1, over all lives of the server. */
  readonly n: number;
  /** When its body had been read. */
  readonly at: number;
  /** The last user message. */
  readonly prompt: string;
  /** The status of its answer; undefined until then. */
  status: number | undefined;
  /** When it was answered; undefined until then. */
  answeredAt: number | undefined;
}

/** A running limited teacher. */
export interface LimitedServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`, the same in all its lives. */
  readonly url: string;
  /** Every POST of all its lives, in the order in which they came. */
  readonly ledger: readonly LedgerEntry[];
  /** The number of POSTs in progress. */
  readonly inFlight: number;
  /** How many POSTs were answered with this status; undefined counts unanswered ones. */
  count(status: number | undefined): number;
  /** Resolves once `count` POSTs have come, in all its lives. */
  untilPosts(count: number): Promise<void>;
  /** Cuts all connections without an answer; from here on they are refused. */
  kill(): Promise<void>;
  /** Listens again. */
  revive(): void;
}

/** Starts a limited teacher on 127.0.0.1. */
export function serveLimited(options: LimitedOptions = {}): LimitedServer {
  const { latencyMs = 20, perSecond = Infinity, capacity = Infinity, retryAfter } = options;
  const burst = options.burst ?? perSecond;
  const ledger: LedgerEntry[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let sleepers = new Sleepers();
  let life = 0, inFlight = 0, free = burst, seenAt = performance.now();

  function refuses(entry: LedgerEntry): number | undefined {
    if (inFlight > capacity) return 503;
    if (perSecond === Infinity) return undefined;
    free = Math.min(burst, free + (entry.at - seenAt) * perSecond / 1_000);
    seenAt = entry.at;
    if (free < 1) return 429;
    free--;
    return undefined;
  }

  async function handle(request: LedgerRequest): Promise<Response> {
    const born = life;
    const entry: LedgerEntry = {
      n: ledger.length + 1,
      at: performance.now(),
      prompt: request.prompt,
      status: undefined,
      answeredAt: undefined,
    };
    ledger.push(entry);
    for (const waiter of waiting) if (ledger.length >= waiter.count) waiter.resolve();
    inFlight++;
    try {
      const response = await respond(request, entry);
      // A killed server has not answered.
      if (life !== born) return response;
      entry.status = response.status;
      entry.answeredAt = performance.now();
      return response;
    } finally {
      if (life === born) inFlight--;
    }
  }

  async function respond(request: LedgerRequest, entry: LedgerEntry): Promise<Response> {
    const status = refuses(entry);
    if (status !== undefined) {
      const after = retryAfter?.(entry);
      const headers = after === undefined ? undefined : { "retry-after": after };
      return errorAnswer(status, "The teacher has too much to do", headers);
    }
    await sleepers.sleep(latencyMs);
    return await options.answer?.(request, entry) ??
      Response.json(chatAnswer(`answer to ${request.prompt}`));
  }

  // Its own while it is down, too.
  const port = unusedPort();
  let server: LedgerServer | undefined = serveLedger(handle, { keep: false, port });
  const { url } = server;
  const kill = async () => {
    const dying = server, sleeping = sleepers;
    server = undefined;
    sleepers = new Sleepers();
    life++;
    inFlight = 0;
    await dying?.close();
    // Their connections are closed: their answers cannot arrive.
    sleeping.close();
  };
  return {
    url,
    ledger,
    get inFlight() {
      return inFlight;
    },
    count: (status) => ledger.filter((entry) => entry.status === status).length,
    untilPosts(count) {
      if (ledger.length >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
    kill,
    revive() {
      server ??= serveLedger(handle, { keep: false, port });
    },
    [Symbol.asyncDispose]: kill,
  };
}
