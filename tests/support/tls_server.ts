/**
 * A teacher behind TLS, and certificates of a test authority for it, made with `openssl`.
 *
 * @module
 */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { chatAnswer, promptOf } from "./ledger_server.ts";
import { tempDir } from "./temp.ts";

/** A running server. */
export interface TlsServer extends AsyncDisposable {
  /** `https://127.0.0.1:PORT/v1`. */
  readonly url: string;
  /** The port. */
  readonly port: number;
  /**
   * The name in the certificate of each client that has sent a POST; "" for a client without one.
   */
  readonly clients: readonly string[];
}

/** Starts a server on 127.0.0.1. `wantsClient`: only clients of the authority are accepted. */
export async function serveTls(
  { ca, server: own }: Certificates,
  { wantsClient = false } = {},
): Promise<TlsServer> {
  const clients: string[] = [];
  const server = createServer({
    ...own,
    ca,
    requestCert: wantsClient,
    rejectUnauthorized: wantsClient,
  }, (request, response) => {
    const socket = request.socket as TLSSocket;
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => {
      clients.push(wantsClient ? String(socket.getPeerCertificate().subject?.CN ?? "") : "");
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(chatAnswer(`answer to ${promptOf(JSON.parse(text))}`)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}/v1`,
    port,
    clients,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<unknown>((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A certificate and its private key, PEM. */
interface Pair {
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
