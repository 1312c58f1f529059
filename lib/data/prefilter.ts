/**
 * Searches the bytes of many lines for a text at once, in every form in which JSON may write it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Needle } from "../where/mod.ts";
import type { BlockText } from "./line_text.ts";

/** A pattern that matches the bytes of every line with a certain text. */
export class Prefilter {
  readonly pattern: RegExp;
  readonly #mayBeOther: boolean;

  constructor(pattern: RegExp, { text, ignoresCase }: Needle) {
    this.pattern = pattern;
    this.#mayBeOther = ignoresCase && /[ks]/i.test(text);
  }

  /** Undefined for a block in which the text may be written in another way. */
  patternFor(block: BlockText): RegExp | undefined {
    const isOther = holdsEscapedLetters(block) || (this.#mayBeOther && holdsOtherCase(block));
    return isOther ? undefined : this.pattern;
  }
}

/** Whether letters or digits are escaped, which JSON allows but hardly any writer does. */
function holdsEscapedLetters({ text }: BlockText): boolean {
  return text.includes("\\u00") && /\\u00(?:3\d|[46][1-9a-f]|[57][\da])/i.test(text);
}

/** Unicode has two more letters that equal k and s if case is ignored, U+212A and U+017F. */
function holdsOtherCase({ text, isAscii }: BlockText): boolean {
  return text.includes("\\u212") || text.includes("\\u017") ||
    (!isAscii && (text.includes("\xe2\x84\xaa") || text.includes("\xc5\xbf")));
}

/** Values that need not be in a line: they are derived from others, or from the run file. */
const FOLLOWING: ReadonlySet<string> = new Set([
  "flags",
  "status",
  "source_file",
  "model",
  "teacher",
]);

/**
 * The prefilter for a text, in every form in which JSON may write it; undefined if there is none.
 */
export function prefilterOf(needle: Needle, hasTemplate: boolean): Prefilter | undefined {
  const { text, ignoresCase, path } = needle;
  if (FOLLOWING.has(path[0])) return undefined;
  // A prompt may be composed from a template, several messages, or parts that are not text.
  if (path[0] === "prompt" && (hasTemplate || /[\n[\]{}"]/.test(text))) return undefined;
  // The pattern cannot ignore case beyond ASCII, because it matches bytes.
  if (ignoresCase && /[^\x20-\x7e\n\t]/.test(text)) return undefined;
  let source = "";
  for (const char of text.toWellFormed()) {
    const code = char.codePointAt(0)!;
    if (/[a-zA-Z0-9 ]/.test(char)) source += char;
    else if (char === "\n") source += "\\\\n";
    else if (char === "\t") source += "\\\\t";
    else if (char === '"' || char === "\\") source += `(?:\\\\\\${char}|${unitsOf(char)})`;
    else if (code < 0x20) return undefined;
    else if (char === "/") source += `(?:\\\\?/|${unitsOf(char)})`;
    else if (code < 0x7f) source += `(?:${RegExp.escape(char)}|${unitsOf(char)})`;
    else source += `(?:${RegExp.escape(Buffer.from(char).toString("latin1"))}|${unitsOf(char)})`;
  }
  return new Prefilter(new RegExp(source, ignoresCase ? "gi" : "g"), needle);
}

/** A character as escapes of its UTF-16 units, in upper and lower case. */
function unitsOf(char: string): string {
  let source = "";
  for (let at = 0; at < char.length; at++) {
    const digits = char.charCodeAt(at).toString(16).padStart(4, "0");
    source += "\\\\u" +
      [...digits].map((digit) => /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit)
        .join("");
  }
  return source;
}
