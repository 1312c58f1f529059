/**
 * Routes of the data page, and the server of `retort view`. `POST /data/selection` writes the ids
 * of selected rows to `.retort/`. The worker that reads the data saves its index there.
 *
 * @module
 */

import {
  type DataRequests,
  type DataService,
  type DataState,
  FLAGS,
  jsonWithBigInts,
} from "../../lib/data/mod.ts";
import { bodyLimit, type Context, type Hono } from "../../lib/deps/hono.ts";
import { dirname, join } from "../../lib/deps/std_path.ts";
import { UsageError } from "../../lib/errors.ts";
import { systemReason } from "../../lib/files.ts";
import { isObject, parsedJson } from "../../lib/json.ts";
import { addFiles, guardedApp, postProblem } from "../access.ts";
import { MARKDOWN_JS, type PageFiles, pageOf } from "../assets.ts";
import { type GuardedApp, type PageOptions, servePage } from "../listen.ts";
import actions from "./page/actions.js" with { type: "text" };
import ask from "./page/ask.js" with { type: "text" };
import columns from "./page/columns.js" with { type: "text" };
import facets from "./page/facets.js" with { type: "text" };
import viewState from "./page/view_state.js" with { type: "text" };
import grid from "./page/grid.js" with { type: "text" };
import histograms from "./page/histograms.js" with { type: "text" };
import viewMain from "./page/main.js" with { type: "text" };
import openRow from "./page/open_row.js" with { type: "text" };
import rows from "./page/rows.js" with { type: "text" };
import samplePair from "./page/sample_pair.js" with { type: "text" };
import status from "./page/status.js" with { type: "text" };
import VIEW_HTML from "./page/view.html" with { type: "text" };
import detailCss from "./page/detail.css" with { type: "text" };
import gridCss from "./page/grid.css" with { type: "text" };
import viewCss from "./page/view.css" with { type: "text" };

export interface ViewPageOptions {
  /** What starts this program in the commands on the page, such as `deno task distill`. */
  readonly program: string;
  /** Whether the page of a run is served at `../`. */
  readonly hasRun: boolean;
}

/** The answer to `GET /data/state`. */
export interface PageState extends DataState, ViewPageOptions {
  /** Notes about files that are left out. */
  readonly notes: readonly string[];
  readonly flags: typeof FLAGS;
}

/** Matches the end of a path that is a route of this file. */
export const DATA_PATH = /\/data\/(?:[a-z]+(?:\.js|\.css)?)?$/;

/** Maximum size of a request body, enough for the ids of a million rows. */
const MAX_BODY_BYTES = 64 * 2 ** 20;

const MAX_ROWS = 200;

export const DATA_PAGE: PageFiles = pageOf(
  VIEW_HTML,
  [
    ask,
    viewState,
    status,
    columns,
    rows,
    grid,
    facets,
    histograms,
    samplePair,
    openRow,
    actions,
    viewMain,
  ],
  [viewCss, gridCss, detailCss],
);

const FILES = {
  "/data/": DATA_PAGE.html,
  "/data/view.js": DATA_PAGE.script,
  "/data/view.css": DATA_PAGE.style,
  "/data/markdown.js": MARKDOWN_JS,
} as const;

export type DataSource = Pick<DataService, "ask" | "files" | "notes">;

/** Opens the data at the first request. */
export type OpenData = () => Promise<DataSource>;

type Reads = Record<string, (data: DataSource, c: Context) => Promise<unknown>>;

const READS: Reads = {
  rows: (data, c) => data.ask("rows", rowsParams(c)),
  overview: (data, c) => data.ask("overview", queryParams(c)),
  locate: (data, c) => {
    const { uid = "", id = "" } = c.req.query();
    return data.ask("locate", { ...queryParams(c), uid, id });
  },
  row: async (data, c) => {
    const from = Number(c.req.query("samples") ?? NaN);
    const samplesFrom = Number.isSafeInteger(from) && from >= 0 ? from : undefined;
    return await data.ask("row", { id: c.req.query("id") ?? "", samplesFrom }) ?? null;
  },
  near: (data, c) => data.ask("near", { of: nearParam(c) }),
};

export function addDataRoutes(app: Hono, open: OpenData, options: ViewPageOptions): void {
  addFiles(app, FILES);
  const state = async (data: DataSource): Promise<PageState> => {
    const { notes } = data;
    return { ...await data.ask("state", {}), ...options, notes, flags: FLAGS };
  };
  const reads: Reads = { ...READS, state };
  for (const [name, read] of Object.entries(reads)) {
    app.get(`/data/${name}`, (c) => answer(c, async () => await read(await open(), c)));
  }
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) =>
      c.json({ error: "Cannot save more than 64 MB of ids: use a condition instead" }, 413),
  });
  app.post("/data/selection", limit, (c) => postSelection(c, open));
}

async function postSelection(c: Context, open: OpenData): Promise<Response> {
  const problem = postProblem(c.req.raw.headers);
  if (problem !== undefined) {
    return c.json({ error: `Cannot save: ${problem.why}` }, problem.status);
  }
  return await answer(c, async () => {
    const params = selectionParams(await c.req.text());
    const service = await open();
    return await saveSelection(service.files, await service.ask("uids", params));
  }, 400);
}

function selectionParams(body: string): DataRequests["uids"]["in"] {
  const value = parsedJson(body);
  const { ids, where } = isObject(value) ? value : {};
  if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return { ids };
  if (typeof where === "string") return { where };
  throw new UsageError('Cannot save: the body must be JSON with "ids" or "where"');
}

interface SavedSelection {
  /** File with one id per line. Ids with special characters are JSON strings. */
  readonly path: string;
  readonly count: number;
}

/**
 * Writes ids to a new file in `.retort/`, next to the first of `files`. Each id is written once,
 * because two runs may have the same ids.
 */
async function saveSelection(
  files: readonly string[],
  uids: readonly string[],
): Promise<SavedSelection> {
  if (uids.length === 0) {
    throw new UsageError("Cannot save the selection: it has no rows");
  }
  const folder = join(dirname(files[0]), ".retort");
  const unique = [...new Set(uids)];
  const text = unique.map((uid) => `${lineOf(uid)}\n`).join("");
  try {
    const { modeMadeFrom } = await import("../../lib/sink/mod.ts");
    const mode = await modeMadeFrom(files);
    await Deno.mkdir(folder, { recursive: true });
    for (let number = 1;; number++) {
      const path = join(folder, `selection-${number}.uids`);
      try {
        await Deno.writeTextFile(path, text, { createNew: true, mode });
        return { path, count: unique.length };
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  } catch (cause) {
    throw new UsageError(`Cannot save the selection in "${folder}": ${systemReason(cause)}`, {
      cause,
    });
  }
}

/**
 * Returns the line of an id: as JSON if it begins with a quote, contains control or invisible
 * characters or line separators, or begins or ends with white space.
 */
function lineOf(uid: string): string {
  return /^["\s]|[\p{C}\u2028\u2029]|\s$/u.test(uid) ? JSON.stringify(uid) : uid;
}

/**
 * Answers with JSON. By default a `UsageError`, such as an invalid condition, gets status 200: with
 * another status, browsers would log errors to their console while the user types.
 */
async function answer(
  c: Context,
  make: () => Promise<unknown>,
  usageStatus: 200 | 400 = 200,
): Promise<Response> {
  try {
    return c.body(jsonWithBigInts(await make()), 200, { "content-type": "application/json" });
  } catch (error) {
    if (error instanceof UsageError) {
      return c.json({ error: error.message }, usageStatus);
    }
    return c.json({ error: `Cannot answer: ${(error as Error).message}` }, 500);
  }
}

function queryParams(c: Context) {
  return {
    where: c.req.query("where") ?? "",
    sort: c.req.query("sort") ?? "",
    descending: c.req.query("desc") === "1",
  };
}

function rowsParams(c: Context): DataRequests["rows"]["in"] {
  const number = (name: string) => Math.max(0, Math.floor(Number(c.req.query(name)) || 0));
  return {
    ...queryParams(c),
    from: number("from"),
    count: Math.min(MAX_ROWS, number("count")),
    columns: c.req.queries("column") ?? [],
  };
}

function nearParam(c: Context): DataRequests["near"]["in"]["of"] {
  const action = c.req.query("of");
  if (action === "prompt" || action === "response" || action === "cancel") return action;
  throw new UsageError(
    `Cannot search for near duplicates of "${action}": it must be prompt or response`,
  );
}

export interface ServeViewOptions extends PageOptions {
  /** What starts this program in the commands on the page, such as `deno task distill`. */
  readonly program: string;
}

const OWN_PATH = new RegExp(`${DATA_PATH.source}|\\/$`);

export function createViewApp(
  service: DataSource,
  { hostname, token, program }: ServeViewOptions,
): GuardedApp {
  const page = (c: Context) => c.redirect("data/", 303);
  const guarded = guardedApp({ hostname, token, ownPath: OWN_PATH, page });
  addDataRoutes(guarded.app, () => Promise.resolve(service), { program, hasRun: false });
  return guarded;
}

/** Serves the page until disposed. The returned `url`, to be opened in a browser, has the token. */
export function serveView(service: DataSource, options: ServeViewOptions) {
  return servePage(createViewApp(service, options), options);
}
