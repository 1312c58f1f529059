/**
 * A real HTTP server that answers like a teacher and keeps a ledger of its requests, and one whose
 * ledger of answers is compared with the files on disk.
 *
 * @module
 */

import type { TempDir } from "./temp.ts";

/** One POST, as the ledger saw it. */
export interface LedgerRequest {
  /** The number of the POST, from 1. */
  readonly n: number;
  /** The number of POSTs with this prompt, including this one. */
  readonly asked: number;
  /** The last user message as text; "" where there is none. */
  readonly prompt: string;
  /** The parsed body. */
  // deno-lint-ignore no-explicit-any -- a test knows what it sent
  readonly body: any;
  /** The raw body. */
  readonly text: string;
  /** The headers of the request. */
  readonly headers: Headers;
  /** The path with its query. */
  readonly path: string;
  /** Aborted when the client hangs up. */
  readonly signal: AbortSignal;
}

/** Answers a POST; undefined means `answer to <prompt>`. */
export type LedgerHandler = (
  request: LedgerRequest,
) => Response | undefined | void | Promise<Response | undefined | void>;

/** A running ledger server. */
export interface LedgerServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** The port. */
  readonly port: number;
  /** The number of POSTs. */
  readonly posts: number;
  /** The number of POSTs in progress. */
  readonly inFlight: number;
  /** The maximum number of POSTs in progress at the same time. */
  readonly peakInFlight: number;
  /** Every POST in the order in which the bodies were read, unless `keep: false`. */
  readonly requests: readonly LedgerRequest[];
  /** The number of POSTs for each prompt (last user message). */
  readonly prompts: ReadonlyMap<string, number>;
  /** Resolves once `count` POSTs have come. */
  untilPosts(count: number): Promise<void>;
  /** Cuts all connections and ends. */
  close(): Promise<void>;
}

/** The options of a ledger. */
interface LedgerOptions {
  /** Whether `requests` are kept. @default true */
  keep?: boolean;
  /** The port. @default any that is free */
  port?: number;
}

/** Starts a server on 127.0.0.1. */
export function serveLedger(handler?: LedgerHandler, options: LedgerOptions = {}): LedgerServer {
  const requests: LedgerRequest[] = [];
  const prompts = new Map<string, number>();
  const waiting: { count: number; resolve: () => void }[] = [];
  let posts = 0, inFlight = 0, peakInFlight = 0;
  const abort = new AbortController();

  async function answer(request: Request): Promise<Response> {
    if (request.method !== "POST") return new Response("not found", { status: 404 });
    const n = ++posts;
    peakInFlight = Math.max(peakInFlight, ++inFlight);
    try {
      const text = await request.text();
      const body = parse(text), prompt = promptOf(body);
      const asked = (prompts.get(prompt) ?? 0) + 1;
      prompts.set(prompt, asked);
      const path = request.url.slice(request.url.indexOf("/", "http://".length));
      const info: LedgerRequest = {
        n,
        asked,
        prompt,
        body,
        text,
        path,
        headers: request.headers,
        // Read only by tests that need it: Deno prints a warning about it.
        get signal() {
          return request.signal;
        },
      };
      if (options.keep ?? true) requests.push(info);
      for (const waiter of waiting) if (posts >= waiter.count) waiter.resolve();
      return await handler?.(info) ?? Response.json(chatAnswer(`answer to ${prompt}`));
    } finally {
      inFlight--;
    }
  }

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    signal: abort.signal,
    onListen() {},
    // Some tests expect a body that is cut off because the client has left.
    onError: (error) => new Response(String(error), { status: 500 }),
  }, answer);
  const { port } = server.addr;
  const close = async () => {
    abort.abort();
    await server.finished;
  };
  return {
    url: `http://127.0.0.1:${port}/v1`,
    port,
    requests,
    prompts,
    get posts() {
      return posts;
    },
    get inFlight() {
      return inFlight;
    },
    get peakInFlight() {
      return peakInFlight;
    },
    untilPosts(count) {
      if (posts >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The body of a chat completion. `extra` overrides fields, in `message` and `usage` one by one. */
export function chatAnswer(
  content: string | null,
  extra: Record<string, unknown> & { message?: object; usage?: object | null } = {},
): Record<string, unknown> {
  const { message, usage, finish_reason = "stop", ...rest } = extra;
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "test-model",
    choices: [{
      index: 0,
      message: { role: "assistant", content, ...message },
      finish_reason,
    }],
    usage: usage === null
      ? null
      : { prompt_tokens: 7, completion_tokens: 11, total_tokens: 18, ...usage },
    ...rest,
  };
}

/** An error response of OpenAI-compatible servers. */
export function errorAnswer(
  status: number,
  message = `status ${status}`,
  headers?: HeadersInit,
): Response {
  return Response.json({ error: { message, type: "test_error", code: null } }, { status, headers });
}

/** The last user message of a request body; its text parts where it has parts. */
export function promptOf(body: unknown): string {
  const fields = body as { prompt?: unknown; messages?: unknown; input?: unknown } | undefined;
  if (typeof fields?.prompt === "string") return fields.prompt;
  const messages = (fields?.messages ?? fields?.input) as { role?: string; content?: unknown }[];
  const last = Array.isArray(messages) ? messages.findLast((m) => m?.role === "user") : undefined;
  if (typeof last?.content === "string") return last.content;
  if (!Array.isArray(last?.content)) return "";
  return last.content.map((part: { text?: string }) => part.text ?? "").join("");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer of the ledger; a `Response` is sent as it is and does not count as an answer. */
export interface PaidAnswer {
  /** Its first words. @default "answer" */
  readonly text?: string;
  /** Its finish reason. @default "stop" */
  readonly finishReason?: string;
}

/** A server with distinct answers. */
export interface PaidServer extends AsyncDisposable {
  /** The server. */
  readonly server: LedgerServer;
  /** The text of each answer that was sent, in order, and the prompt that it is for. */
  readonly answers: readonly { readonly prompt: string; readonly text: string }[];
}

/** Starts it. Each answer ends in the number of its POST. */
export function servePaid(
  answer: (
    request: LedgerRequest,
  ) => PaidAnswer | Response | Promise<PaidAnswer | Response>,
): PaidServer {
  const answers: { prompt: string; text: string }[] = [];
  const server = serveLedger(async (request) => {
    const given = await answer(request);
    if (given instanceof Response) return given;
    const { text = "answer", finishReason = "stop" } = given;
    const whole = `${text} ${request.n}`;
    answers.push({ prompt: request.prompt, text: whole });
    // A limit that is not reached is not raised.
    const usage = finishReason === "length" ? { completion_tokens: request.body.max_tokens } : {};
    return Response.json(chatAnswer(whole, { finish_reason: finishReason, usage }));
  });
  return { server, answers, [Symbol.asyncDispose]: () => server.close() };
}

/** Answers that are neither a result nor a `partial` of `out/in.jsonl` and its failures. */
export async function lostAnswers(dir: TempDir, { answers }: PaidServer): Promise<string[]> {
  const kept = await keptTexts(dir);
  return answers.map(({ text }) => text).filter((text) => !kept.has(text));
}

/**
 * The same where outdated lines may have been removed: only the last answer of each prompt counts.
 */
export async function lostLastAnswers(dir: TempDir, { answers }: PaidServer): Promise<string[]> {
  const kept = await keptTexts(dir);
  const last = new Map(answers.map(({ prompt, text }) => [prompt, text]));
  return [...last.values()].filter((text) => !kept.has(text));
}

/** Whole lines only: a crash may leave half of one. */
async function keptTexts(dir: TempDir): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  for (const name of ["out/in.jsonl", "out/in_error.jsonl"]) {
    if (!(await dir.exists(name))) continue;
    for (const line of (await dir.read(name)).split("\n").slice(0, -1)) {
      const row = JSON.parse(line);
      kept.add(row.response ?? row.partial?.response);
    }
  }
  return kept;
}
