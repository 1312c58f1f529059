/**
 * A teacher that speaks the chat completions API of OpenAI: OpenAI itself, vLLM, Ollama, DeepSeek,
 * OpenRouter, LiteLLM and many more.
 *
 * @module
 */

import { VERSION } from "../version.ts";
import { Aborts } from "./aborts.ts";
import { type Address, parseAddress } from "./address.ts";
import type { AnswerContext } from "./answer.ts";
import { Attempt, type AttemptShared } from "./attempt.ts";
import { BodyWriter } from "./body.ts";
import { Connections } from "./connections.ts";
import { Deadlines } from "./deadlines.ts";
import { authorizationOf, checkHeaders, headerList } from "./headers.ts";
import { isSecretHeader, redactHeader, redactor } from "./secrets.ts";
import type { Completion, Teacher, TeacherRequest } from "./teacher.ts";

/** What {@linkcode openaiCompatible} takes. */
export interface OpenAICompatibleOptions {
  /**
   * Where the teacher is: `/chat/completions` is added to the path, a query string is kept.
   * `user:password@` in it is sent as basic authorization when there is no `apiKey`.
   *
   * @default "https://api.openai.com/v1"
   */
  baseUrl?: string;
  /** The model to ask. A row whose parameters hold `model` asks that one. */
  model: string;
  /** The API key, sent as `Authorization: Bearer …` and shown nowhere. @default none is sent */
  apiKey?: string;
  /** Whether answers are streamed (server-sent events, with token counts). @default false */
  stream?: boolean;
  /** The longest that one attempt may take, in milliseconds. @default 3_600_000 (an hour) */
  timeoutMs?: number;
  /** The longest that making a connection may take, in milliseconds. @default 10_000 */
  connectTimeoutMs?: number;
  /**
   * The longest silence between two tokens of a stream, in milliseconds. Before the first token only
   * `timeoutMs` counts: a model may think for long.
   *
   * @default 120_000
   */
  streamIdleTimeoutMs?: number;
  /** Further header fields; they replace those of the same name. @default {} */
  headers?: Readonly<Record<string, string>>;
  /**
   * Raw fields of the answer to keep, looked up in the choice and then at the top level: `logprobs`,
   * `system_fingerprint`, … @default []
   */
  keep?: readonly string[];
  /** An HTTP proxy to go through; a teacher on this machine is asked directly. @default none */
  proxy?: string;
  /** The clock: Unix time in milliseconds. @default a clock that is never set back */
  now?: () => number;
}

const DEFAULTS = {
  baseUrl: "https://api.openai.com/v1",
  stream: false,
  timeoutMs: 3_600_000,
  connectTimeoutMs: 10_000,
  streamIdleTimeoutMs: 120_000,
  headers: {},
  keep: [],
  // Unix time that no correction of the system's clock moves: deadlines are measured with it.
  now: () => performance.timeOrigin + performance.now(),
} satisfies Partial<OpenAICompatibleOptions>;

type Resolved = typeof DEFAULTS & Omit<OpenAICompatibleOptions, keyof typeof DEFAULTS> & {
  headers: Readonly<Record<string, string>>;
  keep: readonly string[];
};

/**
 * Makes a teacher of a server that speaks the OpenAI chat completions API.
 *
 * One `complete()` is one POST: nothing is ever sent again, not even when a connection breaks.
 *
 * @example Ask a local server
 * ```ts ignore
 * const teacher = openaiCompatible({ baseUrl: "http://localhost:8000/v1", model: "my-model" });
 * const completion = await teacher.complete(
 *   { uid: "1", messages: [{ role: "user", content: "Why is the sky blue?" }], params: {} },
 *   new AbortController().signal,
 * );
 * console.log(completion.response);
 * await teacher.close();
 * ```
 *
 * @param options The model, and where and how to ask it.
 * @returns The teacher; `close()` it when it is needed no more.
 * @throws {TypeError} If the model, the address, the key, a header field or the proxy cannot be used.
 * @throws {RangeError} If a time is not above 0.
 */
export function openaiCompatible(options: OpenAICompatibleOptions): Required<Teacher> {
  return new OpenAICompatibleTeacher(resolve(options));
}

class OpenAICompatibleTeacher implements Required<Teacher> {
  readonly model: string;
  readonly address: string;

  readonly #address: Address;
  readonly #bodies: BodyWriter;
  readonly #shared: AttemptShared;
  // Serves every request for the teacher's own model.
  readonly #context: AnswerContext;
  #closed = false;

  constructor(options: Resolved) {
    const { stream, timeoutMs, streamIdleTimeoutMs, connectTimeoutMs, now } = options;
    const address = parseAddress(options.baseUrl);
    const authorization = authorizationOf(options.apiKey, address.credentials);
    const proxy = address.loopback ? undefined : proxyUrl(options.proxy);
    this.model = options.model;
    this.address = address.shown;
    this.#address = address;
    this.#bodies = new BodyWriter(options.model, stream);
    this.#shared = {
      address,
      proxyHost: proxy?.host,
      headers: headerList({
        "content-type": "application/json",
        accept: stream ? "text/event-stream, application/json" : "application/json",
        "user-agent": `retort/${VERSION}`,
        authorization,
      }, options.headers),
      stream,
      timeoutMs,
      streamIdleTimeoutMs,
      now,
      connections: new Connections({
        origin: address.origin,
        connectTimeoutMs,
        proxy: proxy?.href,
      }),
      deadlines: new Deadlines({ timeoutMs, connectTimeoutMs, streamIdleTimeoutMs, now }),
      aborts: new Aborts(),
    };
    this.#context = {
      model: options.model,
      modelAsked: undefined,
      keep: options.keep,
      redact: redactor(secretsOf(options, address, authorization, proxy)),
    };
  }

  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    try {
      signal.throwIfAborted();
      if (this.#closed) throw new Error(`Cannot ask the teacher at ${this.address}: it was closed`);
      const { text, model, modelAsked } = this.#bodies.write(request);
      const context = modelAsked === undefined
        ? this.#context
        : { ...this.#context, model, modelAsked };
      const attempt = new Attempt(this.#shared, context, signal, request.timeoutMs);
      attempt.start(text);
      return attempt.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The request as it would be sent, as an object that `JSON.stringify` writes as it would go out. */
  preview(request: TeacherRequest): unknown {
    const headers: Record<string, string> = {};
    const list = this.#shared.headers;
    for (let i = 0; i < list.length; i += 2) {
      const value = list[i + 1];
      headers[list[i]] = isSecretHeader(list[i]) ? redactHeader(value) : value;
    }
    return {
      method: "POST",
      url: this.#address.shownUrl,
      headers,
      body: this.#bodies.fields(request),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#shared.connections.close();
  }
}

function resolve(options: OpenAICompatibleOptions): Resolved {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const resolved = { ...DEFAULTS, ...Object.fromEntries(given) } as Resolved;
  if (typeof resolved.model !== "string" || resolved.model === "") {
    throw new TypeError('Cannot make a teacher without a model: "model" must be its name');
  }
  for (const name of ["timeoutMs", "connectTimeoutMs", "streamIdleTimeoutMs"] as const) {
    if (!(resolved[name] > 0)) {
      throw new RangeError(
        `Cannot make a teacher: "${name}" must be above 0: current value is ${resolved[name]}`,
      );
    }
  }
  checkHeaders(resolved.headers);
  return resolved;
}

/** Everything that a teacher might quote and nobody should read. */
function secretsOf(
  { apiKey, headers }: Resolved,
  address: Address,
  authorization: string | undefined,
  proxy: URL | undefined,
): string[] {
  const secrets = [...address.secrets];
  if (apiKey !== undefined) secrets.push(apiKey);
  if (authorization !== undefined) secrets.push(withoutScheme(authorization));
  for (const [name, value] of Object.entries(headers)) {
    if (isSecretHeader(name)) secrets.push(value, withoutScheme(value));
  }
  if (proxy !== undefined) secrets.push(proxy.password, decodeURIComponent(proxy.password));
  return secrets;
}

function withoutScheme(authorization: string): string {
  return authorization.replace(/^\S+ /, "");
}

function proxyUrl(proxy: string | undefined): URL | undefined {
  if (proxy === undefined || proxy === "") return undefined;
  const url = URL.parse(proxy) ?? URL.parse(`http://${proxy}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(
      "Cannot use the proxy that was given: " +
        'it must be an address such as "http://proxy.example:3128"' +
        (url === null ? "" : `: its scheme is ${JSON.stringify(url.protocol)}`),
    );
  }
  return url;
}
