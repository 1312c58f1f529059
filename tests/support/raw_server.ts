/**
 * An HTTP server on bare TCP that can do what no HTTP library would: read a whole request and hang
 * up on the connection, say nothing, or break off in the middle of its answer.
 *
 * @module
 */

import { chatAnswer, promptOf } from "./ledger_server.ts";

/** What becomes of one POST that was read to its end. */
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
  /** Which POST of the server it is, from 1. */
  readonly n: number;
  /** Which POST of its connection it is, from 1: past 1 the connection is a reused one. */
  readonly onConnection: number;
  /** How many times this prompt has been asked, this one included. */
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
  /** How many times each prompt was asked. */
  readonly prompts: ReadonlyMap<string, number>;
  /** Cuts all connections and ends. */
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1 that does with each POST what `policy` says. */
export function serveRaw(policy: (request: RawRequest) => RawAction = () => "answer"): RawServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const running = new Set<Promise<void>>();
  const prompts = new Map<string, number>();
  let posts = 0, connections = 0;

  async function serve(connection: Deno.Conn): Promise<void> {
    const reader = new RequestReader(connection);
    let onConnection = 0;
    try {
      while (true) {
        const request = await reader.next();
        if (request === undefined) return;
        const prompt = promptOf(JSON.parse(request || "null"));
        const asked = (prompts.get(prompt) ?? 0) + 1;
        prompts.set(prompt, asked);
        const action = policy({ n: ++posts, onConnection: ++onConnection, asked, prompt });
        if (action === "hangup") return;
        if (action === "stall") continue; // reads on: ends when either side hangs up
        await writeAll(connection, bytesOf(action, prompt));
        if (action === "half") return;
      }
    } catch {
      // The other side hung up.
    } finally {
      if (open.delete(connection)) connection.close();
    }
  }

  async function accept(): Promise<void> {
    for await (const connection of listener) {
      connections++;
      open.add(connection);
      const served = serve(connection).finally(() => running.delete(served));
      running.add(served);
    }
  }

  const accepting = accept();
  const close = async () => {
    listener.close();
    for (const connection of open) connection.close();
    open.clear();
    await Promise.all([accepting, ...running]);
  };
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/v1`,
    prompts,
    get posts() {
      return posts;
    },
    get connections() {
      return connections;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function bytesOf(action: RawAction, prompt: string): Uint8Array {
  const encoder = new TextEncoder();
  if (action === "hush") {
    const delta = '{"choices":[{"index":0,"delta":{"content":"a"}}]}';
    return encoder.encode(
      `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ${delta}\n\n`,
    );
  }
  if (action === "mumble") {
    return encoder.encode("HTTP/1.1 429 Slow down\r\ncontent-length: 100\r\n\r\ntoo many");
  }
  const bytes = answerBytes(prompt);
  return action === "answer" ? bytes : bytes.subarray(0, -40);
}

function answerBytes(prompt: string): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(chatAnswer(`answer to ${prompt}`)));
  const head =
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  return concat(new TextEncoder().encode(`${head}\r\n\r\n`), body);
}

/** Writes all of it, in as many pieces as it takes. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}

/** Reads request after request from a connection. */
export class RequestReader {
  /** The request line and the header fields of the last request. */
  head = "";

  readonly #connection: Deno.Conn;
  #held = new Uint8Array(0);

  /** Reads from `connection`. */
  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** The body of the next request, or undefined when the other side hung up. */
  async next(): Promise<string | undefined> {
    let head = "";
    while (!head.endsWith("\r\n\r\n")) {
      const line = await this.#line();
      if (line === undefined) return undefined;
      head += line;
    }
    this.head = head;
    if (/^transfer-encoding:\s*chunked/im.test(head)) return await this.#chunks();
    const length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0);
    const body = await this.#bytes(length);
    return body && new TextDecoder().decode(body);
  }

  async #chunks(): Promise<string | undefined> {
    let body = new Uint8Array(0);
    while (true) {
      const length = parseInt(await this.#line() ?? "", 16);
      const chunk = await this.#bytes(length);
      if (chunk === undefined || await this.#line() === undefined) return undefined;
      if (length === 0) return new TextDecoder().decode(body);
      body = concat(body, chunk);
    }
  }

  /** One line with its CRLF. */
  async #line(): Promise<string | undefined> {
    let end: number;
    while ((end = this.#held.indexOf(10)) < 0) if (!await this.#fill()) return undefined;
    return new TextDecoder().decode(await this.#bytes(end + 1));
  }

  async #bytes(count: number): Promise<Uint8Array | undefined> {
    while (this.#held.length < count) if (!await this.#fill()) return undefined;
    const bytes = this.#held.slice(0, count);
    this.#held = this.#held.slice(count);
    return bytes;
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer);
    if (count === null) return false;
    this.#held = concat(this.#held, buffer.subarray(0, count));
    return true;
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
