/**
 * The regular expressions of conditions.
 *
 * @module
 */

/** A regular expression, and what is known about the texts that it matches. */
export interface Pattern {
  readonly regExp: RegExp;
  /** A text that every match contains, or "". */
  readonly required: string;
  /** Whether upper and lower case are the same. */
  readonly ignoresCase: boolean;
}

/**
 * Reads the regular expression of `matches`: dots match line feeds, and `(?i)` in front ignores case.
 *
 * @throws {SyntaxError} where it is not a regular expression
 */
export function patternOf(text: string): Pattern {
  const flag = /^\(\?([ims]+)\)/.exec(text);
  const flags = [...new Set(`${flag?.[1] ?? ""}su`)].join("");
  const source = flag === null ? text : text.slice(flag[0].length);
  const known = { required: requiredIn(source), ignoresCase: flags.includes("i") };
  try {
    return { ...known, regExp: new RegExp(source, flags) };
  } catch (error) {
    // Escapes such as \- are common, but invalid with "u".
    if (!(error instanceof SyntaxError)) throw error;
    return { ...known, regExp: new RegExp(source, flags.replace("u", "")) };
  }
}

/** Shorter texts occur in nearly every line. */
const SHORTEST = 3;
/** A character that stands for itself, escaped or not. */
const LITERAL = /\\(?:[^\p{L}\p{N}_]|[nt])|[^\\()[\]{}.^$|*+?]/uy;
const QUANTIFIER = /([*+?]|\{(\d+)(?:,\d*)?\})\??/y;
/** One thing of any other kind; groups are skipped by their brackets. */
const OTHER = /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|k<[^>]*>|c?.)|./suy;
const CLASS = /\[(?:\\.|[^\]\\])*\]/sy;

/** The longest run of plain characters that every match must contain. */
function requiredIn(source: string): string {
  let longest = "", run: string[] = [];
  const end = () => {
    const text = run.join("");
    if (text.length > longest.length) longest = text;
    run = [];
  };
  for (let at = 0, depth = 0; at < source.length;) {
    const take = (pattern: RegExp) => {
      pattern.lastIndex = at;
      const found = pattern.exec(source);
      if (found !== null) at += found[0].length;
      return found;
    };
    const literal = take(LITERAL)?.[0];
    if (literal === undefined) {
      const other = (take(CLASS) ?? take(OTHER))?.[0];
      if (other === undefined) return "";
      if (other === "|" && depth === 0) return "";
      if (other === "(") depth++;
      if (other === ")") depth--;
    } else if (depth === 0) run.push(UNESCAPED[literal] ?? literal.replace(/^\\/, ""));
    const quantifier = take(QUANTIFIER);
    if (quantifier !== null && /^[*?]|^\{0/.test(quantifier[0])) run.pop();
    // Something repeated is not followed directly by the next character.
    if (literal === undefined || quantifier !== null) end();
  }
  end();
  return longest.length < SHORTEST ? "" : longest;
}

const UNESCAPED: Readonly<Record<string, string>> = { "\\n": "\n", "\\t": "\t" };
