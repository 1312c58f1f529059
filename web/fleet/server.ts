/**
 * The page of all runs in a folder.
 *
 * @module
 */

import type { Hono } from "../../lib/deps/hono.ts";
import { UsageError } from "../../lib/errors.ts";
import { bracketed, createToken } from "../access.ts";
import { COMMON_MODULES, COMMON_STYLES, joinModules } from "../assets.ts";
import { guardedApp, HTML } from "../guard.ts";
import FLEET_HTML from "./fleet.html" with { type: "text" };
import fleet from "./fleet.js" with { type: "text" };
import fleetStyle from "./fleet.css" with { type: "text" };
import frame from "../page/frame.css" with { type: "text" };
import overview from "../page/overview.css" with { type: "text" };
import tables from "../page/tables.css" with { type: "text" };
import type { FleetWatch } from "./watch.ts";

/** How the page is served. */
export interface FleetOptions {
  /** What it listens on. @default "127.0.0.1" */
  readonly hostname?: string;
  /** The port. @default 0, any that is free */
  readonly port?: number;
  /** Lets a browser in. @default a new one */
  readonly token?: string;
}

/** A page that is served. */
export interface ServedFleet extends AsyncDisposable {
  /** What to open in a browser. */
  readonly url: string;
}

/** The rows that a page gets unless it asks for all. */
const MOST_ROWS = 200;
const OWN_PATH = /\/(?:fleet\.(?:js|css)|state|)$/;

const SCRIPT = joinModules([...COMMON_MODULES, fleet]);
const STYLE = [...COMMON_STYLES, frame, overview, tables, fleetStyle].join("\n");

/** Makes the app. */
export function createFleetApp(
  watch: FleetWatch,
  { token, hostname, cookieName }: { token: string; hostname: string; cookieName: string },
): Hono {
  const app = guardedApp({
    ...{ token, hostname, cookieName },
    ownPath: OWN_PATH,
    page: (c) => c.body(FLEET_HTML, 200, { "content-type": HTML }),
  });
  app.get(
    "/fleet.js",
    (c) => c.body(SCRIPT, 200, { "content-type": "text/javascript; charset=utf-8" }),
  );
  app.get("/fleet.css", (c) => c.body(STYLE, 200, { "content-type": "text/css; charset=utf-8" }));
  app.get(
    "/state",
    (c) => c.json(watch.view(c.req.query("all") === undefined ? MOST_ROWS : Infinity)),
  );
  return app;
}

/**
 * Serves the page.
 *
 * @throws {UsageError} when the address cannot be listened on
 */
export function serveFleet(watch: FleetWatch, options: FleetOptions = {}): ServedFleet {
  const { hostname = "127.0.0.1", port = 0, token = createToken() } = options;
  const cookieName = `retort_${crypto.getRandomValues(new Uint8Array(8)).toHex()}`;
  const app = createFleetApp(watch, { token, hostname, cookieName });
  const abort = new AbortController();
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve(
      { hostname, port, signal: abort.signal, onListen: () => {} },
      (request) => app.fetch(request),
    );
  } catch (cause) {
    throw new UsageError(
      `Cannot serve the page on ${bracketed(hostname)}:${port}: ${
        (cause as Error).message
      }. Name ` +
        "another port",
      { cause },
    );
  }
  const shown = hostname === "0.0.0.0"
    ? "127.0.0.1"
    : hostname === "::"
    ? "[::1]"
    : bracketed(hostname);
  return {
    url: `http://${shown}:${server.addr.port}/?token=${token}`,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await server.finished;
    },
  };
}
