/**
 * Retort as a library, against a simulated teacher, so that it costs nothing:
 *
 * ```sh
 * deno run --allow-net --allow-read --allow-write --allow-env examples/library.ts
 * ```
 *
 * From a script of your own, import the module by its URL in place of `../mod.ts`; nothing has to be
 * installed and no import map is needed.
 *
 * @module
 */

import {
  openaiCompatible,
  ResponseGenerator,
  type RunEvent,
  serveSimulatedTeacher,
} from "../mod.ts";

// A teacher on this machine that answers after a tenth of a second. Leave this line out for a real
// one, and give `openaiCompatible` its address, its model and your key:
//   openaiCompatible({ baseUrl: "https://api.openai.com/v1", model: "gpt-5-mini", apiKey: "…" })
await using simulated = serveSimulatedTeacher({ latency: 100, tokens: 40 });
const teacher = openaiCompatible({ baseUrl: simulated.url, model: "simulated" });

// Twenty rows are asked at once, each with these parameters. A row may bring its own `params`.
const generator = new ResponseGenerator({
  teacher,
  concurrency: 20,
  params: { temperature: 0.6 },
});

// 1. Rows in memory. Any iterable does, also an endless one: rows are taken only as fast as you take
//    the outcomes, which come in the order in which they are ready. A `break` ends all calls.
const rows = [
  { id: "sky", prompt: "Why is the sky blue?" },
  { id: "sea", prompt: "Why is the sea salt?" },
  { id: "joke", messages: [{ role: "user", content: "Tell a joke about chemistry." }] },
];
for await (const outcome of generator.generate(rows)) {
  // A row that failed is no exception: it says why, and the others go on.
  if (outcome.ok) console.log(`${outcome.uid}: ${outcome.row.response}`);
  else console.log(`${outcome.uid} failed: ${outcome.error.message}`);
}

// 2. Files. What is done is on disk: end this script at any moment and start it again with the same
//    output, and it goes on where it was.
const output = await Deno.makeTempDir({ prefix: "retort_example_" });
const stopListening = generator.on((event: RunEvent) => {
  if (event.type === "snapshot") console.log(`${event.succeeded} of ${event.total} rows are done`);
});
const input = new URL("prompts.jsonl", import.meta.url).pathname;
const summary = await generator.run({ input: [input], output: `${output}/` });
stopListening();

const { results } = summary.files[0];
console.log(`${summary.succeeded} answers, ${summary.failed} failures: ${results}`);
const [firstLine] = (await Deno.readTextFile(results)).split("\n");
console.log(JSON.parse(firstLine));

// Whoever makes a teacher closes it. The folder was only for show.
await teacher.close();
await Deno.remove(output, { recursive: true });
