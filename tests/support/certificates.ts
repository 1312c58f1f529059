/**
 * Certificates of a test authority, made with `openssl`.
 *
 * @module
 */

import { tempDir } from "./temp.ts";

/** A certificate and its private key, PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An authority and the certificates that it has signed. */
export interface Certificates {
  /** The certificate of the authority. */
  readonly ca: string;
  /** For a server at 127.0.0.1, localhost and teacher.test. */
  readonly server: Pair;
  /** For a client. */
  readonly client: Pair;
  /** For a client, signed by itself. */
  readonly stranger: Pair;
  /** The client's private key, encrypted with a password. */
  readonly encryptedKey: string;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const DAYS = ["-days", "2"];

/** Creates them, or returns undefined with a message where there is no `openssl`. */
export async function makeCertificates(): Promise<Certificates | undefined> {
  await using dir = await tempDir();
  const openssl = async (...args: string[]) => {
    const output = await new Deno.Command("openssl", { args, cwd: dir.root }).output();
    if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  };
  const selfSigned = (name: string) =>
    openssl(
      "req",
      "-x509",
      ...KEY,
      ...DAYS,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
    );
  try {
    await selfSigned("ca");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("There is no openssl: tests of TLS are skipped");
    return undefined;
  }
  await selfSigned("stranger");
  await dir.write("names", "subjectAltName=DNS:localhost,DNS:teacher.test,IP:127.0.0.1\n");
  for (const name of ["server", "client"]) {
    await openssl(
      "req",
      ...KEY,
      "-keyout",
      `${name}.key`,
      "-out",
      "request",
      "-subj",
      `/CN=${name}`,
    );
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
    await openssl("x509", "-req", "-in", "request", ...signed, ...DAYS, "-out", `${name}.pem`);
  }
  await openssl(
    "pkcs8",
    "-topk8",
    "-in",
    "client.key",
    "-out",
    "encrypted.key",
    "-passout",
    "pass:abcd",
  );
  const pair = async (name: string) => ({
    cert: await dir.read(`${name}.pem`),
    key: await dir.read(`${name}.key`),
  });
  return {
    ca: await dir.read("ca.pem"),
    server: await pair("server"),
    client: await pair("client"),
    stranger: await pair("stranger"),
    encryptedKey: await dir.read("encrypted.key"),
  };
}
