/**
 * The addresses of the monitor. All are relative to where the page is, so that it works through a tunnel
 * and behind a path prefix; every request passes the checks of `access.ts` first.
 *
 * @module
 */

import { bodyLimit, type Context, getCookie, Hono, setCookie } from "../lib/deps/hono.ts";
import { UsageError } from "../lib/errors.ts";
import {
  bearerToken,
  isFromElsewhere,
  isOwnHost,
  isOwnPage,
  isOwnRead,
  isSameSecret,
} from "./access.ts";
import { MARKDOWN_JS, PAGE_CSS, PAGE_HTML, PAGE_JS, UPLOT_CSS, UPLOT_JS } from "./assets.ts";
import { isControl, useControl } from "./controls.ts";
import type { Hub } from "./hub.ts";
import { METRICS_TYPE, renderMetrics } from "./metrics.ts";
import type { MonitoredRun } from "./monitored_run.ts";
import type { PageSocket } from "./page_link.ts";
import type { ControlAnswer } from "./protocol.ts";
import { MAX_WHOLES_BYTES, reportOf, TEXT_ONLY } from "./report.ts";
import { fitted } from "./samples.ts";

/** What an app is made from. */
export interface AppOptions {
  /** The run that controls act upon. */
  readonly run: MonitoredRun;
  /** Tells pages of it. */
  readonly hub: Hub;
  /** Lets a browser or a scraper in. */
  readonly token: string;
  /** The name of the cookie that stands for the token. */
  readonly cookieName: string;
  /** What the server listens on. */
  readonly hostname: string;
}

/** Sent with every answer. `style-src 'self'` leaves `element.style` to scripts, which charts need. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    TEXT_ONLY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

const ASSETS = {
  "/page.js": ["text/javascript; charset=utf-8", PAGE_JS],
  "/page.css": ["text/css; charset=utf-8", PAGE_CSS],
  "/markdown.js": ["text/javascript; charset=utf-8", MARKDOWN_JS],
  "/uplot.js": ["text/javascript; charset=utf-8", UPLOT_JS],
  "/uplot.css": ["text/css; charset=utf-8", UPLOT_CSS],
} as const;

const HTML = "text/html; charset=utf-8";
const NO_TOKEN = "Open the address that the run has printed: it holds the token";

/** Goes on to the page by itself: other than a redirect, that is a request of this site. */
const DOORSTEP = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="refresh" content="0; url=./">
    <title>Retort</title>
  </head>
  <body><a href="./">Go on to the run</a></body>
</html>
`;

/** Bodies of controls are smaller. */
const MAX_BODY_BYTES = 1024;

/** No pings: the runtime forgets to end their timer when a page is lost, and lives on for it. A page that
 * is gone is noticed by what it is sent: TCP gives up, or its backlog grows too large. */
const IDLE_TIMEOUT_S = 0;

/** What follows a path prefix, which a proxy may leave in place. */
const OWN_PATH =
  /\/(?:(?:page|markdown|uplot)\.(?:js|css)|ws|report|metrics|control\/[a-z]*|samples(?:\/\d+)?|)$/;

/** Makes the app. */
export function createApp(options: AppOptions): Hono {
  const { hub, token, cookieName } = options;
  const isKnown = (c: Context) => isSameSecret(getCookie(c, cookieName), token);
  const app = new Hono({ getPath: ({ url }) => ownPath(url) });

  app.use(async (c, next) => {
    if (!isOwnHost(c.req.raw.headers.get("host"), options.hostname)) {
      c.res = c.text("Cannot answer: this is not a host of the monitor", 403);
    } else {
      await next();
    }
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
  });

  app.get("/", (c) => {
    const given = c.req.query("token");
    if (given === undefined) {
      return isKnown(c) ? c.body(PAGE_HTML, 200, { "content-type": HTML }) : c.text(NO_TOKEN, 401);
    }
    if (!isSameSecret(given, token)) return c.text(NO_TOKEN, 401);
    setCookie(c, cookieName, token, { httpOnly: true, sameSite: "Strict", path: "/" });
    return isFromElsewhere(c.req.raw.headers)
      ? c.body(DOORSTEP, 200, { "content-type": HTML })
      : c.redirect("./", 303);
  });

  app.use("/*", async (c, next) => {
    if (c.req.method !== "POST" && !isOwnRead(c.req.raw.headers)) {
      return c.text("Cannot answer: another page has asked", 403);
    }
    const isScraper = c.req.path === "/metrics" && c.req.method === "GET" &&
      isSameSecret(bearerToken(c.req.raw.headers), token);
    return isScraper || isKnown(c) ? await next() : c.text(NO_TOKEN, 401);
  });

  for (const [path, [type, text]] of Object.entries(ASSETS)) {
    app.get(path, (c) => c.body(text, 200, { "content-type": type }));
  }
  app.get("/metrics", (c) => c.body(renderMetrics(hub), 200, { "content-type": METRICS_TYPE }));
  app.get(
    "/report",
    (c) =>
      c.body(reportOf(hub), 200, {
        "content-type": HTML,
        "content-disposition": 'attachment; filename="retort-report.html"',
      }),
  );
  app.get("/samples", (c) => c.json(fitted(hub.record.samples.wholes(), MAX_WHOLES_BYTES)));
  app.get("/samples/:id", (c) => {
    const sample = hub.record.samples.whole(Number(c.req.param("id")));
    return sample === undefined ? c.notFound() : c.json(sample);
  });
  app.get("/ws", (c) => upgrade(c, hub));
  app.post(
    "/control/:name",
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => refuse(c, 413, "the body is too long") }),
    (c) => control(c, c.req.param("name"), options),
  );
  app.notFound((c) => c.text("There is nothing here", 404));
  app.onError((_error, c) => c.text("Cannot answer: the monitor has failed", 500));
  return app;
}

/** Takes no `URL`: one with the Host of a forged request may not be valid, and throws. */
function ownPath(url: string): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? "";
  return OWN_PATH.exec(path)?.[0] ?? path;
}

/** Neither the runtime nor Hono looks at who asks for a WebSocket, and a handler that throws would end the
 * process: those of the hub do not. */
function upgrade(c: Context, hub: Hub): Response {
  const { raw } = c.req;
  if (!isOwnPage(raw.headers)) return c.text("Cannot connect: another page has asked", 403);
  if (raw.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return c.text("Cannot connect: this address is for WebSockets", 426);
  }
  const upgraded = upgradeOf(raw);
  if (upgraded === undefined) return c.text("Cannot connect: the handshake is incomplete", 400);
  const { socket, response } = upgraded;
  const page = hub.join(socket satisfies PageSocket);
  socket.onopen = () => page.opened();
  socket.onmessage = ({ data }) => page.received(data);
  socket.onclose = () => page.left();
  socket.onerror = () => page.left();
  return response;
}

/** Undefined for a request without the header fields of a handshake: the runtime throws. */
function upgradeOf(request: Request): Deno.WebSocketUpgrade | undefined {
  try {
    return Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT_S });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

async function control(c: Context, name: string, { run, hub }: AppOptions): Promise<Response> {
  const { headers } = c.req.raw;
  if (!isOwnPage(headers)) return refuse(c, 403, "another page has asked");
  if (!/^application\/json(;|$)/i.test(headers.get("content-type") ?? "")) {
    return refuse(c, 415, "the body must be application/json");
  }
  if (!isControl(name)) return refuse(c, 404, `there is no control "${name}"`);
  if (hub.record.ended) return refuse(c, 409, "the run has ended");
  try {
    useControl(name, JSON.parse(await c.req.text()), { run, plan: hub });
    return c.json({ ok: true } satisfies ControlAnswer);
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(c, 400, "the body must be JSON");
    if (!isRefusal(error)) throw error;
    return c.json({ ok: false, error: error.message } satisfies ControlAnswer, 400);
  }
}

/** Whether the run cannot do what it was asked for: a budget, where a price is not known. */
function isRefusal(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof UsageError;
}

function refuse(c: Context, status: 400 | 403 | 404 | 409 | 413 | 415, why: string): Response {
  return c.json({ ok: false, error: `Cannot do that: ${why}` } satisfies ControlAnswer, status);
}
