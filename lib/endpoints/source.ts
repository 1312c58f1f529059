/** Reads and parses a list of addresses: `@endpoints.txt`, or `dns+http://name:port/v1`. @module */

import { yamlProblem } from "../errors.ts";
import { readTextOf, systemReason } from "../files.ts";
import { redactAddress } from "../teacher/mod.ts";
import { delay } from "../timer.ts";

export interface ListSource {
  /** The file in quotes or the `dns+` address, for messages. */
  readonly name: string;
  /**
   * Reads the list. `isWhole` is false if entries may be missing, for example while a file is
   * written.
   *
   * @throws {Error} with the reason, if the list cannot be used
   */
  read(): Promise<{ entries: EndpointEntry[]; isWhole: boolean }>;
}

type Resolve = (name: string, type: "A" | "AAAA") => Promise<string[]>;

/** Whether an address names a list of teachers. (`@env:` names an environment variable.) */
export function isList(text: string): boolean {
  return /^dns\+/.test(text) || (text.startsWith("@") && !text.startsWith("@env:"));
}

/** @throws {SyntaxError} if the address does not name a list */
export function sourceOf(
  text: string,
  { resolve = resolveDns, pause = delay }: SourceDependencies = {},
): ListSource {
  return text.startsWith("@") ? fileSource(text.slice(1), pause) : dnsSource(text, resolve);
}

/** Dependencies that tests replace. */
export interface SourceDependencies {
  /** Looks up the addresses of a name. @default Deno.resolveDns */
  readonly resolve?: Resolve;
  /** Waits before a file is read again. @default delay */
  readonly pause?: (ms: number) => Promise<void>;
}

const resolveDns: Resolve = (name, type) => Deno.resolveDns(name, type);

/** Reads a file. Callers call `read()` at intervals, because network file systems send no change
 * events. */
function fileSource(path: string, pause: (ms: number) => Promise<void>): ListSource {
  let lastText: string | undefined;
  let lastEntries: EndpointEntry[] = [];
  return {
    name: `"${path}"`,
    async read() {
      const text = await textOf(path);
      // Parsing 10,000 addresses takes a tenth of the time between two reads.
      if (text === lastText) return { entries: lastEntries, isWhole: true };
      // A file that is being rewritten in place is incomplete for a moment.
      if (lastText !== undefined && !linesOf(text).isSupersetOf(linesOf(lastText))) {
        await pause(REREAD_DELAY_MS);
        if (await textOf(path) !== text) return { entries: [], isWhole: false };
      }
      const entries = await parseEndpoints(text, /\.ya?ml$/i.test(path));
      if (entries.length === 0) throw new Error("it contains no address");
      lastText = text;
      lastEntries = entries;
      // A last line without a line break may be incomplete: the next read must find the same text.
      return { entries, isWhole: text.endsWith("\n") };
    },
  };
}

const REREAD_DELAY_MS = 100;

async function textOf(path: string): Promise<string> {
  try {
    return await readTextOf(path);
  } catch (cause) {
    throw new Error(systemReason(cause), { cause });
  }
}

function linesOf(text: string): Set<string> {
  return new Set(text.split("\n"));
}

/** @throws {SyntaxError} if the address is not `dns+http://` before a name */
function dnsUrl(text: string): URL {
  const url = /^dns\+http:/.test(text) ? URL.parse(text.slice("dns+".length)) : null;
  if (url !== null && (url.username !== "" || url.password !== "")) {
    throw new SyntaxError("the address must not contain a user name or password");
  }
  if (url === null || url.hostname === "") {
    throw new SyntaxError(
      "it must be dns+http://NAME:PORT/v1. With https it cannot work: calls go to addresses, and " +
        "certificates name hosts",
    );
  }
  if (/^(\[|[\d.]+$)/.test(url.hostname)) {
    throw new SyntaxError(`${url.hostname} is an address, not a name: leave out "dns+"`);
  }
  return url;
}

function dnsSource(text: string, resolve: Resolve): ListSource {
  const url = dnsUrl(text);
  const port = url.port === "" ? "" : `:${url.port}`;
  /** The hosts from the last successful lookups of A and AAAA records. */
  let lastHosts: readonly Hosts[] = [[], []];
  return {
    name: redactAddress(text),
    async read() {
      const lookups = await Promise.all([
        hostsOf(url.hostname, "A", resolve),
        hostsOf(url.hostname, "AAAA", resolve),
      ]);
      // One of the two lookups may fail, perhaps every time. The addresses that it last found then
      // stay.
      const hosts = lookups.map((lookup, i) => lookup instanceof Error ? lastHosts[i] : lookup);
      const failed = lookups.filter((lookup) => lookup instanceof Error);
      if (failed.length === 2 || hosts.flat().length === 0) {
        throw new Error(
          failed.length === 0
            ? "the name has no address"
            : `the name cannot be looked up: ${systemReason(failed[0])}`,
        );
      }
      lastHosts = hosts;
      const urls = hosts.flat().map((host) =>
        normalized(new URL(`http://${host}${port}${url.pathname}${url.search}`))
      );
      return { entries: [...new Set(urls)].sort().map((url) => ({ url })), isWhole: true };
    },
  };
}

/** Hosts as in a URL, with IPv6 addresses in brackets. */
type Hosts = readonly string[];

async function hostsOf(
  name: string,
  type: "A" | "AAAA",
  resolve: Resolve,
): Promise<Hosts | Error> {
  try {
    const addresses = await resolve(name, type);
    return type === "A" ? addresses : addresses.map((address) => `[${address}]`);
  } catch (error) {
    // Deno throws `NotFound` for a name without such records.
    return error instanceof Deno.errors.NotFound ? [] : error as Error;
  }
}

export interface EndpointEntry {
  readonly url: string;
  /** The share of the load, relative to other entries. @default 1 */
  readonly weight?: number;
  /** Maximum number of attempts in flight at this address. @default the run's maximum */
  readonly max?: number;
}

/**
 * Parses lines of `URL [weight=2] [max=64]`, with blank lines and `#` comments, or YAML: a list of
 * addresses or of blocks with `url`, `weight` and `max`.
 *
 * @throws {SyntaxError} naming the line or entry that is wrong
 */
export async function parseEndpoints(text: string, isYaml: boolean): Promise<EndpointEntry[]> {
  const entries = isYaml || isYamlList(text) ? await yamlEntries(text) : lineEntries(text);
  // Equal lines count once: a server that restarted may have added its line again.
  const byUrl = new Map<string, EndpointEntry>();
  for (const entry of entries) {
    const { url, weight, max } = entry, before = byUrl.get(url) ?? entry;
    if (before.weight !== weight || before.max !== max) {
      throw new SyntaxError(`${redactAddress(url)} is listed twice, with different weight or max`);
    }
    byUrl.set(url, before);
  }
  return [...byUrl.values()];
}

/** Whether the first line that is neither blank nor a comment begins a YAML list. */
function isYamlList(text: string): boolean {
  for (const line of text.split("\n")) {
    const start = /[^\s\ufeff]/.exec(line)?.[0];
    if (start !== undefined && start !== "#") return start === "-" || start === "[";
  }
  return false;
}

function lineEntries(text: string): EndpointEntry[] {
  return text.replace(/^\ufeff/, "").split(/\r?\n/).flatMap((line, index) => {
    const words = line.replace(/(^|\s)#.*$/, "").trim().split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) return [];
    const [url, ...settings] = words;
    const values: Record<string, unknown> = { url };
    for (const setting of settings) {
      const [, name, value] = /^(weight|max)=(.*)$/.exec(setting) ?? [];
      if (name === undefined) {
        throw new SyntaxError(
          `line ${index + 1}: ${JSON.stringify(setting)} must be weight=N or max=N`,
        );
      }
      values[name] = Number(value);
    }
    return [checkedEntry(values, `line ${index + 1}`)];
  });
}

async function yamlEntries(text: string): Promise<EndpointEntry[]> {
  const { parse } = await import("../deps/std_yaml.ts");
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new SyntaxError(`it is not YAML: ${yamlProblem(cause)}`);
  }
  if (!Array.isArray(value)) throw new SyntaxError("it must be a list of addresses");
  return value.map((entry, index) =>
    checkedEntry(typeof entry === "string" ? { url: entry } : entry ?? {}, `entry ${index + 1}`)
  );
}

const MAX_IN_FLIGHT = 100_000;

function checkedEntry(entry: Record<string, unknown>, place: string): EndpointEntry {
  const { url, weight, max } = entry;
  const address = typeof url === "string" ? URL.parse(url) : null;
  const problem = problemOf(address, entry);
  if (address === null || problem !== undefined) throw new SyntaxError(`${place}: ${problem}`);
  return {
    url: normalized(address),
    ...weight === undefined ? {} : { weight: weight as number },
    ...max === undefined ? {} : { max: max as number },
  };
}

function problemOf(
  address: URL | null,
  { url: _, weight, max, ...others }: Record<string, unknown>,
): string | undefined {
  const [other] = Object.keys(others);
  if (other !== undefined) return `there is no setting "${other}": use url, weight or max`;
  if (address === null || !/^https?:$/.test(address.protocol)) {
    return "the address must be an http or https URL";
  }
  if (/,(https?:|$)/i.test(address.href) || address.hostname.includes(",")) {
    return "it must be one address, without commas";
  }
  if (address.username !== "" || address.password !== "") {
    return "the address must not contain a user name or password";
  }
  if (weight !== undefined && !(typeof weight === "number" && weight > 0 && weight < Infinity)) {
    return "weight must be a number above 0";
  }
  const isMax = Number.isInteger(max) && Number(max) >= 1 && Number(max) <= MAX_IN_FLIGHT;
  return max === undefined || isMax
    ? undefined
    : `max must be a whole number, 1 to ${MAX_IN_FLIGHT}`;
}

/** Removes the fragment, and slashes at the end of the path. `URL` has already removed the default
 * port and capitals in the host. */
function normalized(url: URL): string {
  url.hash = "";
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url.pathname === "/" && url.search === "" ? url.origin : url.href;
}
