/** Serves the page of all runs in a folder. @module */

import { UsageError } from "../../lib/errors.ts";
import { addFiles, guardedApp, HTML_TYPE } from "../access.ts";
import { type PageFiles, pageOf } from "../assets.ts";
import { type GuardedApp, PAGE_RULES, type PageOptions, servePage } from "../listen.ts";
import FLEET_HTML from "./fleet.html" with { type: "text" };
import fleet from "./fleet.js" with { type: "text" };
import fleetStyle from "./fleet.css" with { type: "text" };
import frame from "../page/frame.css" with { type: "text" };
import { isFolder, type PathLike, pathOf, splitPath, stemOf } from "../../lib/files.ts";
import { checkOptions } from "../../lib/options.ts";
import { every } from "../../lib/timer.ts";
import { FolderWatch } from "./watch.ts";

export type { PageOptions as FleetOptions };

/** The served page of all runs in a folder. Dispose of it to stop serving. */
export interface ServedFleet extends AsyncDisposable {
  /** URL to open in a browser, with the token. */
  readonly url: string;
}

/** How many runs a page gets unless it requests all. */
const MAX_RUNS = 200;

const OWN_PATH = /\/(?:fleet\.(?:js|css)|state|)$/;

export const FLEET_PAGE: PageFiles = pageOf(FLEET_HTML, [fleet], [frame, fleetStyle]);

export function createFleetApp(
  watch: FolderWatch,
  { hostname, token }: PageOptions = {},
): GuardedApp {
  const guarded = guardedApp({
    ...{ hostname, token },
    ownPath: OWN_PATH,
    page: (c) => c.body(FLEET_PAGE.html, 200, { "content-type": HTML_TYPE }),
  });
  const { app } = guarded;
  addFiles(app, { "/fleet.js": FLEET_PAGE.script, "/fleet.css": FLEET_PAGE.style });
  app.get(
    "/state",
    (c) => c.json(watch.view(c.req.query("all") === undefined ? MAX_RUNS : Infinity)),
  );
  return guarded;
}

/** Interval between checks. Runs write their status files at the same interval. */
const CHECK_MS = 5_000;

/**
 * Serves a page of all runs in an output folder, including ended runs and shards on other machines
 * that share the file system. It reads only status files and shard plans.
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
 * @param output The folder of the runs, or the results path of one run and its shards.
 * @throws {TypeError | RangeError} if an option is unknown, of a wrong type or out of range
 * @throws {UsageError} if there is neither such a folder nor a run of this name, or the address
 * cannot be used
 */
export async function serveFolderMonitor(
  output: PathLike,
  options: PageOptions = {},
): Promise<ServedFleet> {
  checkOptions(options, PAGE_RULES);
  const path = pathOf(output);
  const isWholeFolder = await isFolder(path);
  const { start, name } = splitPath(path);
  const watch = isWholeFolder
    ? new FolderWatch(path)
    : new FolderWatch(start === "" ? "." : start, stemOf(name));
  await watch.check();
  if (!isWholeFolder && watch.isEmpty) {
    throw new UsageError(
      `Cannot monitor "${path}": there is no such folder, and no run of this name`,
    );
  }
  const page = serveFleet(watch, options);
  const stop = every(CHECK_MS, () => void watch.check().catch(() => {}));
  return {
    url: page.url,
    async [Symbol.asyncDispose]() {
      stop();
      await page[Symbol.asyncDispose]();
    },
  };
}

export function serveFleet(watch: FolderWatch, options: PageOptions = {}): ServedFleet {
  return servePage(createFleetApp(watch, options), options);
}
