/**
 * Separates reasoning that a server leaves in the text of an answer because it does not know its
 * model's format: between tags (`<think>`), or in the channels of gpt-oss ("harmony"),
 * `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`,
 * where `analysis` is reasoning, `final` the answer, and `commentary` a tool call or words before
 * one.
 *
 * @module
 */

/** An answer, its reasoning, and tool calls that were found in the text. */
export type Separated = Thought & Partial<HarmonyAnswer>;

/**
 * Separates the answer from its reasoning.
 *
 * If reasoning came in a field, the server has separated it: tags in the text then belong to the
 * answer, unless they repeat the field.
 *
 * @param content The text as sent.
 * @param field The reasoning from a field of its own, or "".
 * @param own The user's tags.
 */
export function separateThoughts(content: string, field: string, own?: ThinkTags): Separated {
  const channels = splitHarmony(content);
  const split = channels ?? splitThinkTags(content, own);
  if (field === "") return split ?? { response: content, reasoning: "" };
  const reasoning = withoutTags(field, own);
  if (split === undefined) return { response: content, reasoning };
  const repeated = longerOfSame(reasoning, split.reasoning);
  if (repeated !== undefined) return { ...split, reasoning: repeated };
  // Channel marks are never part of an answer.
  if (channels === undefined) return { response: content, reasoning };
  return { ...channels, reasoning: `${reasoning}\n\n${channels.reasoning}` };
}

/** The longer of two texts if one contains the other, ignoring white space; else undefined. A
 * non-empty text of less than half the length is only a quotation. */
function longerOfSame(first: string, second: string): string | undefined {
  const a = squeezed(first), b = squeezed(second);
  if (b === "") return first;
  if (Math.max(a.length, b.length) > 2 * Math.min(a.length, b.length)) return undefined;
  if (a.includes(b)) return first;
  return b.includes(a) ? second : undefined;
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

export type ThinkTags = readonly [open: string, close: string];

interface Thought {
  readonly response: string;
  /** "" if there is none. */
  readonly reasoning: string;
}

/** Tags of known models. Excludes `<thinking>`, `<reasoning>` and `<answer>`: no chat template
 * writes them, but prompts request them as part of the answer. */
export const THINK_TAGS: readonly ThinkTags[] = [
  ["<think>", "</think>"], // DeepSeek, Qwen, GLM, Kimi, MiniMax M2 and most others
  ["[THINK]", "[/THINK]"], // Magistral
  ["<thought>", "</thought>"], // Gemini behind its OpenAI endpoint
  ["<seed:think>", "</seed:think>"], // Seed-OSS
  ["<mm:think>", "</mm:think>"], // MiniMax M3
  ["<longcat_think>", "</longcat_think>"], // LongCat
  ["◁think▷", "◁/think▷"], // Kimi-VL
  ["<|channel>thought\n", "<channel|>"], // Gemma 4
  ["<unused94>thought\n", "<unused95>"], // MedGemma
  ["<|inner_prefix|>", "<|inner_suffix|>"], // Apertus
  ["<|begin_of_thought|>", "<|end_of_thought|>"], // OpenThinker
  ["<|START_THINKING|>", "<|END_THINKING|>"], // Command A Reasoning
];

/** First characters of opening tags, to rule out most answers quickly. */
const FIRST_LETTERS: ReadonlySet<string> = new Set(THINK_TAGS.map(([open]) => open[0]));

/**
 * Closing tags whose opening tag may be in the prompt, where the chat template has written it. Each
 * group has a mark to search first, which rules out several tags at once. Marks are as short as
 * possible, because the search stops at each first letter: `think>` takes five times as long in
 * English.
 */
const TEMPLATE_OPENS: readonly (readonly [mark: string, tags: readonly ThinkTags[]])[] = [
  ["k>", THINK_TAGS.filter(([, close]) => close.endsWith("think>"))],
  ["K]", THINK_TAGS.filter(([, close]) => close.endsWith("THINK]"))],
];

/**
 * Separates the reasoning in a text; undefined if there is none.
 *
 * Only blocks at the start are reasoning: a later `<think>` is part of the answer. If the first
 * block is not closed, the answer has not begun. Drops only line ends around the parts.
 *
 * @param own The user's tags.
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

/** Removes tags from reasoning that came in a field. */
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
  if (!FIRST_LETTERS.has(content[start])) return undefined;
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

/** A closing tag must not be taken for one without an opening tag if the answer opens it. */
function splitAtClose(content: string, [open, close]: ThinkTags): Thought | undefined {
  const end = content.indexOf(close);
  if (end < 0 || content.lastIndexOf(open, end) >= 0) return undefined;
  return thought(content.slice(0, end), content.slice(end + close.length));
}

function thought(reasoning: string, response: string): Thought {
  return { response: response.replace(/^[\r\n]+/, ""), reasoning: trimLines(reasoning) };
}

/** The text without leading and trailing line ends. */
function trimLines(text: string): string {
  return text.replace(/^[\r\n]+/, "").replace(/[\r\n]+$/, "");
}

interface HarmonyAnswer extends Thought {
  /** Tool calls in OpenAI's form. */
  readonly toolCalls: readonly unknown[];
}

interface HarmonyMessage {
  /** Those of role, channel, recipient and content type that were sent. */
  readonly header: string;
  readonly body: string;
}

const MARK = /<\|(start|channel|constrain|message|end|return|call)\|>/;
/** The prompt ends with `<|start|>assistant`, so answers begin with a channel, or with its name or
 * text if the prompt opens the channel. */
const BEGINS = /^\s*(?:<\|start\|>|<\|channel\|>|(?:analysis|commentary|final)<\|message\|>)/;
const CONTINUES = /<\|end\|>\s*(?:<\|start\|>\s*assistant\s*)?<\|channel\|>/;
/** What remains if a server drops the special tokens but keeps the names:
 * `analysis…assistantfinal…`. */
const BARE = /^analysis(?=\S)([^]*?)assistantfinal([^]*)$/;

/** Splits a text with channels; undefined if it has none. */
function splitHarmony(content: string): HarmonyAnswer | undefined {
  if (content.startsWith("analysis") && !content.startsWith("analysis<|")) {
    const [, reasoning, response] = BARE.exec(content) ?? [];
    if (reasoning === undefined) return undefined;
    const whole = reasoning.replaceAll("assistantanalysis", "\n\n");
    return { reasoning: trimLines(whole), response: trimLines(response), toolCalls: [] };
  }
  // `includes` takes a tenth of the time of the patterns, and decides nearly every answer.
  if (!content.includes("|>") || !(BEGINS.test(content) || CONTINUES.test(content))) {
    return undefined;
  }
  const reasoning: string[] = [], response: string[] = [], toolCalls: unknown[] = [];
  for (const { header, body } of messagesOf(content)) {
    const recipient = /\bto=(?:functions\.)?([\w.-]+)/.exec(header)?.[1];
    if (/\banalysis\b/.test(header)) reasoning.push(trimLines(body));
    else if (recipient === undefined) response.push(trimLines(body));
    else toolCalls.push(toolCall(recipient, body, toolCalls.length));
  }
  return { reasoning: reasoning.join("\n\n"), response: response.join("\n\n"), toolCalls };
}

function* messagesOf(content: string): Iterable<HarmonyMessage> {
  const [before, ...rest] = content.split(MARK);
  let header = "";
  if (rest[0] === "message") header = before;
  else if (before.trim() !== "") yield { header: "analysis", body: before };
  for (let i = 0; i < rest.length; i += 2) {
    const mark = rest[i], text = rest[i + 1];
    if (mark === "message") {
      yield { header, body: text };
      header = "";
    } else if (mark === "start" || mark === "channel" || mark === "constrain") {
      header += ` ${text}`;
    } else if (text.trim() !== "") {
      // llama.cpp with `--reasoning-format none` omits the marks of the final channel.
      yield { header: "final", body: text };
    }
  }
}

function toolCall(name: string, body: string, index: number): unknown {
  const args = body.trim();
  return {
    id: `call_${index}`,
    type: "function",
    function: { name, arguments: args === "" ? "{}" : args },
  };
}
