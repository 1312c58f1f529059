/**
 * Access checks of one request, which `guard.ts` applies. A server on a loopback port can be
 * reached by every page that the user has open, whatever its site; each check closes one way in.
 *
 * @module
 */

import { timingSafeEqual } from "node:crypto";

const TOKEN_BYTES = 24;

/** With 64 random bits, no two pages get the same name. */
const COOKIE_NAME_BYTES = 8;

/** Names that mean this machine whatever a DNS server answers. */
const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"];

/** A server on a wildcard address can be reached at every address of this machine. */
const WILDCARD_ADDRESSES = ["0.0.0.0", "[::]"];

const HOST = /^(?<name>[a-z\d.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const ORIGIN = /^https?:\/\/(?<host>[^/]+)$/;

/** 192 random bits, base64url. */
export function createToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** All ports of a host share their cookies, and two pages may be open in one browser. */
export function createCookieName(): string {
  return `retort_${crypto.getRandomValues(new Uint8Array(COOKIE_NAME_BYTES)).toHex()}`;
}

/** Compares in constant time. The length is not secret. */
export function isSameSecret(candidate: string | undefined, secret: string): boolean {
  if (candidate === undefined) return false;
  const encoder = new TextEncoder();
  const candidateBytes = encoder.encode(candidate), secretBytes = encoder.encode(secret);
  return candidateBytes.length === secretBytes.length &&
    timingSafeEqual(candidateBytes, secretBytes);
}

/**
 * Whether a request with this `Host` is meant for the server. Accepted are the loopback names with
 * any port (an `ssh -L` tunnel has another one), and the address that the server listens on. The
 * owner of any other name could let it point to this machine (DNS rebinding). An address cannot be
 * rebound, so a server that listens on a wildcard address accepts any address.
 */
export function isOwnHost(hostField: string | null, hostname: string): boolean {
  const requested = HOST.exec(hostField?.toLowerCase() ?? "")?.groups?.name;
  if (requested === undefined) return false;
  if (LOOPBACK_HOSTS.includes(requested)) return true;
  const own = urlHost(hostname.toLowerCase());
  return WILDCARD_ADDRESSES.includes(own)
    ? IPV4.test(requested) || requested.startsWith("[")
    : requested === own;
}

/**
 * Whether the server's own page made the request: `Origin` names the host and port of the request,
 * and `Sec-Fetch-Site`, if present, is `same-origin`. The cookie does not prove that, because
 * browsers also send it from pages on other ports of this machine.
 */
export function isFromOwnPage(headers: Headers): boolean {
  const origin = ORIGIN.exec(headers.get("origin")?.toLowerCase() ?? "")?.groups?.host;
  const site = headers.get("sec-fetch-site");
  return origin !== undefined && origin === headers.get("host")?.toLowerCase() &&
    (site === null || site === "same-origin");
}

/**
 * Whether the server's own page sent the GET, or the user typed the address. Tools do not send
 * `Sec-Fetch-Site` and are accepted.
 */
export function isReadAllowed(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none";
}

/**
 * Whether a browser followed a link of another site. If the browser were redirected, the next
 * request would still count as sent by that site and would lack `SameSite=Strict` cookies. Browsers
 * send no `Sec-Fetch-Site` to a network address without TLS: then every browser counts as coming
 * from another site.
 */
export function isFromOtherSite(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  const isBrowser = headers.get("accept")?.includes("text/html") ?? false;
  return site === null ? isBrowser : site === "cross-site";
}

export function bearerToken(headers: Headers): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

export function urlHost(hostname: string): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
}
