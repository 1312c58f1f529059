/**
 * Reasoning that stands in the text of an answer, between tags, because the server does not know how
 * its model marks it.
 *
 * @module
 */

/** An opening tag and its closing tag. */
export type ThinkTags = readonly [open: string, close: string];

/** An answer and the reasoning that led to it. */
export interface Thought {
  /** The answer. */
  readonly response: string;
  /** The reasoning, "" when there is none. */
  readonly reasoning: string;
}

/**
 * How models mark their reasoning. `<thinking>`, `<reasoning>` and `<answer>` are missing: no chat
 * template writes them, prompts ask for them, and then they are the answer's.
 */
export const THINK_TAGS: readonly ThinkTags[] = [
  ["<think>", "</think>"], // DeepSeek, Qwen, GLM, Kimi, MiniMax M2 and most others
  ["[THINK]", "[/THINK]"], // Magistral
  ["<thought>", "</thought>"], // Gemini behind its OpenAI endpoint
  ["<seed:think>", "</seed:think>"], // Seed-OSS
  ["<mm:think>", "</mm:think>"], // MiniMax M3
  ["<longcat_think>", "</longcat_think>"], // LongCat
  ["◁think▷", "◁/think▷"], // Kimi-VL
  ["<|channel>thought\n", "<channel|>"], // Gemma 4
  ["<|inner_prefix|>", "<|inner_suffix|>"], // Apertus
  ["<|begin_of_thought|>", "<|end_of_thought|>"], // OpenThinker
  ["<|START_THINKING|>", "<|END_THINKING|>"], // Command A Reasoning
];

/** Closing tags whose opening one may be missing, because the chat template has written it, each behind
 * what is looked for first: one search finds the text that has none of several tags. */
const TEMPLATE_OPENS: readonly (readonly [mark: string, tags: readonly ThinkTags[]])[] = [
  ["think>", THINK_TAGS.filter(([, close]) => close.endsWith("think>"))],
  ["THINK]", THINK_TAGS.filter(([, close]) => close.endsWith("THINK]"))],
];

/**
 * Takes the reasoning out of a content, or returns undefined where there is none.
 *
 * Only blocks that the content starts with are reasoning: a `<think>` further on is part of the
 * answer. Where the first block is never closed, the answer had not begun yet. Line ends around the
 * two are dropped, nothing else is.
 *
 * @param own Tags beside those that are known.
 */
export function splitThinkTags(content: string, own?: ThinkTags): Thought | undefined {
  const start = content.search(/\S/);
  if (start < 0) return undefined;
  const tags = openedBy(content, start, own);
  if (tags === undefined) return splitUnopened(content, own);
  const block = blockAt(content, start, tags);
  if (block === undefined) {
    return { response: "", reasoning: trimLines(content.slice(start + tags[0].length)) };
  }
  return withMore(block, tags);
}

/** Takes tags off reasoning that a server has put into a field of its own with them. */
export function withoutTags(reasoning: string, own?: ThinkTags): string {
  const tags = openedBy(reasoning, reasoning.search(/\S/), own);
  if (tags === undefined) return reasoning;
  const { response = "", reasoning: inner = "" } = splitThinkTags(reasoning, own) ?? {};
  return [inner, response].filter((text) => text.trim() !== "").join("\n\n");
}

/** Some models think in several blocks before they answer. */
function withMore(first: Thought, tags: ThinkTags): Thought {
  let { reasoning, response } = first;
  for (let start = response.search(/\S/); response.startsWith(tags[0], start);) {
    const next = blockAt(response, start, tags);
    if (next === undefined) break;
    reasoning += `\n\n${next.reasoning}`;
    response = next.response;
    start = response.search(/\S/);
  }
  return { response, reasoning };
}

function openedBy(content: string, start: number, own?: ThinkTags): ThinkTags | undefined {
  if (own !== undefined && content.startsWith(own[0], start)) return own;
  return THINK_TAGS.find(([open]) => content.startsWith(open, start));
}

function blockAt(content: string, start: number, [open, close]: ThinkTags): Thought | undefined {
  const from = start + open.length, end = content.indexOf(close, from);
  if (end < 0) return undefined;
  return thought(content.slice(from, end), content.slice(end + close.length));
}

function splitUnopened(content: string, own?: ThinkTags): Thought | undefined {
  if (own !== undefined) {
    const split = splitAtClose(content, own);
    if (split !== undefined) return split;
  }
  for (const [mark, tags] of TEMPLATE_OPENS) {
    if (!content.includes(mark)) continue;
    for (const one of tags) {
      const split = splitAtClose(content, one);
      if (split !== undefined) return split;
    }
  }
  return undefined;
}

/** Without an opening tag of its own, a closing one must not close one that stands in the answer. */
function splitAtClose(content: string, [open, close]: ThinkTags): Thought | undefined {
  const end = content.indexOf(close);
  if (end < 0 || content.lastIndexOf(open, end) >= 0) return undefined;
  return thought(content.slice(0, end), content.slice(end + close.length));
}

function thought(reasoning: string, response: string): Thought {
  return { response: response.replace(/^[\r\n]+/, ""), reasoning: trimLines(reasoning) };
}

/** The text without the line ends around it. */
export function trimLines(text: string): string {
  return text.replace(/^[\r\n]+/, "").replace(/[\r\n]+$/, "");
}
