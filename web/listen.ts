/**
 * Opens the port of a page, for all pages of this folder.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { systemReason } from "../lib/files.ts";
import { urlHost } from "./access.ts";

export const DEFAULT_HOSTNAME = "127.0.0.1";

export interface ListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly signal: AbortSignal;
  /** For messages: "the monitor". */
  readonly served: string;
}

export function listen(
  app: { fetch(request: Request): Response | Promise<Response> },
  { hostname, port, signal, served }: ListenOptions,
): Deno.HttpServer<Deno.NetAddr> {
  const onError = () => new Response(`Cannot answer: ${served} has failed`, { status: 500 });
  try {
    return Deno.serve(
      { hostname, port, signal, onError, onListen: () => {} },
      (request) => app.fetch(request),
    );
  } catch (error) {
    throw new UsageError(
      `Cannot serve ${served} on ${urlHost(hostname)}:${port}: ${problemOf(error)}`,
      { cause: error },
    );
  }
}

export function pageUrl(hostname: string, port: number, token: string): string {
  return `http://${openableHost(hostname)}:${port}/?token=${token}`;
}

/** Browsers cannot open a wildcard address. */
function openableHost(hostname: string): string {
  if (hostname === "0.0.0.0") return DEFAULT_HOSTNAME;
  return hostname === "::" ? "[::1]" : urlHost(hostname);
}

function problemOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "the port is taken: choose another port, or leave it out for any free one";
  }
  const reason = systemReason(error);
  const isOtherHost = error instanceof Deno.errors.AddrNotAvailable ||
    reason.startsWith("failed to lookup address");
  return isOtherHost ? `${reason}: the host must be an address of this machine` : reason;
}
