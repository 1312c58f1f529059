/**
 * Where a list of addresses comes from: `@endpoints.txt`, or `dns+http://name:port/v1`.
 *
 * @module
 */

import { systemReason } from "../files.ts";
import { type EndpointEntry, parseEndpoints } from "./parse.ts";

/** A list that can be looked at again. */
export interface ListSource {
  /** What messages call it. */
  readonly name: string;
  /**
   * Looks now. `isWhole` is false where it may have been read while it was written.
   *
   * @throws {Error} when it cannot be used, with the reason
   */
  read(): Promise<{ entries: EndpointEntry[]; isWhole: boolean }>;
}

/** What begins the name of a list. */
export const LIST_KINDS = "@FILE, or dns+http://NAME:PORT/v1";

/** Looks up the addresses of a name. */
export type Resolve = (name: string, type: "A" | "AAAA") => Promise<string[]>;

/** Whether an address names a list, and not one teacher or a variable. */
export function isList(text: string): boolean {
  return /^dns\+/.test(text) || (text.startsWith("@") && !text.startsWith("@env:"));
}

/**
 * The list that an address names.
 *
 * @throws {SyntaxError} when it is none
 */
export function sourceOf(text: string, resolve: Resolve = resolveDns): ListSource {
  return text.startsWith("@") ? fileSource(text.slice(1)) : dnsSource(text, resolve);
}

const resolveDns: Resolve = (name, type) => Deno.resolveDns(name, type);

/** Read again and again, never by file events, which network file systems do not have. */
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
  const { hostname, port, pathname } = url;
  return {
    name: text,
    async read() {
      const [four, six] = await Promise.allSettled([
        resolve(hostname, "A"),
        resolve(hostname, "AAAA"),
      ]);
      const hosts = [
        ...four.status === "fulfilled" ? four.value : [],
        ...six.status === "fulfilled" ? six.value.map((address) => `[${address}]`) : [],
      ];
      if (hosts.length === 0) {
        const failed = [four, six].find((one) => one.status === "rejected");
        throw new Error(
          failed === undefined ? "the name has no address" : systemReason(failed.reason),
        );
      }
      // One that is known to have addresses of a kind may fail for the other kind for a moment.
      const isWhole = [four, six].every((one) =>
        one.status === "fulfilled" || one.reason instanceof Deno.errors.NotFound
      );
      const where = port === "" ? "" : `:${port}`;
      const entries = hosts.toSorted().map((host) => ({
        url: `http://${host}${where}${pathname}`,
      }));
      return { entries, isWhole };
    },
  };
}
