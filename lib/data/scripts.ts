/**
 * Whether an answer is written in another script than its prompt.
 *
 * @module
 */

/** The number of scripts, which `scriptOf` numbers from 1. Han and kana count as one. */
const SCRIPTS = 9;
const LATIN = 1;
const GREEK = 3;
/** Into how many parts a text is divided, with one character sampled from each. */
const SAMPLE_CHARS = 96;
/** The fewest letters in a sample that allow a decision. */
const FEW_LETTERS = 12;

const promptCounts = new Uint16Array(SCRIPTS + 1);
const answerCounts = new Uint16Array(SCRIPTS + 1);

/** Letters of scripts other than Latin. Fast: V8 need not search strings of one-byte characters. */
const OTHER_LETTER = /[\u0370-\u0e7f\u3040-\u9fff\uac00-\ud7af\ufb50-\ufdff]/;

/**
 * Whether most letters of an answer are of a script that is rare in the prompt, or over 5 % of one
 * that does not occur in it. Judges by samples; false if there are few letters.
 */
export function isOtherScript(text: string, prompt: string): boolean {
  // A quick check: in most pairs, both texts are Latin.
  if (!OTHER_LETTER.test(text) && !OTHER_LETTER.test(prompt)) return false;
  const answered = countScripts(text, answerCounts);
  if (answered < FEW_LETTERS) return false;
  const asked = countScripts(prompt, promptCounts);
  if (asked < FEW_LETTERS) return false;
  const main = dominant(promptCounts);
  for (let script = 1; script <= SCRIPTS; script++) {
    if (script === main) continue;
    const share = answerCounts[script] / answered;
    const isStrange = promptCounts[script] === 0;
    // Latin (code, names, terms) and Greek (formulas) occur in texts of every language.
    if (script === LATIN || script === GREEK) {
      if (share > 0.8 && promptCounts[script] / asked < 0.2) return true;
    } else if (share > 0.5 ? promptCounts[script] / asked < 0.2 : isStrange && share > 0.05) {
      return true;
    }
  }
  return false;
}

function dominant(counts: Uint16Array): number {
  let best = 1;
  for (let script = 2; script <= SCRIPTS; script++) {
    if (counts[script] > counts[best]) best = script;
  }
  return best;
}

/** Counts the letters of each script in a sample of a text, by its number; returns their sum. */
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
  if (code >= 0x400 && code < 0x530) return 2;
  if (code >= 0x590 && code < 0x600) return 4;
  if ((code >= 0x600 && code < 0x780) || (code >= 0xfb50 && code < 0xfdff)) return 5;
  if (code >= 0x900 && code < 0xe00) return 6;
  if (code >= 0xe00 && code < 0xe80) return 7;
  if ((code >= 0x3040 && code < 0x3100) || (code >= 0x3400 && code < 0xa000)) return 8;
  if (code >= 0xac00 && code < 0xd7b0) return 9;
  return 0;
}
