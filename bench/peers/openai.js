/** Peer: OpenAI's client, with `p-limit` and `appendFile`. @module */

import OpenAI from "openai";
import pLimit from "p-limit";
import { BASE_URL, CONCURRENCY, appendAnswer, messagesOf, readRows } from "./rows.js";

const client = new OpenAI({ baseURL: BASE_URL, apiKey: "none", maxRetries: 5 });
const limit = pLimit(CONCURRENCY);

await Promise.all(
  (await readRows()).map((row) =>
    limit(async () => {
      const answer = await client.chat.completions.create({
        model: "bench",
        messages: messagesOf(row),
      });
      await appendAnswer(row, answer.choices[0].message.content);
    })
  ),
);
