// @ts-check
/**
 * Compares two texts word by word.
 *
 * @module
 */

/**
 * If the differing parts of two texts have more words than this, they count as entirely different:
 * comparing them would take seconds.
 */
const MAX_WORDS = 3_000;

/** @typedef {{ text: string, isSame: boolean }} Piece */

/**
 * Splits both texts into pieces. The words of a longest common subsequence are the same in both.
 *
 * @param {string} left
 * @param {string} right
 * @returns {[Piece[], Piece[]]}
 */
export function differenceOf(left, right) {
  const a = wordsOf(left), b = wordsOf(right);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (
    end < a.length - start && end < b.length - start &&
    a.at(-1 - end) === b.at(-1 - end)
  ) {
    end++;
  }
  const [middleA, middleB] = [
    a.slice(start, a.length - end),
    b.slice(start, b.length - end),
  ];
  const same = middleA.length * middleB.length > MAX_WORDS ** 2
    ? { a: new Set(), b: new Set() }
    : commonIndexes(middleA, middleB);
  const pieces = (
    /** @type {string[]} */ words,
    /** @type {Set<number>} */ indexes,
  ) =>
    mergeAdjacent(words.map((text, index) => ({
      text,
      isSame: index < start || index >= words.length - end || indexes.has(index - start),
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
