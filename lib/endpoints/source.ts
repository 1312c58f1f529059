/**
 * Reads a list of addresses: `@endpoints.txt`, or `dns+http://name:port/v1`.
 *
 * @module
 */

import { systemReason } from "../files.ts";

/** A list of addresses that is read repeatedly. */
export interface ListSource {
  /** The file in quotes or the `dns+` address, for messages. */
  readonly name: string;
  /**
   * Reads the current entries. `isWhole` is false if some may be missing, as in a file that is
   * being written.
   *
   * @throws {Error} with the reason, if the list cannot be used
   */
  read(): Promise<{ entries: EndpointEntry[]; isWhole: boolean }>;
}

/** As `Deno.resolveDns`. */
export type Resolve = (name: string, type: "A" | "AAAA") => Promise<string[]>;

/**
 * Whether an address names a list, as opposed to one teacher or an environment variable (`@env:`).
 */
export function isList(text: string): boolean {
  return /^dns\+/.test(text) || (text.startsWith("@") && !text.startsWith("@env:"));
}

/** @throws {SyntaxError} if the address does not name a list */
export function sourceOf(text: string, resolve: Resolve = resolveDns): ListSource {
  return text.startsWith("@") ? fileSource(text.slice(1)) : dnsSource(text, resolve);
}

const resolveDns: Resolve = (name, type) => Deno.resolveDns(name, type);

/** The run reads the file periodically: network file systems have no file events. */
function fileSource(path: string): ListSource {
  let before: string | undefined;
  return {
    name: `"${path}"`,
    async read() {
      let text: string;
      try {
        text = await Deno.readTextFile(path);
      } catch (cause) {
        throw new Error(systemReason(cause), { cause });
      }
      const entries = await parseEndpoints(text, /\.ya?ml$/i.test(path));
      if (entries.length === 0) throw new Error("it holds no address");
      const isWhole = text.endsWith("\n") || text === before;
      before = text;
      return { entries, isWhole };
    },
  };
}

function dnsSource(text: string, resolve: Resolve): ListSource {
  const url = /^dns\+http:/.test(text) ? URL.parse(text.slice("dns+".length)) : null;
  if (url === null || url.hostname === "" || url.username !== "" || url.password !== "") {
    throw new SyntaxError(
      "it must be dns+http://NAME:PORT/v1; with https the certificates name hosts, not addresses",
    );
  }
  const where = url.port === "" ? "" : `:${url.port}`;
  return {
    name: text,
    async read() {
      const { hosts, isWhole } = await hostsOf(url.hostname, resolve);
      const addresses = [...new Set(hosts)].sort().map((host) =>
        `http://${host}${where}${url.pathname}`
      );
      return { entries: addresses.map((address) => ({ url: address })), isWhole };
    },
  };
}

async function hostsOf(
  hostname: string,
  resolve: Resolve,
): Promise<{ hosts: string[]; isWhole: boolean }> {
  const [four, six] = await Promise.allSettled([
    resolve(hostname, "A"),
    resolve(hostname, "AAAA"),
  ]);
  const hosts = [
    ...four.status === "fulfilled" ? four.value : [],
    ...six.status === "fulfilled" ? six.value.map((address) => `[${address}]`) : [],
  ];
  if (hosts.length === 0) {
    // Deno throws `NotFound` for a name without addresses too.
    const failed = [four, six].find((one) =>
      one.status === "rejected" && !(one.reason instanceof Deno.errors.NotFound)
    ) as PromiseRejectedResult | undefined;
    throw new Error(
      failed === undefined
        ? "the name has no address"
        : `the name cannot be looked up: ${systemReason(failed.reason)}`,
    );
  }
  // A lookup of A or AAAA records may fail temporarily although there are some.
  const isWhole = [four, six].every((one) =>
    one.status === "fulfilled" || one.reason instanceof Deno.errors.NotFound
  );
  return { hosts, isWhole };
}

/** One teacher of a list. */
export interface EndpointEntry {
  /** The base URL, up to `/v1`. */
  readonly url: string;
  /** The share of the load, relative to other entries. @default 1 */
  readonly weight?: number;
  /** The most attempts in flight at this address. @default that of the run */
  readonly max?: number;
}

/**
 * Parses the text of a list: lines of `URL [weight=2] [max=64]`, with blank lines and `#` comments,
 * or YAML: a list of addresses or of blocks with `url`, `weight` and `max`.
 *
 * @throws {SyntaxError} naming the line or entry that is wrong
 */
export async function parseEndpoints(text: string, isYaml: boolean): Promise<EndpointEntry[]> {
  const entries = isYaml || /^\s*(-|\[)/.test(text) ? await yamlEntries(text) : lineEntries(text);
  const urls = new Set<string>();
  for (const { url } of entries) {
    if (urls.has(url)) throw new SyntaxError(`${url} is listed twice`);
    urls.add(url);
  }
  return entries;
}

function lineEntries(text: string): EndpointEntry[] {
  return text.replace(/^\ufeff/, "").split(/\r?\n/).flatMap((line, index) => {
    const words = line.replace(/(^|\s)#.*$/, "").trim().split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) return [];
    const [url, ...settings] = words;
    const values: Record<string, unknown> = { url };
    for (const setting of settings) {
      const [name, value] = setting.split("=", 2);
      if (!["weight", "max"].includes(name) || value === undefined) {
        throw new SyntaxError(
          `line ${index + 1}: ${JSON.stringify(setting)} must be weight=N or max=N`,
        );
      }
      values[name] = Number(value);
    }
    return [checked(values, `line ${index + 1}`)];
  });
}

async function yamlEntries(text: string): Promise<EndpointEntry[]> {
  const { parse } = await import("../deps/std_yaml.ts");
  const value = parse(text);
  if (!Array.isArray(value)) throw new SyntaxError("it must be a list of addresses");
  return value.map((entry, index) =>
    checked(typeof entry === "string" ? { url: entry } : entry ?? {}, `entry ${index + 1}`)
  );
}

function checked(entry: Record<string, unknown>, place: string): EndpointEntry {
  const { url, weight, max, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new SyntaxError(`${place}: there is no "${other}": url, weight, max`);
  }
  const address = typeof url === "string" ? URL.parse(url) : null;
  if (address === null || !/^https?:$/.test(address.protocol)) {
    throw new SyntaxError(`${place}: the address must be an http or https URL`);
  }
  if (address.username !== "" || address.password !== "") {
    throw new SyntaxError(`${place}: the address must hold no password`);
  }
  if (weight !== undefined && !(typeof weight === "number" && weight > 0 && weight < Infinity)) {
    throw new SyntaxError(`${place}: weight must be a number above 0`);
  }
  if (max !== undefined && !(Number.isInteger(max) && Number(max) >= 1)) {
    throw new SyntaxError(`${place}: max must be a whole number, 1 or more`);
  }
  return {
    url: url as string,
    ...weight === undefined ? {} : { weight: weight as number },
    ...max === undefined ? {} : { max: max as number },
  };
}
