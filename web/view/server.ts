/**
 * Serves the data page for `retort view`.
 *
 * @module
 */

import type { Hono } from "../../lib/deps/hono.ts";
import { createToken, urlHost } from "../access.ts";
import { guardedApp } from "../guard.ts";
import { addDataRoutes, DATA_PATH, type DataSource } from "./routes.ts";

export interface ServeViewOptions {
  /** Address to listen on. @default "127.0.0.1" */
  readonly hostname?: string;
  /** Port to listen on; 0 for any free one. @default 0 */
  readonly port?: number;
  /** Token that a browser must send. @default 192 random bits */
  readonly token?: string;
  /** The words that start the program, for commands on the page. */
  readonly program: string;
}

/** The served page. Dispose of it to stop serving. */
export interface ServedView extends AsyncDisposable {
  /** Address to open in a browser, with the token. */
  readonly url: string;
  /** The app of the page. `app.request()` needs no socket. */
  readonly app: Hono;
}

const OWN_PATH = new RegExp(`${DATA_PATH.source}|\\/$`);

export function createViewApp(
  service: DataSource,
  { hostname = "127.0.0.1", token = createToken(), program }: ServeViewOptions,
): { readonly app: Hono; readonly token: string; readonly cookieName: string } {
  const cookieName = `retort_${crypto.getRandomValues(new Uint8Array(8)).toHex()}`;
  const app = guardedApp({
    hostname,
    token,
    cookieName,
    ownPath: OWN_PATH,
    page: (c) => c.redirect("data/", 303),
  });
  addDataRoutes(app, () => Promise.resolve(service), {
    program,
    hasRun: false,
  });
  return { app, token, cookieName };
}

/**
 * Serves the data page, protected by a token.
 *
 * @throws {Deno.errors.AddrInUse} if the port is taken, and other errors if the address cannot be
 * used
 */
export function serveView(
  service: DataSource,
  options: ServeViewOptions,
): ServedView {
  const { hostname = "127.0.0.1", port = 0 } = options;
  const { app, token } = createViewApp(service, options);
  const abort = new AbortController();
  const server = Deno.serve(
    {
      hostname,
      port,
      signal: abort.signal,
      onListen: () => {},
      onError: () => new Response("Cannot answer: the page has failed", { status: 500 }),
    },
    (request) => app.fetch(request),
  );
  const shown = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  return {
    app,
    url: `http://${urlHost(shown)}:${server.addr.port}/?token=${token}`,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await server.finished;
    },
  };
}
