/**
 * What a cut leaves of a file that is added to: half a line, and behind it on the same line the next whole one.
 *
 * @module
 */

import { linesOf, readLineBlocks } from "../line_blocks.ts";
import { writeAll } from "./durable_file.ts";
import { dropLines } from "./failures.ts";
import { LineSet } from "./line_set.ts";

const HEAD = '{"uid":"';

/** Writes the whole lines that stand behind half ones to another file, and takes both out of the first. */
export async function takeGluedLines(path: string, to: Deno.FsFile): Promise<void> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const glued = new LineSet();
  let number = 0;
  for await (const block of readLineBlocks(path)) {
    for (const line of linesOf(block)) {
      number++;
      const whole = wholeLineIn(decoder.decode(line));
      if (whole === undefined) continue;
      glued.add(number);
      await writeAll(to, new TextEncoder().encode(`${whole}\n`));
    }
  }
  await dropLines(path, glued, number);
}

/** The line behind half of another one; undefined where there is none. */
function wholeLineIn(text: string): string | undefined {
  let at = text.indexOf(HEAD, 1);
  if (at === -1 || isJson(text)) return undefined;
  for (; at !== -1; at = text.indexOf(HEAD, at + 1)) {
    const rest = text.slice(at);
    if (isJson(rest)) return rest;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
