/** Serves the data page for `retort view`. @module */

import type { Hono } from "../../lib/deps/hono.ts";
import { createCookieName, createToken } from "../access.ts";
import { guardedApp } from "../guard.ts";
import { DEFAULT_HOSTNAME, listen, pageUrl } from "../listen.ts";
import { addDataRoutes, DATA_PATH, type DataSource } from "./routes.ts";

export interface ServeViewOptions {
  /** @default "127.0.0.1" */
  readonly hostname?: string;
  /** 0 is any free port. @default 0 */
  readonly port?: number;
  /** @default 192 random bits */
  readonly token?: string;
  /** For commands on the page. */
  readonly program: string;
}

export interface ServedView extends AsyncDisposable {
  /** With the token. */
  readonly url: string;
  /** `app.request()` needs no socket. */
  readonly app: Hono;
}

/** After the prefix of a proxy. */
const OWN_PATH = new RegExp(`${DATA_PATH.source}|\\/$`);

export function createViewApp(
  service: DataSource,
  { hostname = DEFAULT_HOSTNAME, token = createToken(), program }: ServeViewOptions,
): { readonly app: Hono; readonly token: string; readonly cookieName: string } {
  const cookieName = createCookieName();
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

export function serveView(
  service: DataSource,
  options: ServeViewOptions,
): ServedView {
  const { hostname = DEFAULT_HOSTNAME, port = 0 } = options;
  const { app, token } = createViewApp(service, options);
  const abort = new AbortController();
  const server = listen(app, { hostname, port, signal: abort.signal, served: "the page" });
  return {
    app,
    url: pageUrl(hostname, server.addr.port, token),
    async [Symbol.asyncDispose]() {
      abort.abort();
      await server.finished;
    },
  };
}
