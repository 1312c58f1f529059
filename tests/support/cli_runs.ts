/**
 * Runs command lines one after the other in one process, whose permissions they share: what
 * `runCliEach()` starts. Reads them as JSON from standard input, and prints their results as JSON.
 *
 * @module
 */

import { main } from "../../cli.ts";
import { type CliResult, fakeIo } from "./process.ts";

const ended: CliResult[] = [];
for (const args of await new Response(Deno.stdin.readable).json() as string[][]) {
  let stdout = "", stderr = "";
  const io = fakeIo({
    writeOut: (text) => stdout += text,
    writeErr: (text) => stderr += text,
    env: (name) => Deno.env.get(name),
    stdin: new ReadableStream({ start: (controller) => controller.close() }),
    program: "deno task distill",
  });
  const code = await main(args, io);
  ended.push({ code, signal: null, stdout, stderr });
}
console.log(JSON.stringify(ended));
