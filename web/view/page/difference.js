// @ts-check
/**
 * Compares two texts word by word.
 *
 * @module
 */

/**
 * If the differing middles of two texts have more words than this on (geometric) average, they
 * count as entirely different: comparing them would take seconds.
 */
const MAX_WORDS = 3_000;

/**
 * A part of a text, and whether both texts have it.
 *
 * @typedef {{ text: string, isSame: boolean }} Piece
 */

/**
 * Splits both texts into pieces. The words of a longest common subsequence are the same in both:
 * words at the start, words at the end, and some of the middle.
 *
 * @param {string} left
 * @param {string} right
 * @returns {[Piece[], Piece[]]}
 */
export function differenceOf(left, right) {
  const a = wordsOf(left), b = wordsOf(right);
  let sameAtStart = 0, sameAtEnd = 0;
  const shorter = Math.min(a.length, b.length);
  while (sameAtStart < shorter && a[sameAtStart] === b[sameAtStart]) sameAtStart++;
  while (
    sameAtEnd < shorter - sameAtStart && a.at(-1 - sameAtEnd) === b.at(-1 - sameAtEnd)
  ) {
    sameAtEnd++;
  }
  const [middleA, middleB] = [a, b].map((words) =>
    words.slice(sameAtStart, words.length - sameAtEnd)
  );
  const same = middleA.length * middleB.length > MAX_WORDS ** 2
    ? { a: new Set(), b: new Set() }
    : commonIndexes(middleA, middleB);
  const pieces = (
    /** @type {string[]} */ words,
    /** @type {Set<number>} */ indexes,
  ) =>
    mergeAdjacent(words.map((text, index) => ({
      text,
      isSame: index < sameAtStart || index >= words.length - sameAtEnd ||
        indexes.has(index - sameAtStart),
    })));
  return [pieces(a, same.a), pieces(b, same.b)];
}

/** @param {string} text */
function wordsOf(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/**
 * Returns the indexes of the words of a longest common subsequence, in each text.
 *
 * @param {string[]} a
 * @param {string[]} b
 */
function commonIndexes(a, b) {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  /** @type {{ a: Set<number>, b: Set<number> }} */
  const indexes = { a: new Set(), b: new Set() };
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      indexes.a.add(i++);
      indexes.b.add(j++);
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return indexes;
}

/** Merges adjacent pieces of the same kind. @param {Piece[]} pieces */
function mergeAdjacent(pieces) {
  /** @type {Piece[]} */
  const result = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last !== undefined && last.isSame === piece.isSame) {
      last.text += piece.text;
    } else result.push({ ...piece });
  }
  return result;
}
