/**
 * Recognizes requests that are too large: the prompt exceeds the context window, or the request
 * needs more tokens than the account may use at once. Only their rows fail.
 *
 * @module
 */

import { searchedPart } from "./provider_errors.ts";

const TOO_LONG = [
  /maximum (?:context|prompt) length|model['’]?s context length|available context size|model token limit|range of input length/i,
  /(?:prompt|input|request|messages?)\b[^.:]{0,30}\b(?:too long|longer than the maximum|exceeds? the (?:maximum|limit|context))/i,
  /(?:prompt|input) (?:tokens?|length) [^.]{0,20}(?:too long|exceeds)/i,
  // TensorRT-LLM, TGI, Cloudflare, Azure, Vertex AI, LM Studio, Cerebras
  /prompt length \([\d.]+\) should not exceed|[`'"]inputs[`'"] must have less than/i,
  /exceeded this model context window limit|input tokens exceed the configured limit/i,
  /input token count is \d+ but (?:the )?model only supports|model is loaded with context length of only/i,
  /reduce the length of the (?:messages|prompt|input)/i,
  // Zhipu, and gateways in China
  /(?:prompt|输入|上下文)\S{0,8}\s?(?:超长|过长|超过|超出)/i,
];

/** The token limit of answers. All rows share it, so an error about it may blame no row. */
const TOKEN_LIMIT = /max_(?:completion_|output_|new_)?tokens/i;

/** Messages that name both the token limit and the context window: vLLM, TGI, Anthropic. */
const LIMIT_AND_CONTEXT = [
  /is too large: (?<limit>\d+)\. This model['’]?s maximum context length is (?<context>\d+)/i,
  /must be <= (?<context>\d+)\. Given: \d+ [`'"]inputs[`'"] tokens and (?<limit>\d+)/i,
  /exceed context limit: \d+ \+ (?<limit>\d+) > (?<context>\d+)/i,
];

export function isTooLong(message: string): boolean {
  const words = searchedPart(message);
  if (TOKEN_LIMIT.test(words)) return leavesNoRoom(words);
  return TOO_LONG.some((pattern) => pattern.test(words));
}

/** Whether the prompt leaves too little room for the answer. False if the token limit alone fills
 * the context window. */
function leavesNoRoom(words: string): boolean {
  const groups = LIMIT_AND_CONTEXT.map((pattern) => pattern.exec(words)?.groups).find(Boolean);
  return groups !== undefined && Number(groups.limit) < Number(groups.context);
}

/** Whether one request exceeds the account's tokens per minute, so that waiting is useless. */
export function neverFits(message: string): boolean {
  if (/request too large/i.test(searchedPart(message))) return true;
  const [, limit = 0, requested = 0] =
    /\blimit:? ([\d,]+),(?: used:? [\d,]+,)? requested:? ([\d,]+)/i.exec(message)
      ?.map((digits) => Number(digits.replaceAll(",", ""))) ?? [];
  return limit > 0 && requested > limit;
}
