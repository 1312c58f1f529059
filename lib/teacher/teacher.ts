/** The interface between the engine and a teacher. Any object that implements this interface is a
 * teacher.
 * @module */

/** A chat message in OpenAI's form. */
export interface Message {
  /** `system`, `user`, `assistant`, `tool`, … */
  role: string;
  /** Text, a list of content parts (text, images), or null if the message has tool calls. */
  content?: unknown;
  /** Other fields of the row's message (`name`, `tool_calls`, …), sent unchanged. */
  [key: string]: unknown;
}

/** Parameters under the names of the teacher's API (`temperature`, `max_tokens`, …). A number that
 * JavaScript would change is a `JSON.rawJSON`, so that `JSON.stringify` writes `1.0` and 19-digit
 * integers as the user wrote them. */
export type Params = Readonly<Record<string, unknown>>;

/** What one attempt sends. */
export interface TeacherRequest {
  /** The id of the row, for logs and for teachers that answer from a table. */
  readonly uid: string;
  /** The conversation, oldest first. */
  readonly messages: readonly Message[];
  /** The row's parameters merged over those of the run. Rows without parameters share one
   * object. */
  readonly params: Params;
  /** The JSON Schema that answers should follow. It is not sent if the teacher rejects schemas, or
   * if `params` contain `response_format` or tools. @default none */
  readonly jsonSchema?: AskedSchema | undefined;
  /** The milliseconds that the row has left. The teacher must end the attempt by then.
   * @default the teacher's own limit */
  readonly timeoutMs?: number | undefined;
  /** The number of answers to the row that were rejected before this request, for example by a
   * check.
   * @default 0 */
  readonly resamples?: number | undefined;
}

/** A JSON Schema as sent: the fields of `response_format.json_schema`. */
export interface AskedSchema {
  /** At most 64 letters, digits, `_` and `-`. */
  readonly name: string;
  /** The schema itself, which may be a boolean. */
  readonly schema: unknown;
  /** Whether the server must enforce the schema exactly. @default the server decides */
  readonly strict?: boolean | undefined;
  /** A description for the model. @default none */
  readonly description?: string | undefined;
}

/** Token counts as the teacher reports them. If the teacher reports only a cost, both counts are
 * 0. */
export interface Usage {
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Tokens of the answer, including reasoning. */
  readonly completionTokens: number;
  /** The completion tokens that were reasoning. @default 0 */
  readonly reasoningTokens?: number | undefined;
  /** The prompt tokens that were read from a cache. @default 0 */
  readonly cachedTokens?: number | undefined;
  /** The prompt tokens that were written to a cache. @default 0 */
  readonly cacheWriteTokens?: number | undefined;
  /** The cost of the answer in US dollars, as the teacher reports it. @default none is reported */
  readonly costUsd?: number | undefined;
}

/** The rate limits that a response states. A value is undefined if the response does not state
 * it. */
export interface RateLimit {
  /** Requests left until the reset. */
  readonly requestsLeft?: number | undefined;
  /** Requests allowed in each period. */
  readonly requestsLimit?: number | undefined;
  /** Milliseconds until the request limit resets. */
  readonly requestsResetMs?: number | undefined;
  /** Tokens left until the reset. */
  readonly tokensLeft?: number | undefined;
  /** Tokens allowed in each period. */
  readonly tokensLimit?: number | undefined;
  /** Milliseconds until the token limit resets. */
  readonly tokensResetMs?: number | undefined;
}

/** A teacher's answer to one request. */
export interface Completion {
  /** The answer without reasoning. */
  readonly response: string;
  /** The reasoning before the answer. @default "" */
  readonly reasoning?: string | undefined;
  /** Why the answer ended, in the server's words: `stop`, `length`, `content_filter`, `tool_calls`,
   * …; "" if the server did not say. Decides whether the answer is complete (see
   * `acceptEndings`). */
  readonly finishReason: string;
  /** The probable cause if `finishReason` is "". It is appended to the message of the failure, as
   * in `The answer ended without a finish reason: this server serves one stream at a time`.
   * @default none */
  readonly doubt?: string | undefined;
  /** Whether the model refused. If there is no other text, `response` contains the refusal.
   * @default false */
  readonly isRefusal?: boolean | undefined;
  /** Token counts; null if the teacher reports none. */
  readonly usage: Usage | null;
  /** The model that answered, under the name that the server uses. */
  readonly model: string;
  /** The model that was requested. @default the teacher's `model` */
  readonly modelAsked?: string | undefined;
  /** The service tier (`flex`, …) under the name that the server uses, or else as requested.
   * @default the standard tier */
  readonly serviceTier?: string | undefined;
  /** The server's id for the answer. @default "" */
  readonly id?: string | undefined;
  /** Tool calls in OpenAI's form. An answer with tool calls may lack text. @default none */
  readonly toolCalls?: readonly unknown[] | undefined;
  /** Milliseconds until the first token arrived. @default the latency of the answer */
  readonly ttftMs?: number | undefined;
  /** The address that answered, without credentials. @default the teacher's `address` */
  readonly teacher?: string | undefined;
  /** Raw fields of the answer by name (option `keep`). @default none */
  readonly kept?: Readonly<Record<string, unknown>> | undefined;
  /** The rate limits that the response states. @default none */
  readonly rateLimit?: RateLimit | undefined;
  /** A message about the teacher for the user. The run shows it once. @default none */
  readonly notice?: string | undefined;
}

/** A source of answers. It accepts any number of requests at the same time. */
export interface Teacher {
  /** The model that is requested. It is part of a run's identity. @default "" */
  readonly model?: string | undefined;
  /** The address without credentials. It is written to each line of the outputs. @default "" */
  readonly address?: string | undefined;
  /** Sends at most one POST. Rejects with a `TeacherError` if the attempt failed, and soon after
   * `signal` is aborted. Any other error fails the row with the type `teacher`, without another
   * attempt. */
  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion>;
  /** Returns why a request can never be sent, in words that follow `file:line: `; undefined if it
   * can be sent. Called for each row before a run. @default every request can be sent */
  problem?(request: Pick<TeacherRequest, "messages" | "params">): string | undefined;
  /** Returns what the user should know before a run with these parameters, one sentence per notice.
   * @default nothing */
  notices?(params: Params): readonly string[];
  /** Returns the request that would be sent, for `--dry-run`. Sends nothing. */
  preview?(request: TeacherRequest): unknown;
  /** Frees sockets and timers. To be called by the code that created the teacher. */
  close?(): Promise<void>;
}

/** Adds `[Symbol.asyncDispose]` to a custom teacher, so that `await using` closes the teacher. */
export function disposable<T extends Teacher>(teacher: T): T & AsyncDisposable {
  return Object.assign(teacher, {
    async [Symbol.asyncDispose]() {
      await teacher.close?.();
    },
  });
}
