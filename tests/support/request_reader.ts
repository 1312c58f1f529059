/**
 * HTTP/1.1 requests on bare TCP connections, for servers whose behaviour no HTTP library allows.
 *
 * @module
 */

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
