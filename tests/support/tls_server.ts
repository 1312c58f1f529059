/**
 * A teacher behind TLS.
 *
 * @module
 */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Certificates } from "./certificates.ts";
import { chatAnswer, promptOf } from "./ledger_server.ts";

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
