/**
 * Whether an answer is written in another script than its prompt.
 *
 * @module
 */

/** The numbers of scripts; 0 is any other character. */
const LATIN = 1;
const CYRILLIC = 2;
const GREEK = 3;
const HEBREW = 4;
const ARABIC = 5;
const INDIC = 6;
const THAI = 7;
const HAN_AND_KANA = 8;
const HANGUL = 9;
const SCRIPT_COUNT = HANGUL;
/** At least this many characters are sampled from a longer text, at equal distances. */
const SAMPLE_CHARS = 96;
/** The fewest letters in a sample that allow a decision. */
const MIN_LETTERS = 12;

const promptCounts = new Uint16Array(SCRIPT_COUNT + 1);
const answerCounts = new Uint16Array(SCRIPT_COUNT + 1);

/** Letters of scripts other than Latin. Fast: V8 need not search strings of one-byte characters. */
const OTHER_LETTER = /[\u0370-\u0e7f\u3040-\u9fff\uac00-\ud7af\ufb50-\ufdff]/;

/**
 * Whether an answer is written in another script than its prompt: over half of its letters are of a
 * script that has under 20 % of the prompt's, or over 5 % of one that the prompt has none of.
 * Compares samples; false if they hold few letters.
 */
export function isOtherScript(text: string, prompt: string): boolean {
  // A quick check: in most pairs, both texts are Latin.
  if (!OTHER_LETTER.test(text) && !OTHER_LETTER.test(prompt)) return false;
  const answerLetters = countScripts(text, answerCounts);
  if (answerLetters < MIN_LETTERS) return false;
  const promptLetters = countScripts(prompt, promptCounts);
  if (promptLetters < MIN_LETTERS) return false;
  const main = dominant(promptCounts);
  for (let script = 1; script <= SCRIPT_COUNT; script++) {
    if (script === main) continue;
    const share = answerCounts[script] / answerLetters;
    const isNew = promptCounts[script] === 0;
    // Latin (code, names, terms) and Greek (formulas) occur in texts of every language, so 80 % are
    // needed.
    if (script === LATIN || script === GREEK) {
      if (share > 0.8 && promptCounts[script] / promptLetters < 0.2) return true;
    } else if (share > 0.5 ? promptCounts[script] / promptLetters < 0.2 : isNew && share > 0.05) {
      return true;
    }
  }
  return false;
}

function dominant(counts: Uint16Array): number {
  let best = 1;
  for (let script = 2; script <= SCRIPT_COUNT; script++) {
    if (counts[script] > counts[best]) best = script;
  }
  return best;
}

/** Counts the letters of each script in a sample of the text; returns the number of all letters. */
function countScripts(text: string, counts: Uint16Array): number {
  counts.fill(0);
  let sum = 0;
  const step = Math.max(1, Math.floor(text.length / SAMPLE_CHARS));
  for (let i = 0; i < text.length; i += step) {
    const script = scriptOf(text.charCodeAt(i));
    if (script === 0) continue;
    counts[script]++;
    sum++;
  }
  return sum;
}

function scriptOf(code: number): number {
  if (code < 0x41) return 0;
  if (code < 0x250) {
    return code <= 0x5a || (code >= 0x61 && code <= 0x7a) || code >= 0xc0 ? LATIN : 0;
  }
  if (code >= 0x370 && code < 0x400) return GREEK;
  if (code >= 0x400 && code < 0x530) return CYRILLIC;
  if (code >= 0x590 && code < 0x600) return HEBREW;
  if ((code >= 0x600 && code < 0x780) || (code >= 0xfb50 && code < 0xfdff)) return ARABIC;
  if (code >= 0x900 && code < 0xe00) return INDIC;
  if (code >= 0xe00 && code < 0xe80) return THAI;
  if ((code >= 0x3040 && code < 0x3100) || (code >= 0x3400 && code < 0xa000)) return HAN_AND_KANA;
  if (code >= 0xac00 && code < 0xd7b0) return HANGUL;
  return 0;
}
