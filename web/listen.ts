/** The server that listens for a page, and the URL of the page. @module */

import type { Hono } from "../lib/deps/hono.ts";
import { UsageError } from "../lib/errors.ts";
import { systemReason } from "../lib/files.ts";
import { type OptionRules, text, wholeNumberFrom } from "../lib/options.ts";
import { delay } from "../lib/timer.ts";

export const DEFAULT_HOSTNAME = "127.0.0.1";

/** Where a page is served, and its token. */
export interface PageOptions {
  /**
   * Address to listen on. If it is not a loopback address, the page can be reached from the
   * network. Only the token protects the page, and the token is sent unencrypted.
   * @default "127.0.0.1"
   */
  readonly hostname?: string;
  /** Port to listen on; 0 for any free port. @default 0 */
  readonly port?: number;
  /** Token that browsers must send: 32 or more characters of base64url. @default 192 random bits */
  readonly token?: string;
}

export const PAGE_RULES: OptionRules<PageOptions> = {
  hostname: text,
  port: wholeNumberFrom(0, 65_535),
  // An empty token, for example from an unset variable, would not protect the page.
  token: {
    expected: "32 or more characters of base64url",
    isType: text.isType,
    isSecret: true,
    isInRange: (value: string) => /^[\w-]{32,}$/.test(value),
  },
};

interface RequestHandler {
  fetch(request: Request): Response | Promise<Response>;
}

/** How long to wait after a connection could not be accepted. */
const LISTEN_AGAIN_MS = 500;

/**
 * A server that ends only when `signal` is aborted. `Deno.serve` ends with an error if it cannot
 * accept a connection, so anyone could end the run by opening many connections, even without the
 * token. When a `Deno.serve` ends, its connections are closed, which frees file descriptors. This
 * class then calls `Deno.serve` again.
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
        // The wait ends with `signal`, too: another program may have taken the port and keep it.
        await delay(LISTEN_AGAIN_MS, signal, { keepsAlive: this.#isReferenced });
      }
      if (signal.aborted) return;
      try {
        this.#server = this.#serve(this.port);
        if (!this.#isReferenced) this.#server.unref();
      } catch {
        // The port is taken, or there is no file descriptor. `finished` of the old server rejects
        // again immediately, so the loop waits and tries again.
      }
    }
  }
}

/** An app that answers only requests with the token. */
export interface GuardedApp {
  readonly app: Hono;
  readonly token: string;
  readonly cookieName: string;
}

interface ServePageOptions extends PageOptions {
  /** What is served, for messages. @default "the page" */
  readonly served?: string;
  /** Whether the process stays alive for the page alone. @default true */
  readonly keepsAlive?: boolean;
}

/** Serves the app until disposed. `url` is the address to open in a browser, with the token. */
export function servePage(
  { app, token }: Pick<GuardedApp, "token"> & { readonly app: RequestHandler },
  options: ServePageOptions,
): AsyncDisposable & { readonly url: string; readonly port: number } {
  const abort = new AbortController();
  const server = listen(app, options, abort.signal);
  if (options.keepsAlive === false) server.unref();
  return {
    url: pageUrl(options.hostname, server.port, token),
    port: server.port,
    async [Symbol.asyncDispose]() {
      // This does not call `server.shutdown()`, which waits for requests that never end. Aborting
      // the server during that wait ends the process.
      server.ref();
      abort.abort();
      await server.finished;
    },
  };
}

function listen(
  app: RequestHandler,
  { hostname = DEFAULT_HOSTNAME, port = 0, served = "the page" }: ServePageOptions,
  signal: AbortSignal,
): PageServer {
  const onError = () => new Response(`Cannot answer: ${served} has failed`, { status: 500 });
  const options = { hostname, signal, onError, onListen: () => {}, automaticCompression: true };
  const serve = (port: number) => Deno.serve({ ...options, port }, (request) => app.fetch(request));
  try {
    return new PageServer(serve, port, signal);
  } catch (error) {
    throw new UsageError(
      `Cannot serve ${served} on ${urlHost(hostname)}:${port}: ${problemOf(error)}`,
      { cause: error },
    );
  }
}

function pageUrl(hostname = DEFAULT_HOSTNAME, port: number, token: string): string {
  return `http://${openableHost(hostname)}:${port}/?token=${token}`;
}

/** Replaces a wildcard address, which browsers cannot open. */
function openableHost(hostname: string): string {
  if (hostname === "0.0.0.0") return DEFAULT_HOSTNAME;
  return hostname === "::" ? "[::1]" : urlHost(hostname);
}

/** Returns the host as it is written in a URL: an IPv6 address in brackets. */
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
