/**
 * Runs command lines one after the other in one process, whose permissions they share: what
 * `CliServer` starts. Reads them from standard input, one a line as JSON, and prints their results.
 *
 * @module
 */

import { main } from "../../cli.ts";
import { TextLineStream } from "../../lib/deps/std_streams.ts";
import { type CliResult, fakeIo } from "./process.ts";

const requests = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of requests) {
  const { args, cwd, env } = JSON.parse(line);
  for (const name of Object.keys(Deno.env.toObject())) Deno.env.delete(name);
  for (const [name, value] of Object.entries<string>(env)) Deno.env.set(name, value);
  Deno.chdir(cwd);
  let stdout = "", stderr = "";
  const io = fakeIo({
    writeOut: (text) => stdout += text,
    writeErr: (text) => stderr += text,
    env: (name) => env[name],
    stdin: new ReadableStream({ start: (controller) => controller.close() }),
    program: "deno task distill",
  });
  const result: CliResult = { code: await main(args, io), signal: null, stdout, stderr };
  console.log(JSON.stringify(result));
}
