/**
 * Retort as a library, against a simulated teacher, so that it costs nothing:
 *
 * ```sh
 * deno run -A examples/library.ts
 * ```
 *
 * In your own script, import the module by its URL instead of `../mod.ts`. You need neither an
 * installation nor an import map.
 *
 * @module
 */

import { distill, distillFiles, openai, serveSimulatedTeacher } from "../mod.ts";

// A teacher on this machine that answers after 100 ms. For a real one, remove this line and give
// `openai` its address, its model and your key:
//   openai({ baseUrl: "https://api.openai.com/v1", model: "gpt-5-mini", apiKey: "…" })
await using simulated = serveSimulatedTeacher({ latency: 100, tokens: 40 });
await using teacher = openai({ baseUrl: simulated.url, model: "simulated" });

// 1. Rows in memory. Any iterable works, even an endless one: rows are read only as fast as you
// take the outcomes, which come in the order in which they are ready. A `break` aborts all calls.
const rows = [
  { id: "sky", prompt: "Why is the sky blue?" },
  { id: "sea", prompt: "Why is the sea salty?" },
  { id: "joke", prompt: "Tell a joke about chemistry." },
];
for await (const answer of distill(rows, { teacher, params: { temperature: 0.6 } })) {
  // A row that fails throws nothing: `error` has the reason, and the other rows continue.
  if (answer.ok) console.log(`${answer.input.id}: ${answer.response}`);
  else console.log(`${answer.input.id} failed: ${answer.error.message}`);
}

// 2. Files. Finished rows are on disk: a stopped script continues if it runs again with the
// same output.
const output = await Deno.makeTempDir({ prefix: "retort_example_" });
const input = new URL("prompts.jsonl", import.meta.url);
const summary = await distillFiles(input, `${output}/`, { teacher, concurrency: 20 });

const { results } = summary.files[0];
console.log(`${summary.succeeded} answers, ${summary.failed} failures: ${results}`);
const [firstLine] = (await Deno.readTextFile(results)).split("\n");
console.log(JSON.parse(firstLine));

await Deno.remove(output, { recursive: true });
