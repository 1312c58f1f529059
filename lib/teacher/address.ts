/**
 * Checks and parses the addresses of teachers, and shows them without their secrets.
 *
 * @module
 */

/** The parts of a base URL that has been checked. */
export interface Address {
  /** Scheme, host and port, as connections need them. */
  readonly origin: string;
  /** `host:port`, also if the port is the default. */
  readonly host: string;
  /** The path and query of requests, including the endpoint's path. */
  readonly path: string;
  /** The decoded `user:password` of the base URL; undefined if it has neither. */
  readonly credentials: string | undefined;
  /** The base URL without secrets, for messages. */
  readonly shownBaseUrl: string;
  /** The URL of requests without secrets, for messages. */
  readonly shownRequestUrl: string;
  /** Whether the base URL names an API version: `/v1`, like nearly all, or Azure's
   * `api-version`. */
  readonly isVersioned: boolean;
  /** Whether the host is Azure's, which takes keys in `api-key`. */
  readonly isAzure: boolean;
  /** Whether the host is this machine, which proxies cannot reach. */
  readonly isLoopback: boolean;
  /** Texts in the base URL that must never be shown. */
  readonly secrets: readonly string[];
}

/** Paths that Retort appends to base URLs, which users often copy together with one of them. */
const ENDPOINT_PATH = /\/(?:chat\/completions|completions|responses)$/;
const AZURE = /\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)$/;
const REDACTED = "[redacted]";
/** Names of query parameters that may hold a secret. */
const SECRET_NAME = /key|token|secret|sig|pass|pwd|auth|cred|code/i;

/**
 * Checks that requests can be sent to a base URL.
 *
 * @param baseUrl As the user gave it: `http://localhost:8000/v1`.
 * @throws {TypeError} If it is not an http or https URL, or already ends in the path of an
 * endpoint.
 */
export function checkBaseUrl(baseUrl: string): URL {
  const shown = JSON.stringify(redactAddress(String(baseUrl)));
  const url = URL.parse(baseUrl);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TypeError(
      `Cannot use ${shown} as the address of a teacher: ` +
        'it must be a URL such as "https://api.openai.com/v1" or "http://localhost:8000/v1"',
    );
  }
  const endpoint = ENDPOINT_PATH.exec(trimSlashes(url.pathname))?.[0];
  if (endpoint !== undefined) {
    const other = endpoint === "/chat/completions"
      ? ""
      : `, and add --endpoint ${endpoint.slice(1)}`;
    throw new TypeError(
      `Cannot use ${shown} as the address of a teacher: ` +
        `leave out "${endpoint}", which is added to it${other}`,
    );
  }
  return url;
}

/**
 * Parses a base URL.
 *
 * @param endpoint The path that is appended to it.
 * @throws {TypeError} As {@linkcode checkBaseUrl} does.
 */
export function parseAddress(baseUrl: string, endpoint = "/chat/completions"): Address {
  const url = checkBaseUrl(baseUrl);
  const path = trimSlashes(url.pathname);
  const query = redactQuery(url.search);
  return {
    origin: url.origin,
    host: `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`,
    path: path + endpoint + url.search,
    credentials: url.username || url.password
      ? `${decode(url.username)}:${decode(url.password)}`
      : undefined,
    shownBaseUrl: url.origin + path + query,
    shownRequestUrl: url.origin + path + endpoint + query,
    isVersioned: /\/v\d/.test(path) || url.searchParams.has("api-version"),
    isAzure: AZURE.test(url.hostname),
    isLoopback: isLoopback(url.hostname),
    secrets: secretsOf(url),
  };
}

/** An address for messages: without `user:password@`, and with the values of query parameters
 * redacted if their names suggest a secret. Also for text that is not a URL. */
export function redactAddress(url: string): string {
  const parsed = URL.parse(url);
  if (parsed !== null && /^https?:$/.test(parsed.protocol)) {
    const path = parsed.pathname === "/" && !/\/\/[^/]*\//.test(url) ? "" : parsed.pathname;
    return parsed.origin + path + redactQuery(parsed.search);
  }
  const bare = url.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^?#]*@/i, "$1");
  const query = bare.indexOf("?");
  return query < 0 ? bare : bare.slice(0, query) + redactQuery(bare.slice(query));
}

/** Whether an address holds secrets, which {@linkcode redactAddress} would hide. */
export function holdsSecret(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && secretsOf(parsed).length > 0;
}

/** Whether a host name, in the form of `URL.hostname`, is that of this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") ||
    /^127(\.\d+){3}$/.test(hostname) || hostname === "0.0.0.0" || hostname === "[::1]" ||
    hostname === "[::]" || /^\[::ffff:7f[0-9a-f]{2}:/.test(hostname);
}

function redactQuery(search: string): string {
  return search.replace(
    /([?&])([^=&]*)=([^&#]*)/g,
    (whole, mark, name) => SECRET_NAME.test(name) ? `${mark}${name}=${REDACTED}` : whole,
  );
}

function secretsOf(url: URL): string[] {
  const secrets = [decode(url.password), url.password];
  // Some servers take their key as a user name without a password.
  if (!url.password) secrets.push(decode(url.username), url.username);
  for (const [name, value] of url.searchParams) if (SECRET_NAME.test(name)) secrets.push(value);
  return secrets.filter((secret) => secret !== "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function trimSlashes(path: string): string {
  return path.replace(/\/+$/, "");
}
