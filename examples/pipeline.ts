/**
 * A generator in a pipeline of streams: file, lines, JSON, answers, JSON, file. Only the rows that
 * are being answered are in memory.
 *
 * ```sh
 * deno run -A examples/pipeline.ts prompts.jsonl answers.jsonl
 * ```
 *
 * An interrupted pipeline starts again from the first row; `distillFiles()` would continue. In your
 * own script, import the streams from `jsr:@std/streams` and `jsr:@std/json`, and Retort by its
 * URL.
 *
 * @module
 */

import {
  JsonParseStream,
  JsonStringifyStream,
  TextLineStream,
  toTransformStream,
} from "../lib/deps/std_streams.ts";
import { openai, ResponseGenerator, serveSimulatedTeacher } from "../mod.ts";

const [input, output] = Deno.args;

// This teacher is simulated and costs nothing. A real one is
//   openai({ baseUrl: "https://api.openai.com/v1", model: "…", apiKey: "…" })
await using simulated = serveSimulatedTeacher({ latency: 20, tokens: 10 });
await using teacher = openai({ baseUrl: simulated.url, model: "simulated" });
const generator = new ResponseGenerator({ teacher, concurrency: 50 });

const source = await Deno.open(input);
const target = await Deno.create(output);
await source.readable
  .pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream())
  .pipeThrough(new JsonParseStream())
  .pipeThrough(toTransformStream((rows) => generator.generate(rows)))
  // An outcome's `row` is what a results file holds for an answer, or a failures file for a failed
  // row.
  .pipeThrough(toTransformStream(async function* (outcomes) {
    for await (const { row } of outcomes) yield row;
  }))
  .pipeThrough(new JsonStringifyStream())
  .pipeThrough(new TextEncoderStream())
  .pipeTo(target.writable);
