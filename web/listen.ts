/** The server that listens for a page, and the URL of the page. @module */

import type { Hono } from "../lib/deps/hono.ts";
import { UsageError } from "../lib/errors.ts";
import { systemReason } from "../lib/files.ts";
import { delay } from "../lib/timer.ts";

export const DEFAULT_HOSTNAME = "127.0.0.1";

interface ListenOptions {
  /** @default "127.0.0.1" */
  readonly hostname?: string;
  /** @default any free port */
  readonly port?: number;
  readonly signal: AbortSignal;
  /** What is served, for messages: "the monitor". */
  readonly served: string;
}

export function listen(
  app: { fetch(request: Request): Response | Promise<Response> },
  { hostname = DEFAULT_HOSTNAME, port = 0, signal, served }: ListenOptions,
): PageServer {
  const onError = () => new Response(`Cannot answer: ${served} has failed`, { status: 500 });
  const serve = (port: number) =>
    Deno.serve(
      { hostname, port, signal, onError, onListen: () => {} },
      (request) => app.fetch(request),
    );
  try {
    return new PageServer(serve, port, signal);
  } catch (error) {
    throw new UsageError(
      `Cannot serve ${served} on ${urlHost(hostname)}:${port}: ${problemOf(error)}`,
      { cause: error },
    );
  }
}

/** How long to wait after a connection could not be accepted. */
const LISTEN_AGAIN_MS = 500;

/**
 * A server that only `signal` ends. `Deno.serve` ends with an error if it cannot accept a
 * connection: anyone who opens many connections, without the token, would end the run. When it
 * ends, it closes the connections and so frees file descriptors. Another server then replaces it.
 */
export class PageServer {
  readonly port: number;
  readonly finished: Promise<void>;
  readonly #serve: (port: number) => Deno.HttpServer<Deno.NetAddr>;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #isReferenced = true;

  constructor(
    serve: (port: number) => Deno.HttpServer<Deno.NetAddr>,
    port: number,
    signal: AbortSignal,
  ) {
    this.#serve = serve;
    this.#server = serve(port);
    this.port = this.#server.addr.port;
    this.finished = this.#serveUntil(signal);
  }

  /** Lets the process end although the server listens. */
  unref(): void {
    this.#isReferenced = false;
    this.#server.unref();
  }

  ref(): void {
    this.#isReferenced = true;
    this.#server.ref();
  }

  async #serveUntil(signal: AbortSignal): Promise<void> {
    while (true) {
      try {
        return await this.#server.finished;
      } catch {
        // Another program may have taken the port and keep it: this may go on until `signal`.
        await delay(LISTEN_AGAIN_MS, signal, { keepsAlive: this.#isReferenced });
      }
      if (signal.aborted) return;
      try {
        this.#server = this.#serve(this.port);
        if (!this.#isReferenced) this.#server.unref();
      } catch {
        // There is no file descriptor for a server either: the old one fails again at once.
      }
    }
  }
}

/** Returns the URL to open in a browser, with the token. Disposing ends the server. */
export function servePage(
  app: Hono,
  { hostname, port, token }: { hostname?: string; port?: number; token: string },
): AsyncDisposable & { readonly url: string } {
  const abort = new AbortController();
  const server = listen(app, { hostname, port, signal: abort.signal, served: "the page" });
  return {
    url: pageUrl(hostname, server.port, token),
    async [Symbol.asyncDispose]() {
      abort.abort();
      await server.finished;
    },
  };
}

export function pageUrl(hostname = DEFAULT_HOSTNAME, port: number, token: string): string {
  return `http://${openableHost(hostname)}:${port}/?token=${token}`;
}

/** Replaces a wildcard address: browsers cannot open it. */
function openableHost(hostname: string): string {
  if (hostname === "0.0.0.0") return DEFAULT_HOSTNAME;
  return hostname === "::" ? "[::1]" : urlHost(hostname);
}

/** The host as written in a URL. */
export function urlHost(hostname: string): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
}

function problemOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "the port is taken: choose another port, or leave it out for any free one";
  }
  const reason = systemReason(error);
  const isOtherHost = error instanceof Deno.errors.AddrNotAvailable ||
    reason.startsWith("failed to lookup address");
  return isOtherHost ? `${reason}: the host must be an address of this machine` : reason;
}
