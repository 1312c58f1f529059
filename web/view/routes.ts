/**
 * Routes of the data page, and the results of an active run behind them. Only
 * `POST /data/selection` writes: the ids of selected rows, next to the results.
 *
 * @module
 */

import { type DataRequests, type DataService, FLAGS } from "../../lib/data/mod.ts";
import { bodyLimit, type Context, type Hono } from "../../lib/deps/hono.ts";
import { dirname, join } from "../../lib/deps/std_path.ts";
import { UsageError } from "../../lib/errors.ts";
import { systemReason } from "../../lib/files.ts";
import { HTML_TYPE, isFromOwnPage } from "../access.ts";
import { MARKDOWN_JS } from "../assets.ts";
import { VIEW_CSS, VIEW_HTML, VIEW_JS } from "./assets.ts";

export interface ViewPageOptions {
  /** The words that start the program, for commands on the page. */
  readonly program: string;
  /** Whether the page of a run is served at `../`. */
  readonly hasRun: boolean;
}

/** Matches the routes of this file, behind a path prefix. */
export const DATA_PATH = /\/data\/(?:[a-z]+(?:\.js|\.css)?)?$/;

/** Enough for the ids of a million rows. */
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

const READS: Record<string, (data: DataSource, c: Context) => Promise<unknown>> = {
  rows: (data, c) => data.ask("rows", rowsParams(c)),
  overview: (data, c) => data.ask("overview", queryParams(c)),
  locate: (data, c) => data.ask("locate", { ...queryParams(c), uid: c.req.query("uid") ?? "" }),
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
  const reads: typeof READS = {
    state: async (data) => ({
      ...await data.ask("state", {}),
      ...options,
      notes: data.notes,
      flags: FLAGS,
    }),
    ...READS,
  };
  for (const [name, read] of Object.entries(reads)) {
    app.get(`/data/${name}`, (c) => answer(c, async () => await read(await open(), c)));
  }
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) =>
      c.json({ error: "Cannot save: more than 64 MB of ids: use a condition instead" }, 413),
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

function selectionParams(body: string): DataRequests["uids"]["in"] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new UsageError("Cannot save: the body must be JSON");
  }
  if (typeof value === "object" && value !== null) {
    if (
      "ids" in value && Array.isArray(value.ids) &&
      value.ids.every((id) => typeof id === "string")
    ) {
      return { ids: value.ids };
    }
    if ("where" in value && typeof value.where === "string") {
      return { where: value.where };
    }
  }
  throw new UsageError('Cannot save: the body must hold "ids" or "where"');
}

/**
 * By default a `UsageError`, such as an invalid condition, gets status 200: browsers log other
 * statuses to their console while the user types.
 */
async function answer(
  c: Context,
  make: () => Promise<unknown>,
  usageStatus: 200 | 400 = 200,
): Promise<Response> {
  try {
    return c.json(await make() as Record<string, unknown>);
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
  const of = c.req.query("of");
  if (of === "prompt" || of === "response" || of === "cancel") return of;
  throw new UsageError(
    `Cannot search for near duplicates of "${of}": it must be prompt or response`,
  );
}

/** Options of a run's data page. */
export interface RunDataOptions {
  /** Output of the run: folders or results files. */
  readonly paths: readonly string[];
  /** The words that start the program, for commands on the page. */
  readonly program: string;
}

/** The page counts as open for this time after a request. It sends one about every 2 s. */
const OPEN_MS = 10_000;

export class RunData implements AsyncDisposable {
  readonly options: RunDataOptions;
  readonly #now: () => number;
  #service: Promise<DataService> | undefined;
  #lastRequestMs = -Infinity;

  constructor(options: RunDataOptions, now: () => number) {
    this.options = options;
    this.#now = now;
  }

  get isWatched(): boolean {
    return this.#now() - this.#lastRequestMs < OPEN_MS;
  }

  /**
   * Returns the same data at each call. Throws a `UsageError` if the run has not created its output
   * yet; then it can be called again.
   */
  readonly open = async (): Promise<DataService> => {
    this.#lastRequestMs = this.#now();
    const { DataService } = await import("../../lib/data/mod.ts");
    this.#service ??= DataService.open({ paths: this.options.paths });
    try {
      return await this.#service;
    } catch (error) {
      this.#service = undefined;
      throw error instanceof UsageError
        ? new UsageError("The run has not written anything yet", { cause: error })
        : error;
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const service = await this.#service?.catch(() => undefined);
    await service?.[Symbol.asyncDispose]();
  }
}

export interface SavedSelection {
  /** One id per line. Ids with special characters are JSON strings. */
  readonly path: string;
  readonly count: number;
}

/** Writes ids to a new file in `.retort/`, next to the first of `files`. */
export async function saveSelection(
  files: readonly string[],
  uids: readonly string[],
): Promise<SavedSelection> {
  if (uids.length === 0) {
    throw new UsageError("Cannot save the selection: it has no rows");
  }
  const folder = join(dirname(files[0]), ".retort");
  const text = uids.map((uid) => `${lineOf(uid)}\n`).join("");
  try {
    await Deno.mkdir(folder, { recursive: true });
    for (let number = 1;; number++) {
      const path = join(folder, `selection-${number}.uids`);
      try {
        await Deno.writeTextFile(path, text, { createNew: true });
        return { path, count: uids.length };
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

/** Ids that could be taken for JSON, or whose spaces and line breaks would be lost, are JSON. */
function lineOf(uid: string): string {
  return /^["\s]|[\p{C}\u2028\u2029]|\s$/u.test(uid) ? JSON.stringify(uid) : uid;
}
