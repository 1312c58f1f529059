/**
 * The interface between the engine and a teacher. Anything that implements it is a teacher.
 *
 * @module
 */

/** One message of a chat, in the OpenAI form. `content` may be text or content parts (images). */
export interface Message {
  /** `system`, `user`, `assistant`, `tool`, … */
  role: string;
  /** Text, a list of content parts, or null with tool calls. */
  content?: unknown;
  /** Anything else that the row carries (`name`, `tool_calls`, `tool_call_id`, …) is sent as it is. */
  [key: string]: unknown;
}

/**
 * Sampling parameters under the names of the teacher's API (`temperature`, `max_tokens`, …). A number that
 * JavaScript would write differently is held as `JSON.rawJSON`, so that `JSON.stringify` writes `1.0` and
 * 19-digit integers as the user did.
 */
export type Params = Readonly<Record<string, unknown>>;

/** A request to a teacher. */
export interface TeacherRequest {
  /** The row's identity, for logs and for teachers that answer by table. */
  readonly uid: string;
  /** The conversation, oldest first. */
  readonly messages: readonly Message[];
  /** The run's parameters with the row's own merged over them. Rows without their own share one object. */
  readonly params: Params;
  /** The JSON Schema that answers should follow. A teacher that supports schemas sends it, unless the
   * parameters already determine the form of the answer. @default any text */
  readonly jsonSchema?: AskedSchema;
  /**
   * The longest time for this attempt, in milliseconds: what is left of its row's time.
   *
   * @default the teacher's own
   */
  readonly timeoutMs?: number;
}

/** A JSON Schema as it is sent: the fields of `response_format.json_schema`. */
export interface AskedSchema {
  /** Its name: letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  /** The schema. */
  readonly schema: unknown;
  /** Whether the teacher must follow it to the letter. @default the teacher's own */
  readonly strict?: boolean;
  /** A description for the model. @default nothing is said */
  readonly description?: string;
}

/** Tokens as the teacher counted them. */
export interface Usage {
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Tokens of the answer, reasoning included. */
  readonly completionTokens: number;
  /** Tokens of the reasoning. @default 0 */
  readonly reasoningTokens?: number;
  /** Prompt tokens that were read from a cache. @default 0 */
  readonly cachedTokens?: number;
  /** Prompt tokens that were written to a cache. @default 0 */
  readonly cacheWriteTokens?: number;
  /** The price of the answer as the teacher states it, in US dollars. @default it says nothing */
  readonly costUsd?: number;
}

/**
 * The rate limit of a teacher, as it states it. Everything is optional, because teachers state different
 * parts.
 */
export interface RateLimit {
  /** Requests that are left. */
  readonly requestsLeft?: number;
  /** The limit. */
  readonly requestsLimit?: number;
  /** Milliseconds until the limit is reset. */
  readonly requestsResetMs?: number;
  /** Tokens that are left. */
  readonly tokensLeft?: number;
  /** The limit. */
  readonly tokensLimit?: number;
  /** Milliseconds until the limit is reset. */
  readonly tokensResetMs?: number;
}

/** A teacher's answer to one request. */
export interface Completion {
  /** The answer, without the reasoning. */
  readonly response: string;
  /** The reasoning. @default "" */
  readonly reasoning?: string;
  /** Why it ended, as the server sent it: `stop`, `length`, `content_filter`, `tool_calls`, …; "" if the
   * server does not say. An answer is not kept if its reason is not known to mean a complete answer
   * (`acceptEndings`). */
  readonly finishReason: string;
  /** Why it may be incomplete, beyond what the finish reason says: a sentence without a final period.
   * @default nothing is known */
  readonly doubt?: string;
  /** Whether the model refused to answer (`message.refusal`); its words are the response. @default false */
  readonly isRefusal?: boolean;
  /** Token counts, or null if the teacher reports none. */
  readonly usage: Usage | null;
  /** The model that answered, as the teacher names it. */
  readonly model: string;
  /** The requested model. @default the teacher's `model` */
  readonly modelAsked?: string;
  /** The service tier of the answer (`flex`, `priority`, …): the one that the teacher names, else the requested
   * one. @default the teacher's standard */
  readonly serviceTier?: string;
  /** The teacher's id for the answer. @default "" */
  readonly id?: string;
  /** Tool calls in the OpenAI form; an answer that is one is complete without text. */
  readonly toolCalls?: readonly unknown[];
  /** Milliseconds until the first token was seen. @default the whole latency */
  readonly ttftMs?: number;
  /** The address that answered, without credentials. @default the teacher's `address` */
  readonly teacher?: string;
  /** Further raw fields of the answer, by name (`keep`). */
  readonly kept?: Readonly<Record<string, unknown>>;
  /** What the teacher says about its rate limit. @default it says nothing */
  readonly rateLimit?: RateLimit;
  /** What the user should know about this teacher; given once. @default nothing */
  readonly notice?: string;
}

/**
 * A teacher answers requests, any number of them at once.
 *
 * `complete` makes one attempt (one POST at most) and never retries; it throws a `TeacherError` when
 * the attempt failed, and rejects soon after `signal` is aborted. Anything else that it throws fails
 * the row at once with the type `teacher`.
 */
export interface Teacher {
  /** The requested model, part of a run's identity. @default "" */
  readonly model?: string;
  /** Where it is, without credentials; written to each line. @default "" */
  readonly address?: string;
  /** Makes one attempt. */
  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion>;
  /** Why a request can never be sent to this teacher, as it follows `file:line: `, or undefined. Called
   * for each row before a run. @default every request can be sent */
  problem?(request: Pick<TeacherRequest, "messages" | "params">): string | undefined;
  /** What the user should know before a run with these parameters. @default nothing */
  notices?(params: Params): readonly string[];
  /** What would be sent, for `--dry-run`; no call is made. */
  preview?(request: TeacherRequest): unknown;
  /** Frees sockets and timers. The caller that made the teacher calls it. */
  close?(): Promise<void>;
}

/**
 * Lets `await using` close a teacher of your own.
 *
 * @param teacher The teacher. It gets a method `[Symbol.asyncDispose]`, which calls its `close()` where it has one.
 * @returns The same object.
 */
export function disposable<T extends Teacher>(teacher: T): T & AsyncDisposable {
  return Object.assign(teacher, {
    async [Symbol.asyncDispose]() {
      await teacher.close?.();
    },
  });
}
