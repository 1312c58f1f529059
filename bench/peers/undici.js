/** Peer: a bare undici loop without retries. It writes all answers at the end. @module */

import { writeFile } from "node:fs/promises";
import { Agent } from "undici";
import { BASE_URL, CONCURRENCY, messagesOf, OUTPUT, readRows } from "./rows.js";

const { origin, pathname } = new URL(BASE_URL);
const agent = new Agent({ connections: CONCURRENCY, pipelining: 1 });
const rows = await readRows();
const lines = new Array(rows.length);
let next = 0;

async function work() {
  while (next < rows.length) {
    const index = next++;
    const { body } = await agent.request({
      origin,
      path: `${pathname}/chat/completions`,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "bench", messages: messagesOf(rows[index]) }),
    });
    const { choices: [{ message }] } = await body.json();
    lines[index] = JSON.stringify({ ...rows[index], response: message.content });
  }
}

await Promise.all(Array.from({ length: CONCURRENCY }, work));
await writeFile(OUTPUT, `${lines.join("\n")}\n`);
await agent.close();
