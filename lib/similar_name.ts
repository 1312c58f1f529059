/** Finds the name that a misspelled word probably means. @module */

import { closestString, levenshteinDistance } from "./deps/std_text.ts";

const MAX_EDITS = 3;
/** The minimum length of a word that may match a similar name. A shorter word matches only names
 * that differ in nothing but case and separators: `X` matches `x`, but not `y`. */
const MIN_LETTERS = 3;

/**
 * Returns the name that `word` probably misspells. Two letters may be swapped, or a quarter of the
 * letters may differ (one to three): `seed` does not match `keep`, nor does `message_id` match
 * `messages`. Names that differ only in case and separators are the same: `maxTokens` matches
 * `max_tokens`.
 */
export function similarName(word: string, names: Iterable<string>): string | undefined {
  const all = [...names];
  const same = all.find((name) => plainOf(name) === plainOf(word));
  if (same !== undefined || all.length === 0 || word.length < MIN_LETTERS) return same;
  const editsTo = (name: string) => levenshteinDistance(word.toLowerCase(), name.toLowerCase());
  // Two swapped letters are a single mistake, but count as two edits.
  const swapped = all.find((name) =>
    sortedLetters(name) === sortedLetters(word) && editsTo(name) <= 2
  );
  if (swapped !== undefined) return swapped;
  const nearest = closestString(word, all);
  const maxEdits = Math.max(1, Math.min(MAX_EDITS, Math.floor(word.length / 4)));
  return editsTo(nearest) <= maxEdits ? nearest : undefined;
}

/** Returns the end of an error about a word, `. Did you mean "model"?`; "" if no name is
 * similar. */
export function suggestion(word: string, names: Iterable<string>): string {
  const similar = similarName(word, names);
  return similar === undefined ? "" : `. Did you mean "${similar}"?`;
}

function plainOf(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, "");
}

function sortedLetters(word: string): string {
  return [...word.toLowerCase()].sort().join("");
}
