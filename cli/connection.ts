/**
 * How to connect to a teacher: address, key, endpoint, header fields, certificates, proxy. Flags
 * apply to all teachers; a teacher in the configuration may have its own settings. Users name a
 * variable or a file, and never put a secret into a command.
 *
 * @module
 */

import { BlockList, isIP } from "node:net";
import { UsageError } from "../lib/errors.ts";
import { readTextOf, systemReason } from "../lib/files.ts";
import { isSecretHeader } from "../lib/params.ts";
import { ENDPOINTS } from "../lib/teacher/mod.ts";
import type { TeacherSpec } from "./config.ts";
import type { Io } from "./io.ts";
import { looksLikePath, NOT_SHOWN, type Settings } from "./settings.ts";

/** Where a key is stored. The file takes precedence. */
export interface KeyPlace {
  readonly file?: string;
  /** @default OPENAI_API_KEY */
  readonly variable?: string;
}

export const DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY";

/** What to do if a key is missing: throw, prompt for it, or only warn, because nothing is sent. */
export type OnMissingKey = "refuse" | "ask" | "warn";

export class Keys {
  readonly #io: Io;
  readonly #onMissing: OnMissingKey;
  /**
   * Keys that the user typed, by the file or variable that had no key. Teachers may share a key.
   */
  readonly #typedKeys = new Map<string, string>();

  /** @param onMissing `ask` prompts only if standard input and standard error are terminals. */
  constructor(io: Io, onMissing: OnMissingKey) {
    this.#io = io;
    this.#onMissing = onMissing;
  }

  /**
   * Reads a key, or prompts for it. Returns undefined if there is no key and it is optional, or
   * after a warning.
   *
   * @param missing The error if the user named no file or variable, and the default variable is
   * empty. @default the key is optional
   */
  async read(place: KeyPlace, host: string, missing?: string): Promise<string | undefined> {
    const { file, variable = DEFAULT_KEY_VARIABLE } = place;
    const key = file === undefined
      ? variableOf(variable, this.#io)?.trim() ?? ""
      : await readKeyFile(file);
    if (key !== "") {
      return checkKey(key, file === undefined ? `in the variable ${variable}` : `in "${file}"`);
    }
    const problem = file !== undefined
      ? `Cannot read the key from "${file}": it is empty`
      : place.variable === undefined
      ? missing
      : `Cannot find the key: ${notSet(variable, "api-key-env")}`;
    if (problem === undefined) return undefined;
    if (this.#onMissing === "warn") {
      this.#io.writeErr(`Warning: ${problem}\n`);
      return undefined;
    }
    const typedKey = await this.#ask(file ?? variable, host);
    if (typedKey === undefined) throw new UsageError(problem);
    return typedKey;
  }

  async #ask(place: string, host: string): Promise<string | undefined> {
    if (this.#onMissing !== "ask") return undefined;
    const question = `Key for ${host} (not shown, kept for this run only):`;
    const key = this.#typedKeys.get(place) ?? (await this.#io.askSecret?.(question))?.trim();
    if (key === undefined || key === "") return undefined;
    this.#typedKeys.set(place, key);
    return checkKey(key, "that was typed");
  }
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return (await readTextOf(path)).trim();
  } catch (cause) {
    // The cause is left out: it quotes the path, which may be the key itself.
    throw new UsageError(
      await looksLikePath(path)
        ? `Cannot read the key from "${path}": ${systemReason(cause)}`
        : `Cannot read the key: api-key-file must name an existing file. ${NOT_SHOWN}`,
    );
  }
}

/** Throws if a key cannot be sent in an HTTP header. The message does not show the key. */
function checkKey(key: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(
    `Cannot use the key ${where}: it must be one word of printable ASCII characters`,
  );
}

/** Matches words that occur in names of variables, but not in keys. */
const NAME_WORD = /(?:^|_)(?:API|APIKEY|AUTH|BASE|CRED|KEY|PASS|PASSWORD|SECRET|TOKEN|URL)(?:_|$)/;

/** Maximum length of a name without a `NAME_WORD` in messages. A longer one may be a key. */
const MAX_PLAIN_NAME_LENGTH = 15;

/** Reads a variable. Returns undefined if it is not set, or if `name` is not a valid name. */
export function variableOf(name: string, io: Pick<Io, "env">): string | undefined {
  // For an invalid name, Deno throws an error that quotes it. It may be a key: many end in "=".
  return /^[^=\0]+$/.test(name) ? io.env(name) : undefined;
}

/**
 * Returns `the variable NAME, which … names, is not set`. Does not show a name that may be the
 * secret.
 */
export function notSet(name: string, setting: string): string {
  return looksLikeName(name)
    ? `the variable ${name}, which ${setting} names, is not set`
    : `${setting} must name a variable that is set. ${NOT_SHOWN}`;
}

function looksLikeName(name: string): boolean {
  if (!/^[A-Z][A-Z\d_]*$/.test(name)) return false;
  return NAME_WORD.test(name) || (name.length <= MAX_PLAIN_NAME_LENGTH && !/\d/.test(name));
}

/** Returns the address, or for `@env:NAME` the value of the variable. */
export function addressOf(text: string, io: Pick<Io, "env">): string {
  const variable = /^@env:(.*)$/s.exec(text)?.[1];
  if (variable === undefined) return text;
  const address = variableOf(variable, io)?.trim() ?? "";
  if (address !== "") return address;
  throw new UsageError(`Cannot find the address of the teacher: ${notSet(variable, "base-url")}`);
}

/** Matches `NAME=VALUE` and, as for curl, `NAME: VALUE`. */
const FIELD = /^([\w!#$%&'*+.^`|~-]+)\s*[=:]\s*(.*)$/s;
/**
 * Matches `@env:NAME`, alone or after a scheme such as `Bearer`. NAME is any text, because users
 * may type the secret instead.
 */
const VARIABLE = /^(\w+ )?@env:(.*)$/s;
/**
 * Matches the names of header fields that contain a key. If one of them is set, the default key is
 * not sent.
 */
const KEY_FIELD = /^(authorization|api-key|x-api-key|x-goog-api-key|ocp-apim-subscription-key)$/i;

/** Reads header fields and the variables that they name. The last field of each name is sent. */
function readHeaders(fields: readonly string[], io: Pick<Io, "env">) {
  const headers: Record<string, string> = {};
  // Values of variables, which messages must hide, both alone and with their scheme (`Bearer …`).
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

/** Replaces a typed secret in a `--header` with a variable: `api-key=@env:API_KEY`. */
export function shownHeader(text: string): string {
  const [, name, value] = FIELD.exec(text) ?? [];
  if (name === undefined || VARIABLE.test(value) || !isSecretHeader(name, value)) return text;
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
 * @param list The `--base-url` of the list that `baseUrl` is from. For `dns+http://NAME`,
 * `NO_PROXY` may contain NAME.
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
 * Whether `NO_PROXY` names a host, in any form that curl, Go or undici accepts: `*`, a domain with
 * its subdomains (also after `.` or `*.`), an IP address or a range of them; each with or without a
 * port.
 */
function isException({ protocol, hostname, port }: URL, exceptions: string): boolean {
  const targetPort = port || (protocol === "https:" ? "443" : "80");
  const target = withoutBrackets(hostname).replace(/\.$/, "");
  return exceptions.split(/[\s,]+/).some((entry) => {
    const [, host, entryPort] = WITH_PORT.exec(entry) ?? [entry, entry];
    if (entryPort !== undefined && entryPort !== targetPort) return false;
    if (host === "*") return true;
    if (isIP(target) !== 0) return holdsAddress(withoutBrackets(host), target);
    const domain = domainOf(host);
    return domain !== "" && (target === domain || target.endsWith(`.${domain}`));
  });
}

/** Matches a host and a port. The last part of an IPv6 address without brackets is not a port. */
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
 * Normalizes a host of `NO_PROXY` like `URL.hostname` (lower case, Punycode), and removes a leading
 * `*.` or `.` and a final dot. Returns "" for an invalid host.
 */
function domainOf(host: string): string {
  const name = host.replace(/^\*?\./, "").replace(/\.$/, "");
  return URL.parse(`http://${name}`)?.hostname ?? "";
}
