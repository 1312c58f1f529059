/** A teacher with an OpenAI-compatible API, such as OpenAI, vLLM or Ollama. @module */

import { changedError, TeacherError } from "../errors.ts";
import { type Addition, BodyWriter, endpointProblem, FORMATS } from "./api_format.ts";
import { Attempt, type AttemptShared } from "./attempt.ts";
import type { AnswerContext } from "./completion.ts";
import { Connections } from "./connections.ts";
import { Aborts, Deadlines } from "./interruptions.ts";
import { parseAddress, proxyUrl, tlsSettings } from "./network.ts";
import { headerList, keyHeader, redactor, secretsOf, shownHeaders } from "./secrets.ts";
import type { Completion, Params, Teacher, TeacherRequest } from "./teacher.ts";
import {
  noticesOf,
  type OpenAICompatibleOptions,
  type ResolvedTeacherOptions,
  resolveTeacherOptions,
} from "./teacher_options.ts";

/**
 * Creates a teacher for a server with an OpenAI-compatible API. It uses chat completions, or
 * another `endpoint`.
 *
 * Each `complete()` is one POST. It is never repeated, even if the connection breaks.
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
 * @returns The teacher, which `await using` or `close()` closes.
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
  readonly #bodies: BodyWriter;
  readonly #shared: AttemptShared;
  readonly #checkKept: ((completion: Completion) => Completion) | undefined;
  // All requests for the teacher's own model and service tier share this context.
  readonly #context: AnswerContext;
  #isClosed = false;

  constructor(options: ResolvedTeacherOptions) {
    const { model, stream, timeoutMs, streamIdleTimeoutMs, connectTimeoutMs, now } = options;
    const limits = { timeoutMs, streamIdleTimeoutMs, connectTimeoutMs, now };
    const format = FORMATS[options.endpoint];
    const address = parseAddress(options.baseUrl, format.path);
    const key = keyHeader(options.apiKey, address);
    const proxy = address.isLoopback ? undefined : proxyUrl(options.proxy);
    this.model = model;
    this.address = address.shownBaseUrl;
    this.#options = options;
    this.#bodies = new BodyWriter(options);
    if (options.keep.length > 0) this.#checkKept = keptFieldsCheck(options.keep, this.address);
    this.#shared = {
      address,
      proxyHost: proxy?.host,
      headers: headerList(stream, key, options.headers),
      ...limits,
      connections: new Connections({
        origin: address.origin,
        connectTimeoutMs,
        proxy: proxy?.href,
        tls: tlsSettings(options),
        now,
      }),
      deadlines: new Deadlines(limits),
      aborts: new Aborts(),
      streamHabits: { endsByDoneOnly: false },
    };
    this.#context = {
      model,
      modelAsked: undefined,
      keep: options.keep,
      isStreamed: stream,
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
      const params = this.#bodies.params(request), { modelAsked, tierAsked } = params;
      const context = modelAsked === undefined && tierAsked === undefined
        ? this.#context
        : { ...this.#context, model: modelAsked ?? this.model, modelAsked, tierAsked };
      // The body is written before the attempt acquires a connection, because messages that cannot
      // be converted to JSON throw here.
      const body = this.#bodies.body(params, request.messages);
      const attempt = new Attempt(this.#shared, context, signal, request.timeoutMs);
      attempt.start(body);
      return this.#checked(attempt.promise, params.added);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  problem({ messages, params }: Pick<TeacherRequest, "messages" | "params">): string | undefined {
    return endpointProblem(this.#options.endpoint, messages, params);
  }

  notices(params: Params): readonly string[] {
    return noticesOf(this.#options, this.address, params);
  }

  preview(request: TeacherRequest): unknown {
    return {
      method: "POST",
      url: this.#shared.address.shownRequestUrl,
      headers: shownHeaders(this.#shared.headers, this.#options.secrets, this.#context.redact),
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

  /** Checks that answers contain the fields to keep (`--keep`). If the teacher rejects a field that
   * Retort added, later requests omit the field. */
  #checked(promise: Promise<Completion>, added: readonly Addition[]): Promise<Completion> {
    const answer = this.#checkKept === undefined ? promise : promise.then(this.#checkKept);
    if (added.length === 0) return answer;
    return answer.catch((error) => {
      throw withdrawRejected(error, added, this.#bodies, this.address);
    });
  }
}

const CHECKED_ANSWERS = 10;

/** Returns a function that checks the answers of a teacher. If a field to keep (`--keep`) is
 * missing from each of the first answers, the function adds a notice to the last of these
 * answers. */
function keptFieldsCheck(names: readonly string[], address: string) {
  let missing = [...names], answers = 0;
  return (completion: Completion): Completion => {
    if (missing.length === 0) return completion;
    missing = missing.filter((name) => (completion.kept?.[name] ?? null) === null);
    if (missing.length === 0 || ++answers < CHECKED_ANSWERS) return completion;
    const shown = missing.map((name) => `"${name}"`).join(" or ");
    const pronoun = missing.length === 1 ? "it" : "them";
    missing = [];
    return {
      ...completion,
      notice:
        `None of the first ${CHECKED_ANSWERS} answers of the teacher at ${address} contains ${shown} ` +
        `(--keep): the teacher may not support ${pronoun}`,
    };
  };
}

/** For each field, the pattern of error messages about it, and the consequence if requests omit
 * it. */
const ADDED_FIELDS: Readonly<Record<Addition, { pattern: RegExp; consequence: string }>> = {
  response_format: {
    // The alternatives are for DeepSeek, Groq, OpenAI, vLLM (`xgrammar` to `guided`) and llama.cpp,
    // in this order.
    pattern:
      /response[ _.]?format|json[ _]?schema|text\.format|xgrammar|structured[ _]?output|guided|\bgrammar\b/i,
    consequence: "answers are still checked against the schema",
  },
  stream_options: {
    pattern: /stream[ _]?options|include[ _]?usage/i,
    consequence: "tokens may not be counted",
  },
  "reasoning.summary": {
    // The pattern excludes `reasoning.effort`, because the user's own value of it may be rejected
    // too.
    pattern: /\breasoning\b(?!\.effort)/i,
    consequence: "answers may come without their reasoning",
  },
  store: {
    pattern: /\bstore\b/i,
    consequence: "the teacher may store requests",
  },
};

/** The statuses with which servers reject a field. Some servers reject a schema with 500. */
const REJECTION_STATUSES = new Set([400, 404, 415, 422, 500, 501]);

/** The number of characters that are searched. Later characters of an error message may quote the
 * request. */
const SEARCHED_CHARS = 300;

/** If an error is about a field that Retort added, omits the field from later requests. Returns an
 * error after which the row is sent again (`isAdjusted`), or any other error unchanged. */
function withdrawRejected(
  error: unknown,
  added: readonly Addition[],
  bodies: BodyWriter,
  address: string,
): unknown {
  if (!(error instanceof TeacherError) || !mayBlameField(error)) return error;
  const searched = error.message.slice(0, SEARCHED_CHARS);
  const field = added.find((addition) => ADDED_FIELDS[addition].pattern.test(searched));
  if (field === undefined) return error;
  // Several requests with the field may be in flight, but only the first error notifies the user.
  const isFirst = bodies.omit(field);
  return changedError(error, {
    isAdjusted: true,
    retryAfterMs: undefined,
    notice: isFirst
      ? `The teacher at ${address} rejects ${field} (${error.message}): ` +
        `later requests omit it; ${ADDED_FIELDS[field].consequence}`
      : undefined,
  });
}

/** Whether an error may be about a field of the request. Servers also report such errors in 2xx
 * responses. */
function mayBlameField({ status }: TeacherError): boolean {
  return status !== undefined && (status < 300 || REJECTION_STATUSES.has(status));
}
