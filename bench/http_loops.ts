/**
 * Loops that send requests with undici and nothing else: the baseline for Retort.
 *
 * @module
 */

import { messagesOf } from "./rows.ts";

/** `concurrency` loops send `rows` rows between them. */
export interface HttpLoops {
  readonly rows: number;
  readonly concurrency: number;
  readonly baseUrl: string;
}

/**
 * Runs the loops, each of which sends one row after the other. Returns milliseconds.
 *
 * @param ask Decides how often a row is posted. `post` returns the status of the parsed response.
 */
export async function httpLoops(
  { rows, concurrency, baseUrl }: HttpLoops,
  model: string,
  ask: (post: () => Promise<number>) => Promise<void>,
): Promise<number> {
  const { origin, pathname: path } = new URL(`${baseUrl}/chat/completions`);
  const headers = { "content-type": "application/json" };
  // Imported only when called: Retort's side of a measurement must not load all of undici.
  const { Agent } = await import("../lib/deps/undici_agent.ts");
  const agent = new Agent();
  let next = 0;
  async function loop(): Promise<void> {
    while (next < rows) {
      const body = JSON.stringify({ model, messages: messagesOf(next++) });
      await ask(async () => {
        const answer = await agent.request({ origin, path, method: "POST", headers, body });
        await answer.body.json();
        return answer.statusCode;
      });
    }
  }
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, loop));
  const elapsedMs = performance.now() - startedMs;
  await agent.close();
  return elapsedMs;
}
