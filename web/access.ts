/**
 * Access checks of the monitor. A server on a loopback port can be reached by every page that the
 * user has open, whatever its site; each check closes one way in.
 *
 * @module
 */

import { timingSafeEqual } from "node:crypto";

const TOKEN_BYTES = 24;

/** Names of this machine that no DNS answer can give to another machine. */
const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"];

/** Addresses that mean all addresses of this machine: the page may be opened by any of them. */
const ALL_ADDRESSES = ["0.0.0.0", "[::]"];

const HOST = /^(?<name>[a-z\d.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const ORIGIN = /^https?:\/\/(?<host>[^/]+)$/;

/** Creates a token: 192 random bits, base64url. */
export function createToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Compares in constant time. The length is not secret. */
export function isSameSecret(given: string | undefined, secret: string): boolean {
  if (given === undefined) return false;
  const encoder = new TextEncoder();
  const a = encoder.encode(given), b = encoder.encode(secret);
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Whether a request with this `Host` is meant for the monitor. Accepted are the loopback names with
 * any port (an `ssh -L` tunnel has another one), and the address that the monitor listens on. Any
 * other name may be one whose owner lets it point to this machine (DNS rebinding). An address
 * cannot be rebound, so a monitor that listens on all addresses accepts any address.
 *
 * @param hostname The address that the monitor listens on.
 */
export function isOwnHost(host: string | null, hostname: string): boolean {
  const name = HOST.exec(host?.toLowerCase() ?? "")?.groups?.name;
  if (name === undefined) return false;
  if (LOOPBACK_HOSTS.includes(name)) return true;
  const own = bracketed(hostname.toLowerCase());
  return ALL_ADDRESSES.includes(own) ? IPV4.test(name) || name.startsWith("[") : name === own;
}

/**
 * Whether the monitor's own page made the request: its `Origin` names the host and port of the
 * request, and `Sec-Fetch-Site`, if present, is `same-origin`. The cookie does not prove that,
 * because browsers also send it from pages on other ports of this machine.
 */
export function isOwnPage(headers: Headers): boolean {
  const origin = ORIGIN.exec(headers.get("origin")?.toLowerCase() ?? "")?.groups?.host;
  const site = headers.get("sec-fetch-site");
  return origin !== undefined && origin === headers.get("host")?.toLowerCase() &&
    (site === null || site === "same-origin");
}

/**
 * Whether a GET may come from the monitor's own page or from an address that the user typed, judged
 * by `Sec-Fetch-Site`. Tools do not send that field and are accepted.
 */
export function isOwnRead(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none";
}

/**
 * Whether a browser followed a link of another site. If it were redirected, the next request would
 * still count as sent by that site and would lack `SameSite=Strict` cookies. Browsers send no
 * `Sec-Fetch-Site` to a network address without TLS: then any browser counts as coming from another
 * site.
 */
export function isFromElsewhere(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  const isBrowser = headers.get("accept")?.includes("text/html") ?? false;
  return site === null ? isBrowser : site === "cross-site";
}

/** Returns the token of `Authorization: Bearer TOKEN`, or undefined. */
export function bearerToken(headers: Headers): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

/** Returns an address as URLs contain it: IPv6 in brackets. */
export function bracketed(hostname: string): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
}
