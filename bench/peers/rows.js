/** What the peers share: prompts of a file, and a file of answers. @module */

import { appendFile, readFile } from "node:fs/promises";

/** The arguments of a peer: `deno run PEER.js INPUT OUTPUT BASE_URL CONCURRENCY`. */
export const [INPUT, OUTPUT, BASE_URL] = Deno.args;
/** How many rows are sent at once. */
export const CONCURRENCY = Number(Deno.args[3]);

/** The rows of the input. */
export async function readRows() {
  const text = await readFile(INPUT, "utf8");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** The messages of a row. */
export function messagesOf({ question }) {
  return [{ role: "user", content: question }];
}

/** Adds an answer to the output, as most scripts do. */
export async function keep(row, response) {
  await appendFile(OUTPUT, `${JSON.stringify({ ...row, response })}\n`);
}
