/**
 * What is only known roughly before a run: how many rows a file holds, and how many tokens a prompt has.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { ParsedRow } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";

const SAMPLE_BYTES = 1 << 16;
const DEFAULT_ROWS = 1_000;
/** Lines differ in length; a table that is a tenth too large costs less than growing it. */
const MARGIN = 1.1;
/** No row is shorter than `{"prompt":"x"}`; blank lines are. */
const SHORTEST_ROW_BYTES = 14;

/** Rows of the file by the length of its first lines, so that the table of ids need not grow while it is
 * filled; 1,000 where nothing can be said. */
export async function estimateRows(path: string): Promise<number> {
  try {
    using file = await Deno.open(path);
    const { size, isFile } = await file.stat();
    if (!isFile) return DEFAULT_ROWS;
    const sample = new Uint8Array(SAMPLE_BYTES);
    const read = await file.read(sample);
    if (read === null) return DEFAULT_ROWS;
    let lines = 0;
    for (let at = sample.indexOf(10); at !== -1 && at < read; at = sample.indexOf(10, at + 1)) {
      lines++;
    }
    const rows = Math.min(size / read * lines * MARGIN, size / SHORTEST_ROW_BYTES);
    return Math.max(DEFAULT_ROWS, Math.ceil(rows));
  } catch {
    return DEFAULT_ROWS;
  }
}

/** Bytes of UTF-8 for one token: English has 4 to 5, code 3 to 4, Chinese 3 bytes a character and
 * somewhat more than one character a token. */
const BYTES_PER_TOKEN = 4;
/** What chat templates put around a message. */
const TOKENS_PER_MESSAGE = 4;
/** An image of a megapixel has 765 tokens at OpenAI, and about 1,300 at Qwen and Anthropic. */
const TOKENS_PER_IMAGE = 1_000;

/** Tokens of what is sent for a row, its own tools included; give or take a quarter. */
export function promptTokensOf(
  { messages, params }: Pick<ParsedRow, "messages" | "params">,
): number {
  let tokens = 0;
  for (let i = 0; i < messages.length; i++) tokens += messageTokens(messages[i]);
  if (params?.tools !== undefined) tokens += textTokens(JSON.stringify(params.tools));
  return tokens;
}

function messageTokens({ content, tool_calls: calls }: Message): number {
  let tokens = TOKENS_PER_MESSAGE;
  if (typeof content === "string") tokens += textTokens(content);
  else if (Array.isArray(content)) { for (const part of content) tokens += partTokens(part); }
  if (calls !== undefined) tokens += textTokens(JSON.stringify(calls));
  return tokens;
}

function partTokens(part: { type?: unknown; text?: unknown }): number {
  if (typeof part.text === "string") return textTokens(part.text);
  return part.type === "image_url" ? TOKENS_PER_IMAGE : textTokens(JSON.stringify(part));
}

function textTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}
