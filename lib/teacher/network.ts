/** Checks the addresses of teachers, the proxy, and certificates. @module */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { OpenAICompatibleOptions } from "./teacher_options.ts";

export interface Address {
  readonly origin: string;
  /** `host:port`, even if the port is the default. */
  readonly host: string;
  /** The path of requests, with the endpoint and the query. */
  readonly path: string;
  /** The decoded `user:password`; undefined if the base URL has neither a user name nor a
   * password. */
  readonly credentials: string | undefined;
  readonly shownBaseUrl: string;
  readonly shownRequestUrl: string;
  /** Whether the address contains an API version: `/v1`, or Azure's `api-version`. */
  readonly isVersioned: boolean;
  /** Whether the address is Azure's, where keys are sent in `api-key`. */
  readonly isAzure: boolean;
  /** Whether the host is this machine, which a proxy could not reach. */
  readonly isLoopback: boolean;
  readonly secrets: readonly string[];
}

/** The paths that Retort appends to the base URL. Users often copy a base URL that already ends
 * with one of these paths. */
const ENDPOINT_PATH = /\/(?:chat\/completions|completions|responses)$/;
const AZURE = /\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)$/;
export const REDACTED = "[redacted]";
const SECRET_PARAMETER = /key|token|secret|sig|pass|pwd|auth|cred|code/i;

/** Parses and checks a base URL.
 *
 * @throws {TypeError} if it is not an http or https URL, or ends in the path of an endpoint */
export function checkBaseUrl(baseUrl: string): URL {
  const given = `${JSON.stringify(redactAddress(String(baseUrl)))} as the address of a teacher`;
  const url = URL.parse(baseUrl);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    const examples = '"https://api.openai.com/v1" or "http://localhost:8000/v1"';
    throw unusable(given, `it must be a URL such as ${examples}`);
  }
  const endpoint = ENDPOINT_PATH.exec(trimSlashes(url.pathname))?.[0];
  if (endpoint !== undefined) {
    const other = endpoint === "/chat/completions"
      ? ""
      : `, and add --endpoint ${endpoint.slice(1)}`;
    throw unusable(given, `leave out "${endpoint}", which is added to it${other}`);
  }
  return url;
}

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
    secrets: secretsIn(url),
  };
}

/** Returns the target of a redirect as a base URL without secrets. Returns "the final address" if
 * its path is not that of an endpoint.
 *
 * @param base The base URL that was redirected. */
export function baseUrlAt(location: string, base: string): string {
  const url = URL.parse(location, base);
  if (url === null || !ENDPOINT_PATH.test(url.pathname)) return "the final address";
  url.pathname = url.pathname.replace(ENDPOINT_PATH, "");
  return redactAddress(url.href);
}

/** Makes an address or another text safe to show: removes `user:password@`, and the values of query
 * parameters whose names suggest a secret. */
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

/** Whether a URL contains a secret that {@linkcode redactAddress} hides. */
export function holdsSecret(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && secretsIn(parsed).length > 0;
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") ||
    /^127(\.\d+){3}$/.test(hostname) || hostname === "0.0.0.0" || hostname === "[::1]" ||
    hostname === "[::]" || /^\[::ffff:7f[0-9a-f]{2}:/.test(hostname);
}

function redactQuery(search: string): string {
  return search.replace(
    /([?&])([^=&]*)=([^&#]*)/g,
    (whole, mark, name) => isSecretParameter(name) ? `${mark}${name}=${REDACTED}` : whole,
  );
}

/** @param name The name as it appears in the address, where it may be percent-encoded. */
function isSecretParameter(name: string): boolean {
  return [...new URLSearchParams(`${name}=`).keys()].some((name) => SECRET_PARAMETER.test(name));
}

export function secretsIn(url: URL): string[] {
  const secrets = [decode(url.password), url.password];
  // Some servers and proxies accept a key as a user name without a password.
  if (!url.password) secrets.push(decode(url.username), url.username);
  for (const [name, value] of url.searchParams) {
    if (SECRET_PARAMETER.test(name)) secrets.push(value);
  }
  return secrets.filter((secret) => secret !== "");
}

/** Decodes percent-encoded UTF-8 (`%C3%A4`). Returns undefined if the text is not valid. */
export function decodedUrl(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function decode(text: string): string {
  return decodedUrl(text) ?? text;
}

function trimSlashes(path: string): string {
  return path.replace(/\/+$/, "");
}

type TlsOptions = Pick<
  OpenAICompatibleOptions,
  "ca" | "clientCert" | "clientKey" | "insecureTls"
>;

export interface TlsSettings {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly rejectUnauthorized?: false;
}

const CLIENT_CERT = "the client certificate (clientCert, --client-cert)";
const CLIENT_KEY = "the private key (clientKey, --client-key)";
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]+?-----END [A-Z ]*PRIVATE KEY-----/;
const CERTIFICATE =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * Checks certificates and the key before a run. During a run, a key that does not match its
 * certificate would only cause `unsupported protocol`.
 *
 * @throws {TypeError} if a certificate or the key cannot be used. The message does not contain the
 * key.
 */
export function tlsSettings(options: TlsOptions): TlsSettings {
  const { ca, clientCert, insecureTls } = options;
  // As with curl, the file of the certificate may also contain the key.
  const clientKey = options.clientKey ?? PRIVATE_KEY.exec(clientCert ?? "")?.[0];
  if (ca !== undefined) certificatesOf(ca, "the certificates of authorities (ca, --ca-file)");
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    const [present, missing] = clientKey === undefined
      ? [CLIENT_CERT, CLIENT_KEY]
      : [CLIENT_KEY, CLIENT_CERT];
    throw new TypeError(`Cannot use ${present} alone: add ${missing}`);
  }
  if (clientCert !== undefined && clientKey !== undefined) checkPair(clientCert, clientKey);
  const settings = { ca, cert: clientCert, key: clientKey };
  // If TLS is secure, the field is omitted: `true` would override NODE_TLS_REJECT_UNAUTHORIZED=0.
  return insecureTls === true ? { ...settings, rejectUnauthorized: false } : settings;
}

function checkPair(clientCert: string, clientKey: string): void {
  const [certificate] = certificatesOf(clientCert, CLIENT_CERT);
  if (!certificate.checkPrivateKey(privateKeyOf(clientKey))) {
    throw unusable(CLIENT_KEY, `it must match the first certificate in ${CLIENT_CERT}`);
  }
}

function certificatesOf(pem: string, description: string): X509Certificate[] {
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) {
    throw unusable(description, 'it must be text with "-----BEGIN CERTIFICATE-----" (PEM)');
  }
  return certificates.map((certificate) => {
    try {
      return new X509Certificate(certificate);
    } catch (cause) {
      throw unusable(description, "a certificate is damaged", { cause });
    }
  });
}

function privateKeyOf(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    const remedy = "Decrypt it first: openssl pkey -in FILE -out NEW_FILE";
    throw unusable(CLIENT_KEY, `it is encrypted. ${remedy}`);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is omitted because it may quote the key.
    throw unusable(CLIENT_KEY, 'it must be text with "-----BEGIN PRIVATE KEY-----" (PEM)');
  }
}

function unusable(what: string, problem: string, options?: ErrorOptions): TypeError {
  return new TypeError(`Cannot use ${what}: ${problem}`, options);
}

/**
 * Parses the address of a proxy. Without a scheme, `http://` is assumed, as with curl.
 *
 * @throws {TypeError} if the address cannot be used. The message omits the address, which may
 * contain a password.
 */
export function proxyUrl(proxy: string | undefined): URL | undefined {
  if (proxy === undefined || proxy === "") return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const found = url === null ? "" : `: its scheme is ${JSON.stringify(url.protocol)}`;
    throw unusable(PROXY, `it must be an address such as "http://proxy.example:3128"${found}`);
  }
  if (decodedUrl(url.username) === undefined || decodedUrl(url.password) === undefined) {
    const rule = 'must be percent-encoded, with "%25" instead of each "%"';
    throw unusable(PROXY, `its user name and password ${rule}`);
  }
  return url;
}

const PROXY = "the given proxy (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY)";
