/**
 * A client of a run's monitor that looks like a browser.
 *
 * @module
 */

import { openWebSocket } from "../support/web_socket.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { ServerMessage, SnapshotMessage } from "../../web/protocol.ts";
import type { CliProcess } from "../support/process.ts";

/** A browser that has opened the printed address. */
export class Browser implements AsyncDisposable {
  /** `http://127.0.0.1:PORT/`. */
  readonly base: string;
  /** The token of the address. */
  readonly token: string;
  /** The cookie for the token. */
  readonly cookie: string;
  /** The messages to the page. */
  readonly messages: ServerMessage[] = [];
  readonly #socket: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  #arrived = Promise.withResolvers<void>();

  private constructor(base: string, token: string, cookie: string) {
    this.base = base;
    this.token = token;
    this.cookie = cookie;
    const headers = { origin: new URL(base).origin, cookie };
    this.#socket = openWebSocket(`ws${base.slice("http".length)}ws`, headers);
    this.#socket.onmessage = ({ data }) => {
      this.messages.push(JSON.parse(data));
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    };
    this.#socket.onclose = () => {
      this.#closed.resolve();
      this.#arrived.resolve();
    };
    this.#socket.onerror = (event) => event.preventDefault();
  }

  /** Waits for the printed address, and goes the way of a browser from there. */
  static async open(child: CliProcess): Promise<Browser> {
    const [, url, base, token] = await child.untilStderr(
      /^Monitor: ((http:\/\/127\.0\.0\.1:\d+\/)\?token=([\w-]{32}))$/m,
    );
    const redirect = await fetch(url, { redirect: "manual" });
    await redirect.body?.cancel();
    assertEquals([redirect.status, redirect.headers.get("location")], [303, "./"]);
    const [cookie] = (redirect.headers.get("set-cookie") ?? "").split(";");
    const browser = new Browser(base, token, cookie);
    await browser.until(() => browser.messages.length > 0);
    return browser;
  }

  /** Waits until something holds that only a message can change. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#socket.readyState > WebSocket.OPEN) throw new Error("The socket was closed");
      await this.#arrived.promise;
    }
  }

  /** Waits for a snapshot. */
  async untilSnapshot(isIt: (snapshot: SnapshotMessage["snapshot"]) => boolean): Promise<void> {
    await this.until(() =>
      this.messages.some((one) => one.type === "snapshot" && isIt(one.snapshot))
    );
  }

  /** Opens a connection that says these lines, and nothing more; nor does it read. */
  async goneAfter(first: string, ...lines: string[]): Promise<Deno.TcpConn> {
    const { hostname, port, host, origin } = new URL(this.base);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const head = [first, `Host: ${host}`, `Origin: ${origin}`, `Cookie: ${this.cookie}`, ...lines];
    await connection.write(new TextEncoder().encode(head.join("\r\n") + "\r\n"));
    return connection;
  }

  /** The status and the text of a page. */
  async get(
    path: string,
    headers: HeadersInit = { cookie: this.cookie },
  ): Promise<[number, string]> {
    const response = await fetch(this.base + path, { headers });
    return [response.status, await response.text()];
  }

  /** Uses a control; gives the status. */
  async post(name: string, body: unknown, headers: HeadersInit = {}): Promise<number> {
    const response = await fetch(`${this.base}control/${name}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        origin: new URL(this.base).origin,
        cookie: this.cookie,
        ...headers,
      },
      body: JSON.stringify(body),
    });
    await response.body?.cancel();
    return response.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
  }
}
