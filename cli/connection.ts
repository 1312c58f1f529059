/**
 * How to connect to a teacher: endpoint, header fields, certificates, proxy. Flags apply to all
 * teachers; a teacher in the configuration may have its own settings.
 *
 * @module
 */

import { BlockList, isIP } from "node:net";
import { UsageError } from "../lib/errors.ts";
import { isSecretHeader } from "../lib/params.ts";
import { ENDPOINTS } from "../lib/teacher/mod.ts";
import { notSet, variableOf } from "./api_key.ts";
import type { TeacherSpec } from "./config.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";

/** `NAME=VALUE`, or `NAME: VALUE` as for curl. */
const FIELD = /^([\w!#$%&'*+.^`|~-]+)\s*[=:]\s*(.*)$/s;
/**
 * `@env:NAME`, alone or after a scheme such as `Bearer`. NAME matches any text, because users may
 * type the secret instead.
 */
const VARIABLE = /^(\w+ )?@env:(.*)$/s;
/** Header fields that contain a key. It replaces the default key. */
const KEY_FIELD = /^(authorization|api-key|x-api-key|x-goog-api-key|ocp-apim-subscription-key)$/i;

/** Reads header fields and the variables that they name. The last field of a name counts. */
function readHeaders(fields: readonly string[], io: Pick<Io, "env">) {
  const headers: Record<string, string> = {};
  // Values of variables, which messages must hide: alone, and with the scheme (`Bearer …`).
  const secrets: string[] = [];
  for (const text of fields) {
    const [, name, value] = FIELD.exec(text) ?? [];
    if (name === undefined) {
      throw new UsageError(
        "Cannot use a --header: it must be NAME=VALUE, as in X-Team=search, or NAME=@env:VARIABLE, " +
          "as in api-key=@env:AZURE_API_KEY",
      );
    }
    const [, scheme = "", variable] = VARIABLE.exec(value) ?? [];
    if (variable === undefined) headers[name] = value;
    else {
      const secret = variableOf(variable, io)?.trim() ?? "";
      if (secret === "") {
        throw new UsageError(`Cannot send the header "${name}": ${notSet(variable, "it")}`);
      }
      headers[name] = scheme + secret;
      secrets.push(secret, scheme + secret);
    }
  }
  return { headers, secrets };
}

export function holdsKey(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => KEY_FIELD.test(name));
}

/** Replaces a typed secret in a `--header` with a variable. */
export function shownHeader(text: string): string {
  const [, name, value] = FIELD.exec(text) ?? [];
  if (name === undefined || VARIABLE.test(value) || !isSecretHeader(name)) return text;
  return `${name}=@env:${name.toUpperCase().replaceAll(/\W/g, "_")}`;
}

export async function readConnection(spec: TeacherSpec, settings: Settings, io: Io) {
  const hasOwnPair = spec.clientCert !== undefined || spec.clientKey !== undefined;
  const ownFields = Object.entries(spec.headers ?? {}).map(([name, value]) => `${name}=${value}`);
  return {
    ...readHeaders([...settings.list("header"), ...ownFields], io),
    endpoint: spec.endpoint ?? settings.choice("endpoint", ENDPOINTS),
    ca: await settings.fileOr("ca-file", spec.caFile),
    clientCert: await settings.fileOr("client-cert", spec.clientCert, hasOwnPair),
    clientKey: await settings.fileOr("client-key", spec.clientKey, hasOwnPair),
    insecureTls: spec.insecureTls ?? settings.isOn("insecure-tls"),
  };
}

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, in lower or upper case. Returns undefined if
 * `NO_PROXY` names the host.
 *
 * @param list The list that contains the address. `NO_PROXY` may also name the host of `dns+http`.
 */
export function proxyOf(
  baseUrl: string,
  io: Pick<Io, "env">,
  list: string = baseUrl,
): string | undefined {
  const read = (name: string) => io.env(name.toLowerCase()) || io.env(name) || undefined;
  const url = URL.parse(baseUrl), listUrl = URL.parse(list.replace(/^dns\+/, ""));
  const exceptions = read("NO_PROXY") ?? "";
  if ([url, listUrl].some((url) => url !== null && isException(url, exceptions))) return undefined;
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

/**
 * Normalizes a host of `NO_PROXY` like `URL.hostname` (lower case, Punycode), without `*.` or `.`
 * at the start and a dot at the end. Returns "" for an invalid one.
 */
function domainOf(host: string): string {
  const name = host.replace(/^\*?\./, "").replace(/\.$/, "");
  return URL.parse(`http://${name}`)?.hostname ?? "";
}
