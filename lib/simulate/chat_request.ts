/**
 * What a simulated teacher understands of a chat completion request.
 *
 * @module
 */

/** The parts of a request that an answer depends on. */
export interface ChatRequest {
  /** The model that is asked for, given back in the answer. */
  readonly model: string;
  /** The text of all messages. */
  readonly prompt: string;
  /** The text of the last user message. */
  readonly lastUserText: string;
  /** The most tokens that the answer may have, or `Infinity`. */
  readonly maxTokens: number;
  /** Whether the answer is sent as server-sent events. */
  readonly stream: boolean;
  /** Whether such a stream tells the usage. */
  readonly includeUsage: boolean;
}

/** Reads a request body; a text in place of a request says what is wrong with it. */
export function readChatRequest(text: string): ChatRequest | string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return "Cannot parse the body of the request: it must be JSON";
  }
  if (!isObject(body)) return "Cannot read the body of the request: it must be an object";
  const { model = "simulated", messages, stream = false, stream_options: streamOptions, n = 1 } =
    body;
  if (typeof model !== "string") return `"model" must be a string: current value is ${show(model)}`;
  if (typeof stream !== "boolean") {
    return `"stream" must be a boolean: current value is ${show(stream)}`;
  }
  if (n !== 1) return `"n" must be 1 for a simulated teacher: current value is ${show(n)}`;
  if (!isMessages(messages)) {
    return '"messages" must be an array of one or more messages with a role';
  }
  const maxTokens = body.max_completion_tokens ?? body.max_tokens ?? Infinity;
  if (typeof maxTokens !== "number" || maxTokens < 1) {
    return `"max_tokens" must be 1 or more: current value is ${show(maxTokens)}`;
  }
  const includeUsage = isObject(streamOptions) && streamOptions.include_usage === true;
  const lastUserText = lastUserTextOf(messages);
  return { model, prompt: promptText(messages), lastUserText, maxTokens, stream, includeUsage };
}

/** The text of all messages with their roles, by which a prompt is known. */
export function promptText(messages: readonly Record<string, unknown>[]): string {
  let text = "";
  for (const { role, content } of messages) {
    text += `${role}\n${typeof content === "string" ? content : JSON.stringify(content)}\n\n`;
  }
  return text;
}

function lastUserTextOf(messages: readonly Record<string, unknown>[]): string {
  const last = messages.findLast((message) => message.role === "user") ?? messages.at(-1);
  const content = last?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => isObject(part) && typeof part.text === "string" ? part.text : "")
    .join("");
}

function isMessages(value: unknown): value is Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((message) => isObject(message) && typeof message.role === "string");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 80);
}
