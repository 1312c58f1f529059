/**
 * An HTTP server on bare TCP that sends the given bytes, whether or not they are valid HTTP, and
 * that records its requests.
 *
 * @module
 */

import { promptOf } from "./ledger_server.ts";

/** A part of a body. */
type Piece = string | Uint8Array;

/** The reply to one POST. */
export interface Reply {
  /** The HTTP status. @default 200 */
  readonly status?: number;
  /** The header fields, but for those that frame the body. @default {} */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body as it goes over the wire; several pieces are several writes. One that comes bit by
   * bit needs a framing that does not state its length. */
  readonly body: Piece | readonly Piece[] | AsyncIterable<Piece>;
  /**
   * How the end of the body is marked: its length, chunks, or the end of the connection. @default
   * "length"
   */
  readonly framing?: "length" | "chunked" | "close";
  /** Whether the connection closes before the announced end of the body. @default false */
  readonly breaks?: boolean;
  /** Whether nothing is sent at all: the connection closes. @default false */
  readonly hangsUp?: boolean;
  /** Whether the connection closes right after a body that is whole. @default false */
  readonly closes?: boolean;
  /** The delay of that, in milliseconds. @default 0 */
  readonly closesAfterMs?: number;
  /** Whether nothing more is sent, and the connection stays open until the client closes it.
   * @default false */
  readonly stalls?: boolean;
  /** Bytes instead of status line, header fields and body; several pieces are several writes. */
  readonly raw?: Piece | readonly Piece[];
  /** Bytes before the status line, such as an interim answer, one write each. @default none */
  readonly interim?: string | readonly string[];
}

/** One POST that was read to its end. */
export interface Post {
  /** The number of the POST at the server, from 1. */
  readonly n: number;
  /** The number of POSTs with this prompt, including this one. */
  readonly asked: number;
  /** The last user message. */
  readonly prompt: string;
  /** The parsed body. */
  // deno-lint-ignore no-explicit-any -- a test knows what it sent
  readonly body: any;
  /** The request line and the header fields, as they came. */
  readonly head: string;
  /** The number of the POST on its connection, from 1: above 1 the connection is reused. */
  readonly onConnection: number;
  /** The number of unanswered POSTs, including this one. */
  readonly open: number;
}

/** Replies in turn for each prompt, the last one over and over; or a function that gives them. */
export type Script = readonly Reply[] | ((post: Post) => Reply | Promise<Reply>);

/** A running scripted server. */
interface ScriptedServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** Every POST, in the order in which they were read. */
  readonly posts: readonly Post[];
  /** How many connections were made. */
  readonly connections: number;
}

/** How a scripted server keeps its posts. */
interface ScriptedOptions {
  /** Whether `posts` are kept. @default true */
  keep?: boolean;
  /** Called once the last byte of a reply was handed to the connection. */
  sent?: (post: Post, reply: Reply) => void;
}

/** Starts a server on 127.0.0.1 that follows a script. */
export function serveScript(script: Script, options: ScriptedOptions = {}): ScriptedServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const replyTo = typeof script === "function" ? script : inTurn(script);
  const sockets = new Set<Deno.Conn>(), running = new Set<Promise<void>>();
  const prompts = new Map<string, number>();
  const posts: Post[] = [];
  let connections = 0, open = 0, read = 0;

  async function serve(connection: Deno.Conn): Promise<void> {
    const reader = new RequestReader(connection);
    let onConnection = 0;
    try {
      while (true) {
        const text = await reader.next();
        if (text === undefined) return;
        const body = JSON.parse(text || "null"), prompt = promptOf(body);
        const asked = (prompts.get(prompt) ?? 0) + 1;
        prompts.set(prompt, asked);
        const { head } = reader;
        const post = {
          n: ++read,
          asked,
          prompt,
          body,
          head,
          onConnection: ++onConnection,
          open: ++open,
        };
        if (options.keep ?? true) posts.push(post);
        try {
          const reply = await replyTo(post);
          if (reply.hangsUp) return;
          for await (const bytes of bytesOf(reply)) await writeAll(connection, bytes);
          options.sent?.(post, reply);
          if (reply.stalls) return void await reader.next();
          if (reply.closesAfterMs) await later(reply.closesAfterMs);
          if (reply.breaks || reply.closes || reply.framing === "close") return;
        } finally {
          open--;
        }
      }
    } catch {
      // The other side has closed the connection.
    } finally {
      if (sockets.delete(connection)) connection.close();
    }
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      connections++;
      // Otherwise a reply of several writes waits 40 ms for an acknowledgement on a reused
      // connection.
      connection.setNoDelay(true);
      sockets.add(connection);
      const served = serve(connection).finally(() => running.delete(served));
      running.add(served);
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/v1`,
    posts,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of sockets) connection.close();
      sockets.clear();
      await Promise.all([accepting, ...running]);
    },
  };
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function inTurn(replies: readonly Reply[]): (post: Post) => Reply {
  return ({ asked }) => replies[Math.min(asked, replies.length) - 1];
}

/** More bytes than are sent, for a body that breaks off. */
const MISSING_BYTES = 1_000;

async function* bytesOf(reply: Reply): AsyncGenerator<Uint8Array> {
  const { status = 200, headers = {}, framing = "length", breaks = false } = reply;
  if (reply.raw !== undefined) {
    return yield* [reply.raw].flat().map((piece) => bytes(piece as Piece));
  }
  const pieces = piecesOf(reply.body);
  const length = Array.isArray(pieces)
    ? pieces.reduce((sum: number, piece) => sum + bytes(piece).length, breaks ? MISSING_BYTES : 0)
    : 0;
  const fields = { ...headers, ...framingFields(framing, length) };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  for (const piece of [reply.interim ?? []].flat()) yield bytes(piece);
  yield bytes(`HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`);
  for await (const piece of pieces) {
    const part = bytes(piece);
    if (part.length === 0) continue;
    if (framing === "chunked") yield bytes(`${part.length.toString(16)}\r\n`);
    yield part;
    if (framing === "chunked") yield bytes("\r\n");
  }
  if (framing === "chunked" && !breaks) yield bytes("0\r\n\r\n");
}

function piecesOf(body: Reply["body"]): readonly Piece[] | AsyncIterable<Piece> {
  return typeof body === "string" || body instanceof Uint8Array ? [body] : body;
}

function bytes(piece: Piece): Uint8Array {
  return typeof piece === "string" ? encoder.encode(piece) : piece;
}

function framingFields(framing: "length" | "chunked" | "close", length: number) {
  if (framing === "chunked") return { "transfer-encoding": "chunked" };
  return framing === "close" ? { connection: "close" } : { "content-length": String(length) };
}

const encoder = new TextEncoder();

/** Writes all of it, in as many pieces as it takes. */
async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
}

/** Reads request after request from a connection. */
class RequestReader {
  /** The request line and the header fields of the last request. */
  head = "";

  readonly #connection: Deno.Conn;
  #held = new Uint8Array(0);

  /** Reads from `connection`. */
  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** The body of the next request, or undefined when the other side closed the connection. */
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
