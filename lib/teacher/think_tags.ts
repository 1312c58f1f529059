/**
 * Reasoning in the text of an answer, which is there because the server does not know how its model marks it:
 * between tags (`<think>`), or in the channels of gpt-oss ("harmony"),
 * `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`, where
 * `analysis` is reasoning, `final` the answer, and `commentary` a tool call or words before one.
 *
 * @module
 */

/** An answer, its reasoning, and the tool calls that were between the two. */
export type Separated = Thought & Partial<HarmonyAnswer>;

/**
 * Separates the answer from its reasoning.
 *
 * Reasoning in a field means that the server has already separated it: tags in the text belong to the
 * answer then, unless they repeat the field.
 *
 * @param content The text, as it came.
 * @param field The reasoning from a separate field, or "".
 * @param own Tags in addition to the known ones.
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

/** The longer of two texts if one contains the other, ignoring white space; else undefined. A text of less than
 * half the length is a quotation, unless it is empty. */
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

/** An opening tag and its closing tag. */
export type ThinkTags = readonly [open: string, close: string];

/** An answer and the reasoning that led to it. */
interface Thought {
  /** The answer. */
  readonly response: string;
  /** The reasoning, "" when there is none. */
  readonly reasoning: string;
}

/**
 * How models mark their reasoning. `<thinking>`, `<reasoning>` and `<answer>` are missing: no chat template
 * writes them. Prompts ask for them, and then they belong to the answer.
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
  ["<unused94>thought\n", "<unused95>"], // MedGemma
  ["<|inner_prefix|>", "<|inner_suffix|>"], // Apertus
  ["<|begin_of_thought|>", "<|end_of_thought|>"], // OpenThinker
  ["<|START_THINKING|>", "<|END_THINKING|>"], // Command A Reasoning
];

/** What opening tags begin with. */
const FIRST_LETTERS: ReadonlySet<string> = new Set(THINK_TAGS.map(([open]) => open[0]));

/** Closing tags whose opening tag may be missing because the chat template has written it, each with a mark to
 * search for first: one search rules out several tags. The mark is as short as possible, because a search
 * stops at each first letter: `think>` takes five times as long in English. */
const TEMPLATE_OPENS: readonly (readonly [mark: string, tags: readonly ThinkTags[]])[] = [
  ["k>", THINK_TAGS.filter(([, close]) => close.endsWith("think>"))],
  ["K]", THINK_TAGS.filter(([, close]) => close.endsWith("THINK]"))],
];

/**
 * Separates the reasoning in a content; undefined if there is none.
 *
 * Only blocks at the start of the content are reasoning: a later `<think>` is part of the answer. Where the
 * first block is never closed, the answer had not begun. Only line ends around the two are dropped.
 *
 * @param own Tags in addition to the known ones.
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

/** Removes tags from reasoning in a separate field. */
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

/** A closing tag without an opening one must not close a tag inside the answer. */
function splitAtClose(content: string, [open, close]: ThinkTags): Thought | undefined {
  const end = content.indexOf(close);
  if (end < 0 || content.lastIndexOf(open, end) >= 0) return undefined;
  return thought(content.slice(0, end), content.slice(end + close.length));
}

function thought(reasoning: string, response: string): Thought {
  return { response: response.replace(/^[\r\n]+/, ""), reasoning: trimLines(reasoning) };
}

/** The text without the line ends around it. */
function trimLines(text: string): string {
  return text.replace(/^[\r\n]+/, "").replace(/[\r\n]+$/, "");
}

/** The content of the channels. */
interface HarmonyAnswer extends Thought {
  /** Tool calls in the OpenAI form. */
  readonly toolCalls: readonly unknown[];
}

interface HarmonyMessage {
  /** Role, channel, recipient and content type, as far as they are there. */
  readonly header: string;
  readonly body: string;
}

const MARK = /<\|(start|channel|constrain|message|end|return|call)\|>/;
/** The prompt ends with `<|start|>assistant`, so that answers begin with a channel. If the prompt
 * opens the first channel too, they begin with its text. */
const BEGINS = /^\s*(?:<\|start\|>|<\|channel\|>|(?:analysis|commentary|final)<\|message\|>)/;
const CONTINUES = /<\|end\|>\s*(?:<\|start\|>\s*assistant\s*)?<\|channel\|>/;
/** What remains where a server drops the special tokens and keeps the names: `analysis…assistantfinal…`. */
const BARE = /^analysis(?=\S)([^]*?)assistantfinal([^]*)$/;

/** Splits the channels of a content; undefined if it has none. */
function splitHarmony(content: string): HarmonyAnswer | undefined {
  if (content.startsWith("analysis") && !content.startsWith("analysis<|")) {
    const [, reasoning, response] = BARE.exec(content) ?? [];
    if (reasoning === undefined) return undefined;
    const whole = reasoning.replaceAll("assistantanalysis", "\n\n");
    return { reasoning: trimLines(whole), response: trimLines(response), toolCalls: [] };
  }
  // The first search is a tenth of the time of the others, and nearly every answer ends here.
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
