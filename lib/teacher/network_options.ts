/**
 * Checks certificates and the proxy before a run. During the run, a wrong certificate would cause
 * obscure errors (`unsupported protocol` for a key of another certificate). Messages never show the
 * address of a proxy, which may hold a password.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** Certificates in PEM: the authorities for the teacher's, and the client's own. */
export interface TlsOptions {
  /** The trusted authorities, instead of those of this machine. */
  readonly ca?: string;
  /** The client's certificate, followed by its chain. */
  readonly clientCert?: string;
  /** The private key of `clientCert`. @default the one in `clientCert` */
  readonly clientKey?: string;
  /** Whether to accept any certificate. @default false */
  readonly insecureTls?: boolean;
}

/** The options in undici's form. */
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

/**
 * Checks certificates and keys, and returns them in undici's form.
 *
 * @throws {TypeError} If a certificate or key is unusable, or one is given without the other. The
 * key is not shown.
 */
export function tlsSettings(options: TlsOptions): TlsSettings {
  const { ca, clientCert, insecureTls } = options;
  // As with curl, the file of the certificate may hold the key.
  const clientKey = options.clientKey ?? PRIVATE_KEY.exec(clientCert ?? "")?.[0];
  if (ca !== undefined) certificatesOf(ca, "the certificates of authorities (ca, --ca-file)");
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    const [present, missing] = clientKey === undefined
      ? [CLIENT_CERT, CLIENT_KEY]
      : [CLIENT_KEY, CLIENT_CERT];
    throw new TypeError(`Cannot use ${present} alone: add ${missing}`);
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
      `Cannot use ${CLIENT_KEY}: it must match the first certificate in ${CLIENT_CERT}`,
    );
  }
}

/** @param description Names the certificates in messages. */
function certificatesOf(pem: string, description: string): X509Certificate[] {
  const certificates = typeof pem === "string" ? pem.match(CERTIFICATE) ?? [] : [];
  if (certificates.length === 0) {
    throw new TypeError(
      `Cannot use ${description}: it must be text with "-----BEGIN CERTIFICATE-----" (PEM)`,
    );
  }
  return certificates.map((certificate) => {
    try {
      return new X509Certificate(certificate);
    } catch (cause) {
      throw new TypeError(`Cannot use ${description}: a certificate is damaged`, { cause });
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
 * Parses the address of the proxy; undefined if there is no proxy. The default scheme is `http://`,
 * as with curl.
 *
 * @throws {TypeError} If it is not an http or https address, or its user name or password cannot be
 * decoded.
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
