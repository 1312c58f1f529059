/**
 * The reasoning of an answer, whole and once: from a field, from between tags, or from channels.
 *
 * @module
 */

import { type HarmonyAnswer, splitHarmony } from "./harmony.ts";
import { splitThinkTags, type ThinkTags, type Thought, withoutTags } from "./think_tags.ts";

/** An answer, its reasoning, and the tool calls that stood between the two. */
export type Separated = Thought & Partial<HarmonyAnswer>;

/**
 * Tells the answer from the reasoning.
 *
 * Reasoning in a field means that the server has split already: what stands between tags in the text is
 * the answer's then, unless it repeats the field.
 *
 * @param content The text, as it came.
 * @param field The reasoning that came in a field of its own, or "".
 * @param own Tags beside those that are known.
 */
export function separateThoughts(content: string, field: string, own?: ThinkTags): Separated {
  const channels = splitHarmony(content);
  const split = channels ?? splitThinkTags(content, own);
  if (field === "") return split ?? { response: content, reasoning: "" };
  const reasoning = withoutTags(field, own);
  if (split === undefined) return { response: content, reasoning };
  const repeated = longerOfSame(reasoning, split.reasoning);
  if (repeated !== undefined) return { ...split, reasoning: repeated };
  // Marks of channels are never part of an answer.
  if (channels === undefined) return { response: content, reasoning };
  return { ...channels, reasoning: `${reasoning}\n\n${channels.reasoning}` };
}

/** The longer of two texts where one of them holds the other, but for white space; else undefined. What
 * is less than half of the other is a quotation of it, unless it is nothing at all. */
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
