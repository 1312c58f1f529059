/** Peer: the AI SDK, with `p-limit` and `appendFile`. @module */

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";
import pLimit from "p-limit";
import { BASE_URL, CONCURRENCY, appendAnswer, messagesOf, readRows } from "./rows.js";

const provider = createOpenAICompatible({ name: "bench", baseURL: BASE_URL });
const limit = pLimit(CONCURRENCY);

await Promise.all(
  (await readRows()).map((row) =>
    limit(async () => {
      const { text } = await generateText({
        model: provider("bench"),
        messages: messagesOf(row),
        maxRetries: 5,
      });
      await appendAnswer(row, text);
    })
  ),
);
