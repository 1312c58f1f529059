/**
 * Makes text from a teacher or a file short, and safe to show in a terminal or in commands that
 * users paste.
 *
 * @module
 */

/**
 * Matches escape sequences as terminals read them: strings (OSC, DCS, SOS, PM, APC) up to their
 * end, control sequences (CSI), and short sequences. An unterminated string extends to the end of
 * the text, as in a terminal.
 */
const ESCAPE_SEQUENCES =
  // deno-lint-ignore no-control-regex
  /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?/g;

/** Matches words of at least 12 characters with at least one digit, such as `req_011CabcXYZ`. */
export const LONG_ID = /\b(?=[a-z_-]*\d)\w[\w-]{11,}/gi;

/** Matches spaces, line breaks and control characters, which become one space. */
// deno-lint-ignore no-control-regex
const BLANKS = /[\s\x00-\x1f\x7f-\x9f]+/g;

/** Matches characters without width. Some of them change the direction of the text that follows. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]/gu;

/**
 * Converts a text to one printable line. Removes escape sequences and invisible characters.
 * Replaces line breaks and control characters with a space, and lone surrogates with U+FFFD.
 */
export function printable(text: string): string {
  return cleaned(text, BLANKS).trim();
}

function cleaned(text: string, blanks: RegExp): string {
  return text.replace(ESCAPE_SEQUENCES, "").replace(blanks, " ").replace(INVISIBLE, "")
    .toWellFormed();
}

/** Matches characters on which a terminal may act or that it may hide, except newlines and tabs. */
const UNPRINTABLE =
  // deno-lint-ignore no-control-regex
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb]/gu;

/** Matches control characters, including tabs, which become one space. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\x00-\x1f\x7f-\x9f]+/g;

/** Makes a text of several lines printable. Newlines and spaces are kept, except spaces at the end
 * of a line. */
export function printableLines(text: string): string {
  return text.split("\n").map((line) => cleaned(line, CONTROLS).trimEnd()).join("\n");
}

/** Returns equivalent JSON without characters that a terminal may act on or hide. */
export function printableJson(json: string): string {
  return json.replace(
    UNPRINTABLE,
    (character) =>
      character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  );
}

/** Returns the text as code in Markdown, on one line. The text may contain any backticks and line
 * breaks. */
export function codeSpan(text: string): string {
  const line = printable(text);
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return longest === 0 ? `${fence}${line}${fence}` : `${fence} ${line} ${fence}`;
}

const ELLIPSIS = "…";

/** A slice is copied by encoding and decoding it. The slice itself would keep the whole text in
 * memory. */
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Shortens a text to at most `maxLength` UTF-16 units, including the ellipsis. Does not split
 * surrogate pairs or keep the whole text in memory. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  if (maxLength < ELLIPSIS.length) return "";
  let end = maxLength - ELLIPSIS.length;
  if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
  return DECODER.decode(ENCODER.encode(text.slice(0, end))) + ELLIPSIS;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

type System = typeof Deno.build.os;

/** Quotes a word for a POSIX shell or, on Windows, for PowerShell and in most cases cmd.exe.
 * Characters that a terminal would interpret are escaped or replaced. */
export function shellWord(word: string, os: System = Deno.build.os): string {
  return os === "windows" ? windowsWord(word) : posixWord(word);
}

/** Quotes a word for a POSIX shell. Unlike `shellWord`, this works without `Deno`, as in the bundle
 * for Node. */
export function posixWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // Control characters are written as octal bytes.
  const escaped = word.replaceAll(/[\\']/g, "\\$&").replace(UNPRINTABLE, octal);
  return word.replace(UNPRINTABLE, "") === word
    ? `'${word.replaceAll("'", `'\\''`)}'`
    : `$'${escaped}'`;
}

function octal(character: string): string {
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/**
 * Quotes a word for Windows. Double quotes work in both cmd.exe and PowerShell. A word with `"`,
 * `$`, a backtick or `%` gets single quotes, which only PowerShell reads. PowerShell also reads
 * curly quotes as quotes. A backslash before the closing quote would escape it, so the last
 * backslash of a folder becomes `/`. Without quotes, PowerShell would split a word that begins with
 * `-` before its first `.`.
 */
export function windowsWord(word: string): string {
  const shown = word.replace(UNPRINTABLE, "\ufffd");
  if (/^(?!-.*\.)[\w+=:./\\-]+$/.test(shown)) return shown;
  const text = shown.replace(/\\+$/, "/");
  return /["\u201c-\u201e$`%]/.test(text)
    ? `'${text.replace(/['\u2018-\u201b]/g, "$&$&")}'`
    : `"${text}"`;
}

/** The name of the program in messages. `withProgram` replaces it. */
export const PROGRAM_NAME = "retort";

/** Returns a command that is quoted for the shell: `retort merge out/ -o all.jsonl`. */
export function commandText(...words: readonly string[]): string {
  return [PROGRAM_NAME, ...words.map((word) => shellWord(word))].join(" ");
}

/** Replaces `retort` in suggested commands (`merge`, `convert`, `run`) with what the user typed,
 * such as `deno task distill`. A suggestion begins a line, or follows `(` or a colon. */
export function withProgram(text: string, program: string): string {
  return text.replaceAll(/(?<=^ *|\(|: )retort(?= (?:merge|convert|run) )/gm, () => program);
}
