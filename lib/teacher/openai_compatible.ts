/**
 * A teacher with an OpenAI-compatible API: OpenAI, vLLM, Ollama, DeepSeek, OpenRouter, LiteLLM and
 * many more.
 *
 * @module
 */

import { isSecretHeader } from "../secret_names.ts";
import { VERSION } from "../version.ts";
import { type Address, parseAddress } from "./address.ts";
import type { AnswerContext } from "./answer.ts";
import { type Addition, type ApiFormat, formatOf } from "./api_format.ts";
import { Attempt } from "./attempt.ts";
import { Aborts, type AttemptShared, Deadlines } from "./attempt_shared.ts";
import { BodyWriter, withdrawRefused } from "./body.ts";
import { Connections } from "./connections.ts";
import { proxyUrl, tlsSettings } from "./network_options.ts";
import { noticesOf } from "./params.ts";
import { redactHeader, redactor } from "./secrets.ts";
import type { Completion, Params, Teacher, TeacherRequest } from "./teacher.ts";
import {
  headerList,
  keyHeader,
  type OpenAICompatibleOptions,
  type ResolvedTeacherOptions,
  resolveTeacherOptions,
} from "./teacher_options.ts";

/**
 * Creates a teacher for a server with an OpenAI-compatible API: chat completions, or another
 * `endpoint`.
 *
 * One `complete()` is one POST: it is never repeated, not even if the connection breaks.
 *
 * @example Ask a local server
 * ```ts ignore
 * await using teacher = openai({ baseUrl: "http://localhost:8000/v1", model: "my-model" });
 * const completion = await teacher.complete(
 *   { uid: "1", messages: [{ role: "user", content: "Why is the sky blue?" }], params: {} },
 *   new AbortController().signal,
 * );
 * console.log(completion.response);
 * ```
 *
 * @param options `model` is required.
 * @returns The teacher. `await using` closes it, and so does `close()`.
 * @throws {TypeError} If an option is unknown, or the model, the address, the endpoint, the key, a
 * header field, a certificate or the proxy cannot be used.
 * @throws {RangeError} If a time is not above 0.
 */
export function openai(options: OpenAICompatibleOptions): OpenAITeacher {
  return new OpenAICompatibleTeacher(resolveTeacherOptions(options));
}

/**
 * The earlier name of {@linkcode openai}.
 *
 * @deprecated Call `openai()`, which is the same function.
 */
export const openaiCompatible: typeof openai = openai;

/** A teacher with an OpenAI-compatible API. `await using` closes it. */
export interface OpenAITeacher extends Required<Teacher>, AsyncDisposable {}

class OpenAICompatibleTeacher implements OpenAITeacher {
  readonly model: string;
  readonly address: string;

  readonly #options: ResolvedTeacherOptions;
  readonly #format: ApiFormat;
  readonly #address: Address;
  readonly #bodies: BodyWriter;
  readonly #shared: AttemptShared;
  readonly #keptFields: KeptFieldsCheck;
  // Shared by all requests for the teacher's own model and service tier.
  readonly #context: AnswerContext;
  #isClosed = false;

  constructor(options: ResolvedTeacherOptions) {
    const { model, stream, timeoutMs, streamIdleTimeoutMs, connectTimeoutMs, now } = options;
    const format = formatOf(options.endpoint);
    const address = parseAddress(options.baseUrl, format.path);
    const key = keyHeader(options.apiKey, address);
    const proxy = address.isLoopback ? undefined : proxyUrl(options.proxy);
    this.model = model;
    this.address = address.shownBaseUrl;
    this.#options = options;
    this.#format = format;
    this.#address = address;
    this.#bodies = new BodyWriter({ format, model, stream });
    this.#keptFields = new KeptFieldsCheck(options.keep);
    this.#shared = {
      address,
      proxyHost: proxy?.host,
      headers: headerList({ ...defaultHeaders(stream), ...key }, options.headers),
      timeoutMs,
      streamIdleTimeoutMs,
      now,
      connections: new Connections({
        origin: address.origin,
        connectTimeoutMs,
        proxy: proxy?.href,
        tls: tlsSettings(options),
        now,
      }),
      deadlines: new Deadlines({ timeoutMs, connectTimeoutMs, streamIdleTimeoutMs, now }),
      aborts: new Aborts(),
      streamHabits: { endsByDoneOnly: false },
    };
    this.#context = {
      model,
      modelAsked: undefined,
      keep: options.keep,
      thinkTags: options.thinkTags,
      redact: redactor(secretsOf(options, address, Object.values(key), proxy)),
      format,
    };
  }

  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    try {
      signal.throwIfAborted();
      if (this.#isClosed) {
        throw new Error(`Cannot ask the teacher at ${this.address}: it was closed`);
      }
      const { text, model, modelAsked, tierAsked, added } = this.#bodies.write(request);
      const context = modelAsked === undefined && tierAsked === undefined
        ? this.#context
        : { ...this.#context, model, modelAsked, tierAsked };
      const attempt = new Attempt(this.#shared, context, signal, request.timeoutMs);
      attempt.start(text);
      return this.#checked(attempt.promise, added);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  problem({ messages, params }: Pick<TeacherRequest, "messages" | "params">): string | undefined {
    return this.#format.problem?.(messages, params);
  }

  notices(params: Params): readonly string[] {
    return noticesOf(this.#options, this.#format, this.address, params);
  }

  preview(request: TeacherRequest): unknown {
    const { redact } = this.#context;
    const { secrets } = this.#options;
    const headers: Record<string, string> = {};
    const list = this.#shared.headers;
    for (let i = 0; i < list.length; i += 2) {
      const value = list[i + 1];
      const isSecret = isSecretHeader(list[i]) || secrets.includes(value);
      headers[list[i]] = isSecret ? redactHeader(value) : redact(value);
    }
    return {
      method: "POST",
      url: this.#address.shownRequestUrl,
      headers,
      body: this.#bodies.fields(request),
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#shared.connections.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Adds a notice to an answer if fields to keep are missing. If the teacher rejects a field that
   * Retort added, later requests omit it.
   */
  #checked(promise: Promise<Completion>, added: readonly Addition[]): Promise<Completion> {
    const { address } = this;
    const answer = this.#keptFields.isChecking
      ? promise.then((completion) => this.#keptFields.check(completion, address))
      : promise;
    if (added.length === 0) return answer;
    return answer.catch((error) => {
      throw withdrawRefused(error, added, this.#bodies, address);
    });
  }
}

/** All secrets that a server might quote. */
function secretsOf(
  { apiKey, headers, secrets: userSecrets }: ResolvedTeacherOptions,
  address: Address,
  keys: readonly string[],
  proxy: URL | undefined,
): string[] {
  const secrets = [...address.secrets, ...userSecrets, ...keys.map(withoutScheme)];
  if (apiKey !== undefined) secrets.push(apiKey);
  for (const [name, value] of Object.entries(headers)) {
    if (isSecretHeader(name)) secrets.push(value, withoutScheme(value));
  }
  if (proxy !== undefined) secrets.push(proxy.password, decodeURIComponent(proxy.password));
  return secrets;
}

function withoutScheme(authorization: string): string {
  return authorization.replace(/^\S+ /, "");
}

/** The number of answers that are checked for the fields to keep. */
const CHECKED_ANSWERS = 10;

/** Checks the first answers of a teacher for the fields to keep (`keep`). */
class KeptFieldsCheck {
  #missing: string[];
  #answers = 0;

  constructor(names: readonly string[]) {
    this.#missing = [...names];
  }

  /** Whether answers are still checked: some field has not appeared yet. */
  get isChecking(): boolean {
    return this.#missing.length > 0;
  }

  /** Checks an answer. Returns the answer; the last one that is checked gets a notice if fields are
   * still missing. */
  check(completion: Completion, address: string): Completion {
    if (!this.isChecking) return completion;
    const { kept } = completion;
    this.#missing = this.#missing.filter((name) => (kept?.[name] ?? null) === null);
    if (!this.isChecking || ++this.#answers < CHECKED_ANSWERS) return completion;
    const names = this.#missing.map((name) => `"${name}"`).join(" and ");
    this.#missing = [];
    return {
      ...completion,
      notice:
        `None of the first ${CHECKED_ANSWERS} answers of the teacher at ${address} holds ${names} ` +
        "(--keep): the teacher may not support them",
    };
  }
}

/** The header fields of every request, without the key and the user's fields. */
function defaultHeaders(stream: boolean): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: stream ? "text/event-stream, application/json" : "application/json",
    // Without it, some gateways compress, which only costs time, or buffer a stream to compress it.
    "accept-encoding": "identity",
    "user-agent": `retort/${VERSION}`,
  };
}
