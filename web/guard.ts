/**
 * The checks that every request to a page of the monitor passes first: the page of a run and that
 * of its data.
 *
 * @module
 */

import { type Context, getCookie, Hono, setCookie } from "../lib/deps/hono.ts";
import { bearerToken, isFromElsewhere, isOwnHost, isOwnRead, isSameSecret } from "./access.ts";
import { TEXT_ONLY } from "./report.ts";

/** The conditions for a request to be answered. */
export interface GuardOptions {
  /** The token that a browser or a scraper must send. */
  readonly token: string;
  /** The name of the cookie that holds the token. */
  readonly cookieName: string;
  /** The address that the server listens on. */
  readonly hostname: string;
  /** The part of a path after a prefix, which a proxy may leave in place. */
  readonly ownPath: RegExp;
  /** Answers a browser that is let in at `/`. */
  readonly page: (c: Context) => Response;
  /** Paths that a token in `Authorization` opens, too. @default none */
  readonly scraped?: string;
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

/** The type of a page. */
export const HTML = "text/html; charset=utf-8";

const NO_TOKEN = "Open the address that the run has printed: it holds the token";

/** Continues to the page by itself: unlike a redirect, that counts as a request of this site. */
const CONTINUE_PAGE = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="refresh" content="0; url=./">
    <title>Retort</title>
  </head>
  <body><a href="./">Continue to the run</a></body>
</html>
`;

/** An app with these checks and no routes. */
export function guardedApp(options: GuardOptions): Hono {
  const { token, cookieName, ownPath, page, scraped } = options;
  const isKnown = (c: Context) => isSameSecret(getCookie(c, cookieName), token);
  const app = new Hono({ getPath: ({ url }) => pathIn(url, ownPath) });

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
    if (given === undefined) return isKnown(c) ? page(c) : c.text(NO_TOKEN, 401);
    if (!isSameSecret(given, token)) return c.text(NO_TOKEN, 401);
    setCookie(c, cookieName, token, { httpOnly: true, sameSite: "Strict", path: "/" });
    return isFromElsewhere(c.req.raw.headers)
      ? c.body(CONTINUE_PAGE, 200, { "content-type": HTML })
      : c.redirect("./", 303);
  });

  app.use("/*", async (c, next) => {
    if (c.req.method !== "POST" && !isOwnRead(c.req.raw.headers)) {
      return c.text("Cannot answer: the request is from another page", 403);
    }
    const isScraper = c.req.path === scraped && c.req.method === "GET" &&
      isSameSecret(bearerToken(c.req.raw.headers), token);
    return isScraper || isKnown(c) ? await next() : c.text(NO_TOKEN, 401);
  });

  app.notFound((c) => c.text("There is nothing here", 404));
  app.onError((_error, c) => c.text("Cannot answer: the monitor has failed", 500));
  return app;
}

/** Does not use `URL`, which throws where a forged `Host` makes the address invalid. */
function pathIn(url: string, ownPath: RegExp): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? "";
  return ownPath.exec(path)?.[0] ?? path;
}
