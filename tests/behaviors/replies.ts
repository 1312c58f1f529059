/**
 * What servers send, for the tables of this folder.
 *
 * @module
 */

import type { Reply } from "../support/scripted_server.ts";

type Fields = Readonly<Record<string, unknown>>;
type Frame = Omit<Reply, "body">;

/** The tokens of every answer that says nothing else. */
export const USAGE = { prompt_tokens: 7, completion_tokens: 11, total_tokens: 18 };

/** A body of JSON. */
export function json(body: unknown, { headers, ...frame }: Frame = {}): Reply {
  return {
    ...frame,
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

/** A whole answer with one choice. `choice` adds to it or replaces its fields; `message` those of
 * the message; `rest` those of the answer. */
export function answer(
  content: unknown,
  { message, choice, ...rest }: { message?: Fields; choice?: Fields; [name: string]: unknown } = {},
): Reply {
  return json({
    id: "chatcmpl-1",
    object: "chat.completion",
    model: "test-model",
    choices: [{
      index: 0,
      message: { role: "assistant", content, ...message },
      finish_reason: "stop",
      ...choice,
    }],
    usage: USAGE,
    ...rest,
  });
}

/** A stream: objects become `data:` lines, texts are sent as they are. */
export function events(list: readonly unknown[], { headers, ...frame }: Frame = {}): Reply {
  return {
    framing: "chunked",
    ...frame,
    headers: { "content-type": "text/event-stream", ...headers },
    body: list.map((one) => typeof one === "string" ? one : `data: ${JSON.stringify(one)}\n\n`),
  };
}

/** A chunk of a stream with a piece of the answer. */
export function delta(content: unknown, choice: Fields = {}): Fields {
  return {
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: { content }, finish_reason: null, ...choice }],
  };
}

/** The chunk that ends an answer. */
export function finish(reason: unknown = "stop", rest: Fields = {}): Fields {
  return {
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: {}, finish_reason: reason }],
    ...rest,
  };
}

/** The line that ends a stream. */
export const DONE = "data: [DONE]\n\n";
