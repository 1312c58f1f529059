/**
 * The app that each page of this folder extends: every request must first pass its access checks.
 *
 * @module
 */

import { type Context, getCookie, Hono, setCookie } from "../lib/deps/hono.ts";
import { bearerToken, isFromOtherSite, isOwnHost, isReadAllowed, isSameSecret } from "./access.ts";
import { TRUSTED_TYPES } from "./report.ts";

export interface GuardOptions {
  readonly token: string;
  readonly cookieName: string;
  readonly hostname: string;
  /** Matches the app's own path at the end of a path that may begin with a proxy's prefix. */
  readonly ownPath: RegExp;
  readonly page: (c: Context) => Response;
  /** Also accepts the token in `Authorization`. @default none */
  readonly scrapePath?: string;
}

/** `style-src 'self'` still allows scripts to set `element.style`, which charts need. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    TRUSTED_TYPES,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

export const HTML_TYPE = "text/html; charset=utf-8";

const NO_TOKEN = "Open the address that Retort printed: it contains the token";

/** Reloads the page without the token: unlike a redirect, as a same-site request. */
const CONTINUE_PAGE = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="refresh" content="0; url=./">
    <title>Retort</title>
  </head>
  <body><a href="./">Continue</a></body>
</html>
`;

export function guardedApp(options: GuardOptions): Hono {
  const { token, cookieName, ownPath, page, scrapePath } = options;
  const hasCookie = (c: Context) => isSameSecret(getCookie(c, cookieName), token);
  const app = new Hono({ getPath: ({ url }) => pathIn(url, ownPath) });

  app.use(async (c, next) => {
    if (!isOwnHost(c.req.raw.headers.get("host"), options.hostname)) {
      c.res = c.text(
        "Cannot answer: the host must be localhost or the address that Retort listens on",
        403,
      );
    } else {
      await next();
    }
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
  });

  app.get("/", (c) => {
    const candidate = c.req.query("token");
    if (candidate === undefined) return hasCookie(c) ? page(c) : c.text(NO_TOKEN, 401);
    if (!isSameSecret(candidate, token)) return c.text(NO_TOKEN, 401);
    setCookie(c, cookieName, token, { httpOnly: true, sameSite: "Strict", path: "/" });
    return isFromOtherSite(c.req.raw.headers)
      ? c.body(CONTINUE_PAGE, 200, { "content-type": HTML_TYPE })
      : c.redirect("./", 303);
  });

  app.use("/*", async (c, next) => {
    if (c.req.method !== "POST" && !isReadAllowed(c.req.raw.headers)) {
      return c.text("Cannot answer: the request is from another page", 403);
    }
    const isScraper = c.req.path === scrapePath && c.req.method === "GET" &&
      isSameSecret(bearerToken(c.req.raw.headers), token);
    return isScraper || hasCookie(c) ? await next() : c.text(NO_TOKEN, 401);
  });

  app.notFound((c) => c.text("Cannot answer: there is no such address", 404));
  app.onError((_error, c) => c.text("Cannot answer: the page has failed", 500));
  return app;
}

/**
 * Without the prefix of a proxy. `URL` would throw if a forged `Host` makes the address invalid.
 */
function pathIn(url: string, ownPath: RegExp): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? "";
  return ownPath.exec(path)?.[0] ?? path;
}
