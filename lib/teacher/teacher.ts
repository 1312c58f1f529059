/**
 * The one thing that the engine knows of a teacher. Anything that fits can be plugged in.
 *
 * @module
 */

/** One message of a chat, in the OpenAI form. `content` may be text or content parts (images). */
export interface Message {
  /** `system`, `user`, `assistant`, `tool`, … */
  role: string;
  /** Text, a list of content parts, or null beside tool calls. */
  content?: unknown;
  /** Anything else that the row carries (`name`, `tool_calls`, `tool_call_id`, …) goes through. */
  [key: string]: unknown;
}

/**
 * Sampling parameters by the names of the teacher's API (`temperature`, `max_tokens`, …). A number
 * that JavaScript would write differently than the user did is held as `JSON.rawJSON`, so that
 * `JSON.stringify` gives back `1.0` and 19-digit integers as they were.
 */
export type Params = Readonly<Record<string, unknown>>;

/** What a teacher is asked. */
export interface TeacherRequest {
  /** The row's identity, for logs and for teachers that answer by table. */
  readonly uid: string;
  /** The conversation, oldest first. */
  readonly messages: readonly Message[];
  /** The run's parameters with the row's own over them. The same object for every row that sets none. */
  readonly params: Params;
  /** The JSON Schema that answers should be of. A teacher that can be asked for that is, unless the
   * parameters say something else of the form of the answer. @default any text will do */
  readonly jsonSchema?: AskedSchema;
  /**
   * The longest that this attempt may take, in milliseconds: what is left of its row's time.
   *
   * @default the teacher's own
   */
  readonly timeoutMs?: number;
}

/** A JSON Schema as a teacher is asked for it: the fields of `response_format.json_schema`. */
export interface AskedSchema {
  /** Its name: letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  /** The schema. */
  readonly schema: unknown;
  /** Whether the teacher must follow it to the letter. @default the teacher's own */
  readonly strict?: boolean;
  /** What it is for. @default nothing is said */
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
  /** Prompt tokens that came out of a cache. @default 0 */
  readonly cachedTokens?: number;
  /** Prompt tokens that were written to a cache. @default 0 */
  readonly cacheWriteTokens?: number;
  /** What the teacher says that it bills for the answer, in US dollars. @default it says nothing */
  readonly costUsd?: number;
}

/**
 * How much may be sent before a teacher refuses for the rate of it, in its own words. Everything is
 * optional: teachers differ in what they say.
 */
export interface RateLimit {
  /** Requests that are left. */
  readonly requestsLeft?: number;
  /** How many there are at most. */
  readonly requestsLimit?: number;
  /** Milliseconds until they are all there again. */
  readonly requestsResetMs?: number;
  /** Tokens that are left. */
  readonly tokensLeft?: number;
  /** How many there are at most. */
  readonly tokensLimit?: number;
  /** Milliseconds until they are all there again. */
  readonly tokensResetMs?: number;
}

/** A teacher's answer to one request. */
export interface Completion {
  /** The answer, without the reasoning. */
  readonly response: string;
  /** The reasoning. @default "" */
  readonly reasoning?: string;
  /** Why it ended, in the server's own word: `stop`, `length`, `content_filter`, `tool_calls`, …; "" where
   * it does not say. What is no known word for a whole answer is not kept (`acceptEndings`). */
  readonly finishReason: string;
  /** Why it may not be whole, where more is known of it than the finish reason says: a sentence without a
   * final period. @default nothing is known */
  readonly doubt?: string;
  /** Whether the model refused to answer (`message.refusal`); its words are the response. @default false */
  readonly isRefusal?: boolean;
  /** Tokens, or null where the teacher says nothing of them. */
  readonly usage: Usage | null;
  /** The model that answered, as the teacher names it. */
  readonly model: string;
  /** The model that was asked for. @default the teacher's `model` */
  readonly modelAsked?: string;
  /** The tier of service that the answer was given at (`flex`, `priority`, …): the one that the teacher
   * names, else the one that was asked for. @default the teacher's standard */
  readonly serviceTier?: string;
  /** The teacher's id for the answer. @default "" */
  readonly id?: string;
  /** Tool calls in the OpenAI form; an answer that is one is complete without text. */
  readonly toolCalls?: readonly unknown[];
  /** Milliseconds until the first token was seen. @default the whole latency */
  readonly ttftMs?: number;
  /** The address that answered, without credentials. @default the teacher's `address` */
  readonly teacher?: string;
  /** More of the raw answer, asked for by name (`keep`). */
  readonly kept?: Readonly<Record<string, unknown>>;
  /** What the teacher says of its rate limit. @default it says nothing */
  readonly rateLimit?: RateLimit;
  /** What the user should know of this teacher, said once. @default nothing */
  readonly notice?: string;
}

/**
 * Answers one request at a time, any number of them at once.
 *
 * `complete` makes one attempt (one POST at most) and never retries; it throws a `TeacherError` when
 * the attempt failed, and rejects soon after `signal` is aborted. Anything else that it throws fails
 * the row at once with the type `teacher`.
 */
export interface Teacher {
  /** The model that is asked, part of a run's identity. @default "" */
  readonly model?: string;
  /** Where it is, without credentials; written to each line. @default "" */
  readonly address?: string;
  /** Makes one attempt. */
  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion>;
  /** Why a request can never be sent to this teacher, fit to stand after `file:line: `, or undefined.
   * Asked before a run, for each row. @default every request can */
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
