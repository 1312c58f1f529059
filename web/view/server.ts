/**
 * Routes of the data page, and the server of `retort view`. Only `POST /data/selection` writes: the
 * ids of selected rows, next to the results.
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
import { UsageError } from "../../lib/errors.ts";
import { createCookieName, createToken, guardedApp, HTML_TYPE, isFromOwnPage } from "../access.ts";
import { MARKDOWN_JS } from "../assets.ts";
import { DEFAULT_HOSTNAME, servePage } from "../listen.ts";
import { VIEW_CSS, VIEW_HTML, VIEW_JS } from "./assets.ts";
import { saveSelection, selectionParams } from "./selection.ts";

export interface ViewPageOptions {
  /** How commands on the page call this program, such as `deno task distill`. */
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

/** Matches the routes of this file, behind a path prefix. */
export const DATA_PATH = /\/data\/(?:[a-z]+(?:\.js|\.css)?)?$/;

/** Maximum size of a request body, enough for the ids of a million rows. */
const MAX_BODY_BYTES = 64 * 2 ** 20;

const MAX_ROWS = 200;

const ASSETS = {
  "/data/view.js": ["text/javascript; charset=utf-8", VIEW_JS],
  "/data/view.css": ["text/css; charset=utf-8", VIEW_CSS],
  "/data/markdown.js": ["text/javascript; charset=utf-8", MARKDOWN_JS],
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
  app.get("/data/", (c) => c.body(VIEW_HTML, 200, { "content-type": HTML_TYPE }));
  for (const [path, [type, text]] of Object.entries(ASSETS)) {
    app.get(path, (c) => c.body(text, 200, { "content-type": type }));
  }
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
  const { headers } = c.req.raw;
  if (!isFromOwnPage(headers)) {
    return c.json({ error: "Cannot save: the request is from another page" }, 403);
  }
  if (!/^application\/json(;|$)/i.test(headers.get("content-type") ?? "")) {
    return c.json({ error: "Cannot save: the body must be application/json" }, 415);
  }
  return await answer(c, async () => {
    const params = selectionParams(await c.req.text());
    const service = await open();
    return await saveSelection(service.files, await service.ask("uids", params));
  }, 400);
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
