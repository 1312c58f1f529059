/**
 * Tokens of answers with their log probabilities, as columns of lists.
 *
 * Teachers send them in two forms:
 *
 * - Chat completions (OpenAI, vLLM, SGLang, llama.cpp) and the plain completions of llama.cpp:
 *   `{"content":[{"token","logprob","bytes","top_logprobs":[…]}]}`. llama.cpp adds an `id`. With
 *   vLLM's `return_tokens_as_token_ids`, `token` is `token_id:17` instead of the text.
 * - Completions (OpenAI, vLLM, Together):
 *   `{"tokens","token_logprobs","top_logprobs":[{<text>:<logprob>}]}`.
 *
 * vLLM's `return_token_ids` adds `token_ids` to both.
 *
 * @module
 */

import { isObject, parsedJson } from "../json.ts";
import type { Example } from "./example.ts";

interface Token {
  readonly text: string;
  readonly bytes: Uint8Array | undefined;
  readonly id: number | null;
  readonly logprob: number | null;
}

interface TokenPosition extends Token {
  readonly top: readonly Token[];
}

/** Why an answer is left out: it has no tokens, or the tokens are not its text. */
export type LogprobsProblem = "missing" | "different";

export function readLogprobs(example: Example): readonly TokenPosition[] | LogprobsProblem {
  const { logprobs, token_ids: ids } = keptFields(example);
  const positions = isObject(logprobs) ? positionsOf(logprobs, ids) : undefined;
  if (positions === undefined || positions.length === 0) return "missing";
  return isTextOf(positions, example) ? positions : "different";
}

export function logprobColumns(example: Example): Record<string, unknown> {
  const positions = readLogprobs(example);
  if (typeof positions === "string") return {};
  const hasIds = positions.every(({ id }) => id !== null);
  const hasTop = positions.some(({ top }) => top.length > 0);
  const topIds = positions.map(({ top }) => top.map(({ id }) => id));
  const hasTopIds = hasTop && topIds.every((ids) => ids.every((id) => id !== null));
  return {
    tokens: positions.map(({ text }) => text),
    ...(hasIds ? { token_ids: positions.map(({ id }) => id) } : {}),
    logprobs: positions.map(({ logprob }) => logprob),
    ...(hasTop
      ? {
        top_tokens: positions.map(({ top }) => top.map(({ text }) => text)),
        ...(hasTopIds ? { top_token_ids: topIds } : {}),
        top_logprobs: positions.map(({ top }) => top.map(({ logprob }) => logprob)),
      }
      : {}),
  };
}

/**
 * Returns the fields that `--keep` saved. They are JSON text, or an object in lines of earlier
 * versions.
 */
function keptFields({ result }: Example): Record<string, unknown> {
  const { kept } = result.distill as { kept?: unknown };
  const fields = typeof kept === "string" ? parsedJson(kept) : kept;
  return isObject(fields) ? fields : {};
}

/** @param ids The `token_ids` next to `logprobs`, for tokens without an id of their own. */
function positionsOf(logprobs: Record<string, unknown>, ids: unknown): TokenPosition[] | undefined {
  const idAt = (index: number, ownId: number | null) => ownId ?? idOf(itemAt(ids, index));
  const { content, tokens } = logprobs;
  if (Array.isArray(content)) {
    return content.filter(isObject).map((entry, index) => {
      const token = tokenOf(entry);
      const top = Array.isArray(entry.top_logprobs) ? entry.top_logprobs.filter(isObject) : [];
      return { ...token, id: idAt(index, token.id), top: top.map(tokenOf) };
    });
  }
  if (!Array.isArray(tokens)) return undefined;
  const { token_logprobs: values, token_ids: ownIds, top_logprobs: tops } = logprobs;
  return tokens.map((text, index) => {
    const logprob = itemAt(values, index), top = itemAt(tops, index);
    const token = tokenOf({ token: text, logprob, id: itemAt(ownIds, index) });
    const alternatives = isObject(top) ? Object.entries(top) : [];
    return {
      ...token,
      id: idAt(index, token.id),
      top: alternatives.map(([token, logprob]) => tokenOf({ token, logprob })),
    };
  });
}

function itemAt(list: unknown, index: number): unknown {
  return Array.isArray(list) ? list[index] : undefined;
}

const ID_AS_TEXT = /^token_id:(\d+)$/;

function tokenOf({ token, id, logprob, bytes }: Record<string, unknown>): Token {
  const name = typeof token === "string" ? token : "";
  const idInName = ID_AS_TEXT.exec(name)?.[1];
  const rawBytes = Array.isArray(bytes) ? Uint8Array.from(bytes as number[]) : undefined;
  const decodedText = rawBytes === undefined ? undefined : new TextDecoder().decode(rawBytes);
  // If vLLM sends ids as texts, `bytes` holds the real text, or the id again.
  const isIdAgain = decodedText !== undefined && ID_AS_TEXT.test(decodedText);
  return {
    text: idInName === undefined || isIdAgain ? name : decodedText ?? name,
    bytes: isIdAgain ? undefined : rawBytes,
    id: idOf(id) ?? (idInName === undefined ? null : Number(idInName)),
    logprob: typeof logprob === "number" ? logprob : null,
  };
}

function idOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : null;
}

/**
 * Matches what chat templates put around texts: special tokens, channel names of gpt-oss, white
 * space.
 */
const TEMPLATE_MARKS =
  /<\|[^|>]*\|>|<\/?(?:s|think|thinking|bos|eos|end_of_turn|start_of_turn)>|\[\/?(?:THINK|INST)\]|\b(?:assistant|analysis|commentary|final)\b|<｜[^｜]*｜>|\s+/g;

/**
 * Whether the tokens add up to the answer, not counting reasoning and special tokens. If the answer
 * has tool calls, whose text is not kept, the tokens need only contain the response. Tokens without
 * texts are accepted, because they cannot be compared.
 */
function isTextOf(
  positions: readonly TokenPosition[],
  { response, reasoning, toolCalls }: Example,
): boolean {
  if (positions.some(({ text }) => ID_AS_TEXT.test(text))) return true;
  const text = textOf(positions);
  if (text === response) return true;
  if (toolCalls !== undefined) return text.includes(response.trim());
  const withoutMarks = (part: string) => part.replaceAll(TEMPLATE_MARKS, "");
  return withoutMarks(text) === withoutMarks(reasoning) + withoutMarks(response) ||
    withoutMarks(text) === withoutMarks(response);
}

/**
 * Returns the text of all tokens, decoded from their bytes, because a character may span several
 * tokens.
 */
function textOf(positions: readonly TokenPosition[]): string {
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  let text = "";
  for (const position of positions) {
    text += decoder.decode(position.bytes ?? encoder.encode(position.text), { stream: true });
  }
  return text + decoder.decode();
}
