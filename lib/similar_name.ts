/** Finds the name that a misspelt one probably means. @module */

import { closestString, levenshteinDistance } from "./deps/std_text.ts";

const MAX_EDITS = 3;
/** A shorter word has no similar one: `x` is not `y`. */
const MIN_LETTERS = 3;

/**
 * Returns the name that `word` probably misspells. It differs in a quarter of the letters, one to
 * three: `seed` is not `keep`, and `message_id` not `messages`. Case does not count, and neither do
 * separators: `maxTokens` is `max_tokens`.
 */
export function similarName(word: string, names: Iterable<string>): string | undefined {
  const all = [...names];
  if (all.length === 0 || word.length < MIN_LETTERS) return undefined;
  const same = all.find((name) => plainOf(name) === plainOf(word));
  if (same !== undefined) return same;
  // Two swapped letters are one mistake, but count as two edits.
  const swapped = all.find((name) => lettersOf(name) === lettersOf(word));
  const nearest = swapped ?? closestString(word, all);
  const quarter = Math.floor(word.length / 4);
  const maxEdits = swapped !== undefined ? 2 : Math.max(1, Math.min(MAX_EDITS, quarter));
  const edits = levenshteinDistance(word.toLowerCase(), nearest.toLowerCase());
  return edits <= maxEdits ? nearest : undefined;
}

/** `. Did you mean "model"?`, the end of an error about a word; "" if no name is similar. */
export function suggestion(word: string, names: Iterable<string>): string {
  const similar = similarName(word, names);
  return similar === undefined ? "" : `. Did you mean "${similar}"?`;
}

function plainOf(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, "");
}

function lettersOf(word: string): string {
  return [...word.toLowerCase()].sort().join("");
}
