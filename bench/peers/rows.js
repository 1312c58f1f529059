/** Shared by the peers: reads prompts from a file, and appends answers to another. @module */

import { appendFile, readFile } from "node:fs/promises";

/** Arguments of a peer: `deno run PEER.js INPUT OUTPUT BASE_URL CONCURRENCY`. */
export const [INPUT, OUTPUT, BASE_URL] = Deno.args;
export const CONCURRENCY = Number(Deno.args[3]);

export async function readRows() {
  const text = await readFile(INPUT, "utf8");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

export function messagesOf({ question }) {
  return [{ role: "user", content: question }];
}

/** Appends an answer to the output. Opens and closes the file each time, as most scripts do. */
export async function appendAnswer(row, response) {
  await appendFile(OUTPUT, `${JSON.stringify({ ...row, response })}\n`);
}
