/**
 * A teacher without latency in a process of its own: one fixed answer to every request. Writes its
 * base URL on standard output, and ends when standard input does.
 *
 * @module
 */

import { COMPLETION_BODY } from "./rows.ts";

/** A server that runs. Dispose of it. */
export interface ZeroServer extends AsyncDisposable {
  /** Its base URL: `http://127.0.0.1:PORT/v1`. */
  readonly baseUrl: string;
}

/** Starts the server in a new process. */
export async function startZeroServer(): Promise<ZeroServer> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", import.meta.filename!],
    cwd: import.meta.dirname,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  if (value === undefined) throw new Error("Cannot start the server without latency");
  return {
    baseUrl: value.trim(),
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
      await reader.cancel();
    },
  };
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
  for await (const _ of Deno.stdin.readable);
  await server.shutdown();
}

if (import.meta.main) await serve();
