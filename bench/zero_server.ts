/** A teacher without latency in a separate process: one fixed answer to every request. @module */

import { startHelper, untilEnd } from "./helper_process.ts";
import { COMPLETION_BODY } from "./rows.ts";

export interface ZeroServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/v1`. */
  readonly baseUrl: string;
}

export async function startZeroServer(): Promise<ZeroServer> {
  const helper = await startHelper(import.meta.filename!, {});
  return { baseUrl: helper.greeting, [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose]() };
}

async function serve(): Promise<void> {
  const bytes = new TextEncoder().encode(COMPLETION_BODY);
  const headers = [["content-type", "application/json"]] satisfies HeadersInit;
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/v1`),
  }, async (request) => {
    await request.bytes();
    return new Response(bytes, { headers });
  });
  await untilEnd();
  await server.shutdown();
}

if (import.meta.main) await serve();
