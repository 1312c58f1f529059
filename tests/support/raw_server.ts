/**
 * A scripted server with named faults: it reads a whole request and then closes the connection,
 * stays silent, or breaks off in the middle of its answer.
 *
 * @module
 */

import { chatAnswer } from "./ledger_server.ts";
import { type Reply, serveScript } from "./scripted_server.ts";

/** The fate of one POST that was read to its end. */
export type RawAction =
  /** A valid completion; the connection stays open. */
  | "answer"
  /** The connection is closed without a byte. */
  | "hangup"
  /** Nothing, until the server is closed. */
  | "stall"
  /** The head and half of the body, then the connection is closed. */
  | "half"
  /** The head and half of the body, then nothing, until the server is closed. */
  | "freeze"
  /** The head of a stream and a token, then nothing, until the server is closed. */
  | "hush"
  /** A refusal (429) of whose body half comes, then nothing, until the server is closed. */
  | "mumble";

/** One POST that was read to its end. */
export interface RawRequest {
  /** The number of the POST at the server, from 1. */
  readonly n: number;
  /** The number of the POST on its connection, from 1: above 1 the connection is reused. */
  readonly onConnection: number;
  /** The number of POSTs with this prompt, including this one. */
  readonly asked: number;
  /** The last user message. */
  readonly prompt: string;
}

/** A running raw server. */
export interface RawServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** How many POSTs were read to their end. */
  readonly posts: number;
  /** How many connections were made. */
  readonly connections: number;
  /** How many times each prompt was sent. */
  readonly prompts: ReadonlyMap<string, number>;
  /** Cuts all connections and ends. */
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1 that does with each POST what `policy` says. */
export function serveRaw(policy: (request: RawRequest) => RawAction = () => "answer"): RawServer {
  const prompts = new Map<string, number>();
  let posts = 0;
  const server = serveScript(({ n, onConnection, asked, prompt }) => {
    posts = n;
    prompts.set(prompt, asked);
    return replyOf(policy({ n, onConnection, asked, prompt }), prompt);
  }, { keep: false });
  const close = async () => await server[Symbol.asyncDispose]();
  return {
    url: server.url,
    prompts,
    get posts() {
      return posts;
    },
    get connections() {
      return server.connections;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

const TOKEN = '{"choices":[{"index":0,"delta":{"content":"a"}}]}';

function replyOf(action: RawAction, prompt: string): Reply {
  const body = JSON.stringify(chatAnswer(`answer to ${prompt}`));
  const headers = { "content-type": "application/json" };
  const half = { headers, body: body.slice(0, -40), breaks: true };
  switch (action) {
    case "answer":
      return { headers, body };
    case "hangup":
      return { body: "", hangsUp: true };
    case "stall":
      return { body: "", raw: "", stalls: true };
    case "half":
      return half;
    case "freeze":
      return { ...half, stalls: true };
    case "hush": {
      const raw = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ${TOKEN}\n\n`;
      return { body: "", raw, stalls: true };
    }
    case "mumble": {
      const raw = "HTTP/1.1 429 Slow down\r\ncontent-length: 100\r\n\r\ntoo many";
      return { body: "", raw, stalls: true };
    }
  }
}
