/**
 * The page of all runs in a folder.
 *
 * @module
 */

import type { Hono } from "../../lib/deps/hono.ts";
import { UsageError } from "../../lib/errors.ts";
import { bracketed, createToken } from "../access.ts";
import { COMMON_MODULES, COMMON_STYLES, inShell, joinModules } from "../assets.ts";
import { guardedApp, HTML } from "../guard.ts";
import FLEET_HTML from "./fleet.html" with { type: "text" };
import fleet from "./fleet.js" with { type: "text" };
import fleetStyle from "./fleet.css" with { type: "text" };
import frame from "../page/frame.css" with { type: "text" };
import overview from "../page/overview.css" with { type: "text" };
import tables from "../page/tables.css" with { type: "text" };
import { statOf } from "../../lib/files.ts";
import { type PathLike, pathOf, splitPath } from "../../lib/paths.ts";
import { every } from "../../lib/timer.ts";
import { FleetWatch } from "./watch.ts";

/** The options of the page of all runs in a folder. */
export interface FleetOptions {
  /**
   * The address to listen on. Any but a loopback address can be reached from the network: only the
   * token protects the page then, and it is sent unencrypted. @default "127.0.0.1"
   */
  readonly hostname?: string;
  /** The port. @default 0, any that is free */
  readonly port?: number;
  /**
   * The token that a browser must send: 32 characters of base64url. @default a new one of 192
   * random bits
   */
  readonly token?: string;
}

/** The page of all runs in a folder, while it is served. */
export interface ServedFleet extends AsyncDisposable {
  /** The address to open in a browser. */
  readonly url: string;
}

/** The number of rows that a page gets unless it asks for all. */
const MAX_ROWS = 200;
const OWN_PATH = /\/(?:fleet\.(?:js|css)|state|)$/;

const SCRIPT = joinModules([...COMMON_MODULES, fleet]);
const STYLE = [...COMMON_STYLES, frame, overview, tables, fleetStyle].join("\n");

/** Creates the app. */
export function createFleetApp(
  watch: FleetWatch,
  { token, hostname, cookieName }: { token: string; hostname: string; cookieName: string },
): Hono {
  const page = inShell(FLEET_HTML);
  const app = guardedApp({
    ...{ token, hostname, cookieName },
    ownPath: OWN_PATH,
    page: (c) => c.body(page, 200, { "content-type": HTML }),
  });
  app.get(
    "/fleet.js",
    (c) => c.body(SCRIPT, 200, { "content-type": "text/javascript; charset=utf-8" }),
  );
  app.get("/fleet.css", (c) => c.body(STYLE, 200, { "content-type": "text/css; charset=utf-8" }));
  app.get(
    "/state",
    (c) => c.json(watch.view(c.req.query("all") === undefined ? MAX_ROWS : Infinity)),
  );
  return app;
}

/** The interval at which the status files are read. Runs write theirs every 5 s. */
const LOOK_MS = 5_000;

/**
 * Serves a page over all runs in an output folder, which need not run on this machine: also shards
 * on other machines that write to the same file system, and runs that have ended. It reads their
 * status files only.
 *
 * @example
 * ```ts
 * import { serveFolderMonitor } from "../server.ts";
 *
 * async function watchShards(): Promise<void> {
 *   await using page = await serveFolderMonitor("out/");
 *   console.log(page.url);
 *   await new Promise((resolve) => Deno.addSignalListener("SIGINT", () => resolve(undefined)));
 * }
 * ```
 *
 * @param output The folder of the runs, or the results path that they were given.
 * @throws {UsageError} There is no such folder and no run of this name, or the address cannot be listened on.
 */
export async function serveFolderMonitor(
  output: PathLike,
  options: FleetOptions = {},
): Promise<ServedFleet> {
  const path = pathOf(output);
  const isFolder = (await statOf(path))?.isDirectory ?? false;
  const { start, name } = splitPath(path);
  const watch = isFolder
    ? new FleetWatch(path)
    : new FleetWatch(start === "" ? "." : start, name.replace(/\.(jsonl|ndjson)$/, ""));
  await watch.look();
  if (!isFolder && watch.isEmpty) {
    throw new UsageError(
      `Cannot monitor "${path}": there is no such folder, and no run of this name`,
    );
  }
  const page = serveFleet(watch, options);
  const stop = every(LOOK_MS, () => void watch.look().catch(() => {}));
  return {
    url: page.url,
    async [Symbol.asyncDispose]() {
      stop();
      await page[Symbol.asyncDispose]();
    },
  };
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
