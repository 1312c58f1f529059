/** The proxy for a base URL, from the environment. @module */

import { BlockList, isIP } from "node:net";
import type { Io } from "./io.ts";

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, in lower or upper case. Returns undefined if
 * `NO_PROXY` names the host.
 */
export function proxyOf(baseUrl: string, io: Pick<Io, "env">): string | undefined {
  const read = (name: string) => io.env(name.toLowerCase()) || io.env(name) || undefined;
  const url = URL.parse(baseUrl);
  const exceptions = read("NO_PROXY");
  if (url !== null && exceptions !== undefined && isException(url, exceptions)) return undefined;
  const proxy = url?.protocol === "https:" ? read("HTTPS_PROXY") : read("HTTP_PROXY");
  return proxy ?? read("ALL_PROXY");
}

/**
 * Whether `NO_PROXY` names a host, in any form of curl, Go or undici: `*`, a domain with its
 * subdomains (also after `.` or `*.`), an IP address or a range of them; each with or without a
 * port.
 */
function isException({ protocol, hostname, port }: URL, list: string): boolean {
  const targetPort = port || (protocol === "https:" ? "443" : "80");
  const target = withoutBrackets(hostname).replace(/\.$/, "");
  return list.split(/[\s,]+/).some((entry) => {
    const [, host, entryPort] = WITH_PORT.exec(entry) ?? [entry, entry];
    if (entryPort !== undefined && entryPort !== targetPort) return false;
    if (host === "*") return true;
    if (isIP(target) !== 0) return holdsAddress(withoutBrackets(host), target);
    const domain = domainOf(host);
    return domain !== "" && (target === domain || target.endsWith(`.${domain}`));
  });
}

/** The colons of an IPv6 address without brackets do not begin a port. */
const WITH_PORT = /^(\[[^\]]+\]|[^:]+):(\d+)$/;

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

/** @param range An IP address, or a range such as `10.0.0.0/8`. */
function holdsAddress(range: string, address: string): boolean {
  const version = isIP(address);
  const [network, prefix] = range.split("/");
  const maxBits = version === 6 ? 128 : 32;
  const bits = prefix === undefined ? maxBits : /^\d+$/.test(prefix) ? Number(prefix) : NaN;
  if (isIP(network) !== version || !(bits <= maxBits)) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  const addresses = new BlockList();
  addresses.addSubnet(network, bits, family);
  return addresses.check(address, family);
}

/** Normalizes a host of `NO_PROXY` like `URL.hostname` (lower case, Punycode), without `*.` or `.`
 * at the start and a dot at the end. Returns "" for an invalid one. */
function domainOf(host: string): string {
  const name = host.replace(/^\*?\./, "").replace(/\.$/, "");
  return URL.parse(`http://${name}`)?.hostname ?? "";
}
