/**
 * Checks certificates and the proxy before a run. During the run, a wrong certificate would cause
 * obscure errors (`unsupported protocol` for a key of another certificate). The address of a proxy
 * may hold a password, which no message shows.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** Certificates in PEM: those that the teacher is checked against, and ours. */
export interface TlsOptions {
  /** The trusted authorities, instead of those of this machine. */
  readonly ca?: string;
  /** Our certificate, followed by its chain. */
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly insecureTls?: boolean;
}

/** The options as undici takes them. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: false;
}

const CLIENT_CERT = "the client certificate (clientCert, --client-cert)";
const CLIENT_KEY = "the private key (clientKey, --client-key)";
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]+?-----END [A-Z ]*PRIVATE KEY-----/;
const CERTIFICATE =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** @throws {TypeError} If a certificate or key is unusable, or one is given without the other. The
 * key is not shown. */
export function tlsSettings(options: TlsOptions): TlsSettings {
  const { ca, clientCert, insecureTls } = options;
  // As with curl, the file of the certificate may hold the key.
  const clientKey = options.clientKey ?? PRIVATE_KEY.exec(clientCert ?? "")?.[0];
  if (ca !== undefined) certificatesOf(ca, "the certificates of authorities (ca, --ca-file)");
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    const [there, missing] = clientKey === undefined
      ? [CLIENT_CERT, CLIENT_KEY]
      : [CLIENT_KEY, CLIENT_CERT];
    throw new TypeError(`Cannot use ${there} alone: it belongs to ${missing}`);
  }
  if (clientCert !== undefined && clientKey !== undefined) checkPair(clientCert, clientKey);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { cert: clientCert, key: clientKey }),
    ...(insecureTls === true ? { rejectUnauthorized: false } : {}),
  };
}

function checkPair(clientCert: string, clientKey: string): void {
  const [certificate] = certificatesOf(clientCert, CLIENT_CERT);
  if (!certificate.checkPrivateKey(privateKeyOf(clientKey))) {
    throw new TypeError(
      `Cannot use ${CLIENT_KEY}: it belongs to another certificate than the first one of ${CLIENT_CERT}`,
    );
  }
}

function certificatesOf(pem: string, what: string): X509Certificate[] {
  const found = typeof pem === "string" ? pem.match(CERTIFICATE) ?? [] : [];
  if (found.length === 0) {
    throw new TypeError(
      `Cannot use ${what}: it must be text with "-----BEGIN CERTIFICATE-----" (PEM)`,
    );
  }
  return found.map((one) => {
    try {
      return new X509Certificate(one);
    } catch (cause) {
      throw new TypeError(`Cannot use ${what}: one of them is damaged`, { cause });
    }
  });
}

function privateKeyOf(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw new TypeError(
      `Cannot use ${CLIENT_KEY}: it is encrypted. Decrypt it first: openssl pkey -in FILE -out NEW_FILE`,
    );
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause, which may quote the key.
    throw new TypeError(
      `Cannot use ${CLIENT_KEY}: it must be text with "-----BEGIN PRIVATE KEY-----" (PEM)`,
    );
  }
}

/**
 * Parses the address of the proxy; undefined if it is not set. The default scheme is `http://`, as
 * with curl.
 *
 * @throws {TypeError} If it is not an address, or its user name or password cannot be decoded.
 */
export function proxyUrl(proxy: string | undefined): URL | undefined {
  if (proxy === undefined || proxy === "") return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(
      "Cannot use the given proxy: " +
        'it must be an address such as "http://proxy.example:3128"' +
        (url === null ? "" : `: its scheme is ${JSON.stringify(url.protocol)}`),
    );
  }
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    throw new TypeError(
      "Cannot use the given proxy: its user name and password must be percent-encoded, " +
        'with "%25" instead of each "%"',
    );
  }
  return url;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
