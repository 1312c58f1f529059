/**
 * Separates reasoning that a server leaves in the text of an answer because it does not know the
 * model's format. The reasoning is between tags (`<think>`), or in the channels of gpt-oss
 * ("harmony"):
 *
 * `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`
 *
 * The channel `analysis` contains reasoning, `final` contains the answer, and `commentary` contains
 * a tool call or the text before a tool call.
 *
 * @module
 */

export interface SeparatedAnswer {
  readonly response: string;
  readonly reasoning: string;
  /** Tool calls found in the channels of gpt-oss. */
  readonly toolCalls?: readonly unknown[];
}

/**
 * Separates the reasoning from the answer. If there is reasoning in a separate field, tags in the
 * content are part of the answer, unless the text between them repeats the field.
 *
 * @param field The reasoning in the separate field. White space alone counts as no reasoning.
 * @param userTags Tags in addition to the known ones.
 */
export function separateReasoning(
  content: string,
  field: string,
  userTags?: ThinkTags,
): SeparatedAnswer {
  const channels = splitHarmony(content);
  const split = channels ?? splitThinkTags(content, userTags);
  const reasoning = withoutTags(field, userTags);
  if (reasoning.trim() === "") return split ?? { response: content, reasoning: "" };
  if (split === undefined) return { response: content, reasoning };
  const repeated = longerOfSame(reasoning, split.reasoning);
  if (repeated !== undefined) return { ...split, reasoning: repeated };
  // The marks of channels are never part of an answer.
  if (channels === undefined) return { response: content, reasoning };
  return { ...channels, reasoning: `${reasoning}\n\n${channels.reasoning}` };
}

/** Returns the longer text if it contains the shorter text, ignoring differences in white space;
 * otherwise undefined. A text less than half as long as the other text counts as a quotation. An
 * empty `right` always counts as contained. */
function longerOfSame(left: string, right: string): string | undefined {
  const a = withSingleSpaces(left), b = withSingleSpaces(right);
  if (b === "") return left;
  if (Math.max(a.length, b.length) > 2 * Math.min(a.length, b.length)) return undefined;
  if (a.includes(b)) return left;
  return b.includes(a) ? right : undefined;
}

function withSingleSpaces(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

export type ThinkTags = readonly [open: string, close: string];

/** The tags of known models. `<thinking>`, `<reasoning>` and `<answer>` are not included: they
 * appear in no chat template, but prompts request them as part of the answer. */
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

/** The first characters of opening tags. Most answers begin with another character. */
const FIRST_CHARACTERS: ReadonlySet<string> = new Set(THINK_TAGS.map(([open]) => open[0]));

/** Tags that the chat template may open at the end of the prompt. The closing tags of each group
 * end with its `mark`, which most answers do not contain. Marks begin with a rare letter, because
 * searching English text for `think>` takes five times as long as searching for `k>`. */
const TEMPLATE_OPENS: readonly (readonly [mark: string, tags: readonly ThinkTags[]])[] = [
  ["k>", THINK_TAGS.filter(([, close]) => close.endsWith("think>"))],
  ["K]", THINK_TAGS.filter(([, close]) => close.endsWith("THINK]"))],
];

/** Splits an answer after the blocks of reasoning at its start. A later `<think>` is part of the
 * answer. If the closing tag is missing, everything is reasoning. Of the white space around the
 * parts, only line ends are removed. Returns undefined if the text has no tags of reasoning. */
export function splitThinkTags(content: string, userTags?: ThinkTags): SeparatedAnswer | undefined {
  let start = content.search(/\S/);
  if (start < 0) return undefined;
  const tags = tagsOpenedAt(content, start, userTags);
  if (tags === undefined) return splitUnopened(content, userTags);
  // Some models reason in several blocks.
  let response = content, reasoning: string | undefined;
  while (response.startsWith(tags[0], start)) {
    const block = blockAt(response, start, tags);
    if (block === undefined) break;
    reasoning = reasoning === undefined ? block.reasoning : `${reasoning}\n\n${block.reasoning}`;
    response = block.response;
    start = response.search(/\S/);
  }
  if (reasoning !== undefined) return { response, reasoning };
  return { response: "", reasoning: trimLines(content.slice(start + tags[0].length)) };
}

export function withoutTags(reasoning: string, userTags?: ThinkTags): string {
  const tags = tagsOpenedAt(reasoning, reasoning.search(/\S/), userTags);
  if (tags === undefined) return reasoning;
  const { response = "", reasoning: inner = "" } = splitThinkTags(reasoning, userTags) ?? {};
  return [inner, response].filter((text) => text.trim() !== "").join("\n\n");
}

function tagsOpenedAt(
  content: string,
  start: number,
  userTags?: ThinkTags,
): ThinkTags | undefined {
  if (userTags !== undefined && content.startsWith(userTags[0], start)) return userTags;
  if (!FIRST_CHARACTERS.has(content[start])) return undefined;
  return THINK_TAGS.find(([open]) => content.startsWith(open, start));
}

function blockAt(
  content: string,
  start: number,
  [open, close]: ThinkTags,
): SeparatedAnswer | undefined {
  const innerStart = start + open.length, end = content.indexOf(close, innerStart);
  if (end < 0) return undefined;
  return trimmed(content.slice(innerStart, end), content.slice(end + close.length));
}

function splitUnopened(content: string, userTags?: ThinkTags): SeparatedAnswer | undefined {
  if (userTags !== undefined) {
    const split = splitAtClose(content, userTags);
    if (split !== undefined) return split;
  }
  for (const [mark, tags] of TEMPLATE_OPENS) {
    if (!content.includes(mark)) continue;
    for (const pair of tags) {
      const split = splitAtClose(content, pair);
      if (split !== undefined) return split;
    }
  }
  return undefined;
}

/** Splits at the closing tag. Returns undefined if there is no closing tag, or if an opening tag
 * comes before it. */
function splitAtClose(content: string, [open, close]: ThinkTags): SeparatedAnswer | undefined {
  const end = content.indexOf(close);
  if (end < 0 || content.lastIndexOf(open, end) >= 0) return undefined;
  return trimmed(content.slice(0, end), content.slice(end + close.length));
}

function trimmed(reasoning: string, response: string): SeparatedAnswer {
  return { response: response.replace(/^[\r\n]+/, ""), reasoning: trimLines(reasoning) };
}

function trimLines(text: string): string {
  // Without the lookbehind, a long run of line feeds would take quadratic time.
  return text.replace(/^[\r\n]+/, "").replace(/(?<![\r\n])[\r\n]+$/, "");
}

interface HarmonyMessage {
  /** The role, channel, recipient and content type, if they were sent. */
  readonly header: string;
  readonly body: string;
}

const MARK = /<\|(start|channel|constrain|message|end|return|call)\|>/;
/** Matches the start of an answer. It begins with a channel if the prompt ends with
 * `<|start|>assistant`, and with the name of the channel if the prompt ends with `<|channel|>`. */
const HARMONY_START =
  /^\s*(?:<\|start\|>|<\|channel\|>|(?:analysis|commentary|final)<\|message\|>)/;
/** Matches the end of the first message if the answer begins with the text of that message. */
const NEXT_MESSAGE = /<\|end\|>\s*(?:<\|start\|>\s*assistant\s*)?<\|channel\|>/;
/** Matches answers of servers that drop special tokens but leave the words between them:
 * `analysis…assistantfinal…`. */
const WITHOUT_MARKS = /^analysis(?=\S)([^]*?)assistantfinal([^]*)$/;

function splitHarmony(content: string): SeparatedAnswer | undefined {
  if (content.startsWith("analysis") && !content.startsWith("analysis<|")) {
    const [, analysis, response] = WITHOUT_MARKS.exec(content) ?? [];
    if (analysis === undefined) return undefined;
    const reasoning = analysis.replaceAll("assistantanalysis", "\n\n");
    return { reasoning: trimLines(reasoning), response: trimLines(response), toolCalls: [] };
  }
  // `includes` takes a tenth of the time of the patterns, and returns false for nearly every
  // answer.
  if (!content.includes("|>") || !(HARMONY_START.test(content) || NEXT_MESSAGE.test(content))) {
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
      // With `--reasoning-format none`, llama.cpp omits the marks of the final channel.
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
