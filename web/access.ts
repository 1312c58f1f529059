/**
 * The app that each page of this folder extends. Every request must first pass checks, because any
 * site that the user has open can send requests to a loopback port.
 *
 * @module
 */

import { type Context, getCookie, Hono, setCookie } from "../lib/deps/hono.ts";
import { timingSafeEqual } from "node:crypto";
import { DEFAULT_HOSTNAME, type GuardedApp, type PageOptions, urlHost } from "./listen.ts";
import { TRUSTED_TYPES } from "./report.ts";

interface GuardOptions extends Pick<PageOptions, "hostname" | "token"> {
  /** Matches the end of a path that belongs to the app; what comes before is a proxy's prefix. */
  readonly ownPath: RegExp;
  readonly page: (c: Context) => Response;
  /** A path whose GET also accepts the token in `Authorization`. @default none */
  readonly scrapePath?: string;
}

/** `style-src 'self'` forbids style attributes in HTML, not `element.style`, which charts set. */
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

const NO_TOKEN =
  "Open the address that Retort printed: it contains the token. If you did, allow cookies for this " +
  "address: a cookie holds the token";

/**
 * A page that reloads itself without the token. Browsers take a reload by the page itself
 * for same-site, but not a redirect after a link on another site.
 */
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

/**
 * Creates an app that serves the page at `/`, and checks each request before it reaches other
 * routes.
 */
export function guardedApp(options: GuardOptions): GuardedApp {
  const { hostname = DEFAULT_HOSTNAME, token = createToken(), ownPath, page, scrapePath } = options;
  const cookieName = createCookieName();
  const hasCookie = (c: Context) => isSameSecret(getCookie(c, cookieName), token);
  const app = new Hono({ getPath: ({ url }) => pathIn(url, ownPath) });

  app.use(async (c, next) => {
    if (!isOwnHost(c.req.raw.headers.get("host"), hostname)) {
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
    return mayBeFromOtherSite(c.req.raw.headers)
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
  return { app, token, cookieName };
}

/** Adds a route for each text. The type follows from the path: `.js`, `.css`, or else HTML. */
export function addFiles(app: Hono, texts: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(texts)) {
    const type = path.endsWith(".js") ? "javascript" : path.endsWith(".css") ? "css" : "html";
    app.get(path, (c) => c.body(text, 200, { "content-type": `text/${type}; charset=utf-8` }));
  }
}

/** Returns the path without the prefix of a proxy. `URL` would throw for a forged `Host`. */
function pathIn(url: string, ownPath: RegExp): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? "";
  return ownPath.exec(path)?.[0] ?? path;
}

const TOKEN_BYTES = 24;

/** Number of random bytes in a cookie's name. With 64 bits, no two pages get the same name. */
const COOKIE_NAME_BYTES = 8;

/** Host names of this machine, regardless of what a DNS server answers. */
const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"];

/** Addresses with which a server listens on every address of this machine. */
const WILDCARD_ADDRESSES = ["0.0.0.0", "[::]"];

const HOST = /^(?<name>[a-z\d.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const ORIGIN = /^https?:\/\/(?<host>[^/]+)$/;

function createToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Returns a unique cookie name. All ports of a host share their cookies. */
function createCookieName(): string {
  return `retort_${crypto.getRandomValues(new Uint8Array(COOKIE_NAME_BYTES)).toHex()}`;
}

/** Compares in constant time. The length is not secret. */
function isSameSecret(candidate: string | undefined, secret: string): boolean {
  if (candidate === undefined) return false;
  const encoder = new TextEncoder();
  const candidateBytes = encoder.encode(candidate), secretBytes = encoder.encode(secret);
  return candidateBytes.length === secretBytes.length &&
    timingSafeEqual(candidateBytes, secretBytes);
}

/**
 * Whether `Host` names this server. Loopback names are accepted with any port (an `ssh -L` tunnel
 * has another port), and so is the address that the server listens on. Any other name may belong to
 * an attacker and resolve to this machine (DNS rebinding). A server on a wildcard address also
 * accepts any IP address, because addresses cannot be rebound.
 */
function isOwnHost(hostField: string | null, hostname: string): boolean {
  const requested = HOST.exec(hostField?.toLowerCase() ?? "")?.groups?.name;
  if (requested === undefined) return false;
  if (LOOPBACK_HOSTS.includes(requested)) return true;
  const own = urlHost(hostname.toLowerCase());
  return WILDCARD_ADDRESSES.includes(own)
    ? IPV4.test(requested) || requested.startsWith("[")
    : requested === own;
}

/**
 * Whether the server's own page made the request: `Origin` matches the host and port, and
 * `Sec-Fetch-Site`, if present, is `same-origin`. The cookie proves nothing, because browsers also
 * send it from pages on other ports of this machine.
 */
export function isFromOwnPage(headers: Headers): boolean {
  const origin = ORIGIN.exec(headers.get("origin")?.toLowerCase() ?? "")?.groups?.host;
  const site = headers.get("sec-fetch-site");
  return origin !== undefined && origin === headers.get("host")?.toLowerCase() &&
    (site === null || site === "same-origin");
}

/** Returns why a POST must be rejected; undefined if it is JSON from the server's own page. */
export function postProblem(headers: Headers): { status: 403 | 415; why: string } | undefined {
  if (!isFromOwnPage(headers)) return { status: 403, why: "the request is from another page" };
  return /^application\/json(;|$)/i.test(headers.get("content-type") ?? "")
    ? undefined
    : { status: 415, why: "the body must be application/json" };
}

/**
 * Whether the server's own page sent the request, or the user typed the URL. Tools are accepted:
 * they do not send `Sec-Fetch-Site`.
 */
function isReadAllowed(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none";
}

/**
 * Whether a browser may have followed a link on another site. A redirect would not help then: the
 * next request would still be cross-site and lack `SameSite=Strict` cookies. Without TLS, browsers
 * send `Sec-Fetch-Site` only to loopback addresses, so elsewhere this is true of every browser.
 */
function mayBeFromOtherSite(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  const isBrowser = headers.get("accept")?.includes("text/html") ?? false;
  return site === null ? isBrowser : site === "cross-site";
}

function bearerToken(headers: Headers): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}
