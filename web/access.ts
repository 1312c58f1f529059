/**
 * Who may talk to the monitor. A server on a loopback port can be reached by every page that the
 * person has open, whatever site it is from; each check here closes one way in.
 *
 * @module
 */

import { timingSafeEqual } from "node:crypto";

/** 192 bits. */
const TOKEN_BYTES = 24;

/** The names of this machine that no other machine can give itself in a DNS answer. */
const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"];

/** Listening on all addresses: the page may be opened by any of them. */
const ALL_ADDRESSES = ["0.0.0.0", "[::]"];

const HOST = /^(?<name>[a-z\d.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const ORIGIN = /^https?:\/\/(?<host>[^/]+)$/;

/** A new token: 192 random bits, base64url. */
export function createToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Whether both are the same, in a time that does not tell how much of them is. The length is no secret. */
export function isSameSecret(given: string | undefined, secret: string): boolean {
  if (given === undefined) return false;
  const encoder = new TextEncoder();
  const a = encoder.encode(given), b = encoder.encode(secret);
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Whether a request for this `Host` is meant for the monitor: the loopback names with any port (an
 * `ssh -L` tunnel has another one), and the address that it listens on. Any other name may be one whose
 * owner lets it point here (DNS rebinding). An address cannot be rebound, hence where the monitor
 * listens on all addresses, all addresses are right.
 *
 * @param hostname what the monitor listens on
 */
export function isOwnHost(host: string | null, hostname: string): boolean {
  const name = HOST.exec(host?.toLowerCase() ?? "")?.groups?.name;
  if (name === undefined) return false;
  if (LOOPBACK_HOSTS.includes(name)) return true;
  const own = bracketed(hostname.toLowerCase());
  return ALL_ADDRESSES.includes(own) ? IPV4.test(name) || name.startsWith("[") : name === own;
}

/** Whether the request was made by the monitor's own page: its `Origin` is there and names the host and
 * port that it asks for, and the browser, if it says something of it, says so too. A page on another port
 * of this machine gets the cookie sent along, hence this check. */
export function isOwnPage(headers: Headers): boolean {
  const origin = ORIGIN.exec(headers.get("origin")?.toLowerCase() ?? "")?.groups?.host;
  const site = headers.get("sec-fetch-site");
  return origin !== undefined && origin === headers.get("host")?.toLowerCase() &&
    (site === null || site === "same-origin");
}

/** Whether a GET is one of the monitor's own page or of the user who typed the address, as far as the
 * browser says. Tools say nothing. */
export function isOwnRead(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none";
}

/** Whether a browser came here by a link of another site, as far as it can be told. Where it follows a
 * redirect from here, it still counts as sent by that site and leaves `SameSite=Strict` cookies behind. To
 * an address without TLS in a network it says nothing of the site, so there it may have. */
export function isFromElsewhere(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  const isBrowser = headers.get("accept")?.includes("text/html") ?? false;
  return site === null ? isBrowser : site === "cross-site";
}

/** The token of `Authorization: Bearer TOKEN`, or undefined. */
export function bearerToken(headers: Headers): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

/** How an address stands in a URL: IPv6 in brackets. */
export function bracketed(hostname: string): string {
  return hostname.includes(":") && !hostname.startsWith("[") ? `[${hostname}]` : hostname;
}
