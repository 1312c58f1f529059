/** Serves the data page for `retort view`. @module */

import type { Hono } from "../../lib/deps/hono.ts";
import { createCookieName, createToken, guardedApp } from "../access.ts";
import { DEFAULT_HOSTNAME, servePage } from "../listen.ts";
import { addDataRoutes, DATA_PATH, type DataSource } from "./routes.ts";

export interface ServeViewOptions {
  /** @default "127.0.0.1" */
  readonly hostname?: string;
  /** 0 stands for any free port. @default 0 */
  readonly port?: number;
  /** @default 192 random bits */
  readonly token?: string;
  /** How commands on the page call this program, such as `deno task distill`. */
  readonly program: string;
}

/** Matches a path of the app behind the prefix of a proxy. */
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
  addDataRoutes(app, () => Promise.resolve(service), { program, hasRun: false });
  return { app, token, cookieName };
}

/** Returns the URL to open in a browser, with the token. */
export function serveView(service: DataSource, options: ServeViewOptions) {
  const { app, token } = createViewApp(service, options);
  return servePage(app, { ...options, token });
}
