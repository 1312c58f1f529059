/**
 * Routes of the monitor, and the effects of its controls. Links are relative, so that the page
 * works through a tunnel and behind a path prefix. Requests first pass the checks of `access.ts`.
 *
 * @module
 */

import { bodyLimit, type Context } from "../lib/deps/hono.ts";
import { UsageError } from "../lib/errors.ts";
import { addFiles, guardedApp, HTML_TYPE, isFromOwnPage, postProblem } from "./access.ts";
import { MARKDOWN_JS, RUN_PAGE, UPLOT_CSS, UPLOT_JS } from "./assets.ts";
import type { Hub, MonitoredRun } from "./hub.ts";
import type { GuardedApp, PageOptions } from "./listen.ts";
import { METRICS_TYPE, renderMetrics } from "./metrics.ts";
import type { PageSocket } from "./page_link.ts";
import type { ControlAnswer, ControlName } from "./protocol.ts";
import { MAX_WHOLE_SAMPLES_BYTES, reportOf, reportShell } from "./report.ts";
import { shortenedToFit } from "./samples.ts";
import { addDataRoutes, DATA_PATH, type OpenData } from "./view/server.ts";

export interface AppOptions extends Pick<PageOptions, "hostname" | "token"> {
  readonly run: MonitoredRun;
  readonly hub: Hub;
  /** How the data page opens the output of the run. @default no data page */
  readonly data?: { readonly open: OpenData; readonly program: string };
}

/** Matches what hides the link to the data page in `page.html`, however its lines are broken. */
const HIDDEN_LINK = /(?<=id="data-link")\s+hidden/;

const FILES = {
  "/page.js": RUN_PAGE.script,
  "/page.css": RUN_PAGE.style,
  "/markdown.js": MARKDOWN_JS,
  "/uplot.js": UPLOT_JS,
  "/uplot.css": UPLOT_CSS,
} as const;

const REPORT_HEADERS = {
  "content-type": HTML_TYPE,
  "content-disposition": 'attachment; filename="retort-report.html"',
};

const MAX_BODY_BYTES = 1024;

/**
 * Turns pings off: Deno would not stop their timer when a page is lost, and the timer keeps the
 * process alive. The hub notices lost pages when it sends to them: TCP gives up, or the backlog
 * grows.
 */
const IDLE_TIMEOUT_S = 0;

const RUN_PATH =
  /\/(?:(?:page|markdown|uplot)\.(?:js|css)|ws|report|report-shell|metrics|control\/[a-z]*|samples(?:\/\d+)?|)$/;
const OWN_PATH = new RegExp(`${DATA_PATH.source}|${RUN_PATH.source}`);

export function createApp(options: AppOptions): GuardedApp {
  const { hub, data } = options;
  const samples = () => hub.record.samples;
  const { html } = RUN_PAGE;
  const page = data === undefined ? html : html.replace(HIDDEN_LINK, "");
  const guarded = guardedApp({
    ...options,
    ownPath: OWN_PATH,
    page: (c) => c.body(page, 200, { "content-type": HTML_TYPE }),
    scrapePath: "/metrics",
  });
  const { app } = guarded;
  addFiles(app, FILES);
  app.get("/metrics", (c) => c.body(renderMetrics(hub), 200, { "content-type": METRICS_TYPE }));
  app.get("/report", (c) => c.body(reportOf(hub), 200, REPORT_HEADERS));
  app.get("/report-shell", (c) => c.body(reportShell(), 200, { "content-type": HTML_TYPE }));
  app.get(
    "/samples",
    (c) => c.json(shortenedToFit(samples().wholeSamples(), MAX_WHOLE_SAMPLES_BYTES)),
  );
  app.get("/samples/:id", (c) => {
    const sample = samples().wholeSample(Number(c.req.param("id")));
    return sample === undefined ? c.notFound() : c.json(sample);
  });
  if (data !== undefined) {
    addDataRoutes(app, data.open, { program: data.program, hasRun: true });
  }
  app.get("/ws", (c) => upgrade(c, hub));
  app.post(
    "/control/:name",
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => refuse(c, 413, "the body is too long") }),
    (c) => answerControl(c, c.req.param("name"), options),
  );
  return guarded;
}

/**
 * Checks the origin, because Deno and Hono do not, and upgrades. The hub's handlers catch all
 * errors, because an uncaught error would end the process.
 */
function upgrade(c: Context, hub: Hub): Response {
  const { raw } = c.req;
  if (!isFromOwnPage(raw.headers)) {
    return c.text("Cannot connect: the request is from another page", 403);
  }
  if (raw.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return c.text("Cannot connect: this address is for WebSockets", 426);
  }
  const upgraded = upgradeOf(raw);
  if (upgraded === undefined) return c.text("Cannot connect: the handshake is incomplete", 400);
  const { socket, response } = upgraded;
  const page = hub.join(socket satisfies PageSocket);
  socket.onopen = () => page.onOpen();
  socket.onmessage = ({ data }) => page.onMessage(data);
  socket.onclose = () => page.onClose();
  socket.onerror = () => page.onClose();
  return response;
}

/**
 * Returns undefined if the request lacks header fields of the handshake: Deno then throws a
 * `TypeError`.
 */
function upgradeOf(request: Request): Deno.WebSocketUpgrade | undefined {
  try {
    return Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT_S });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

async function answerControl(
  c: Context,
  name: string,
  { run, hub }: AppOptions,
): Promise<Response> {
  const problem = postProblem(c.req.raw.headers);
  if (problem !== undefined) return refuse(c, problem.status, problem.why);
  if (!isControl(name)) return refuse(c, 404, `there is no control "${name}"`);
  if (hub.record.ended) return refuse(c, 409, "the run has ended");
  try {
    useControl(name, JSON.parse(await c.req.text()), { run, retrySetting: hub });
    return c.json({ ok: true } satisfies ControlAnswer);
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(c, 400, "the body must be JSON");
    if (!isRefusal(error)) throw error;
    return c.json({ ok: false, error: error.message } satisfies ControlAnswer, 400);
  }
}

/** Whether the body is invalid, or the run rejects the value, such as a budget without a price. */
function isRefusal(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof UsageError;
}

function refuse(c: Context, status: 400 | 403 | 404 | 409 | 413 | 415, why: string): Response {
  return c.json(
    { ok: false, error: `Cannot use the control: ${why}` } satisfies ControlAnswer,
    status,
  );
}

interface ControlTarget {
  readonly run: MonitoredRun;
  /** Whether failed rows are retried when the run is done. Controls set it. */
  readonly retrySetting: { retryWhenDone: boolean };
}

/** Executes a control. Returns a text for a notice, such as `Paused`. */
type Control = (body: unknown, target: ControlTarget) => string;

const CONTROLS: Readonly<Record<ControlName, Control>> = {
  pause(body, { run }) {
    expectNoFields(body);
    run.pause();
    return "Paused";
  },
  resume(body, { run }) {
    expectNoFields(body);
    run.resume();
    return "Resumed";
  },
  concurrency(body, { run }) {
    const concurrency = onlyField("concurrency", body, isCount, "a whole number, 1 or more");
    run.setConcurrency(concurrency);
    return `Concurrency set to ${concurrency}`;
  },
  budget(body, { run }) {
    const usd = onlyField(
      "max_cost_usd",
      body,
      isBudget,
      "US dollars above 0, or null for no limit",
    );
    run.setMaxCost(usd);
    return usd === null ? "Budget removed" : `Budget set to $${usd}`;
  },
  retry(body, { retrySetting }) {
    retrySetting.retryWhenDone = onlyField("retry_when_done", body, isBoolean, "true or false");
    return retrySetting.retryWhenDone
      ? "Failed rows will be retried at the end of the run"
      : "Failed rows will not be retried";
  },
  stop(body, { run, retrySetting }) {
    expectNoFields(body);
    retrySetting.retryWhenDone = false;
    run.stop();
    return "Stopping after the calls in flight";
  },
  abort(body, { run, retrySetting }) {
    onlyField("confirm", body, (value) => value === "abort", '"abort"');
    retrySetting.retryWhenDone = false;
    run.abort("Aborted from the monitor");
    return "Aborting: calls in flight are canceled";
  },
};

function isControl(name: string): name is ControlName {
  return Object.hasOwn(CONTROLS, name);
}

/**
 * Executes the control, and records it as a notice of the run. An invalid body changes nothing.
 *
 * @throws {TypeError | RangeError | UsageError} if the body is invalid or the run rejects the value
 */
function useControl(name: ControlName, body: unknown, target: ControlTarget): void {
  const effect = CONTROLS[name](body, target);
  target.run.notice("info", `${effect} (from the monitor)`);
}

function onlyField<T>(
  field: string,
  body: unknown,
  isValid: (value: unknown) => value is T,
  expected: string,
): T {
  const { [field]: value, ...others } = fieldsOf(body);
  if (Object.keys(others).length === 0 && isValid(value)) return value;
  throw new TypeError(
    `Cannot use the control: the body must have only the field "${field}", with ${expected}`,
  );
}

function expectNoFields(body: unknown): void {
  if (Object.keys(fieldsOf(body)).length === 0) return;
  throw new TypeError("Cannot use the control: the body must be {}");
}

function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return { ...body };
  throw new TypeError("Cannot use the control: the body must be a JSON object");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

function isBudget(value: unknown): value is number | null {
  return value === null || (typeof value === "number" && Number.isFinite(value) && value > 0);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}
