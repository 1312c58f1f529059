/**
 * Commands in messages, which users paste into a shell.
 *
 * @module
 */

import { withEscapes } from "./printable.ts";

/** The name of this program in the texts of the library. */
export const PROGRAM_NAME = "retort";

/** A command of this program, quoted for the shell: `retort merge out/ -o all.jsonl`. */
export function commandText(...words: readonly string[]): string {
  return [PROGRAM_NAME, ...words.map((word) => shellWord(word))].join(" ");
}

/** Replaces the program's name in each `commandText` by the words that start it here. */
export function withProgram(text: string, program: string): string {
  return text.replaceAll(/(?<=^|[\s(])retort(?= (?:merge|convert|run) )/gm, () => program);
}

/** An operating system, as Deno names it. */
type System = typeof Deno.build.os;

/**
 * Quotes a word for a POSIX shell or, on Windows, for PowerShell and mostly cmd.exe. Characters
 * that a terminal would interpret are escaped.
 */
export function shellWord(word: string, os: System = Deno.build.os): string {
  return os === "windows" ? windowsWord(word) : posixWord(word);
}

function posixWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // Control characters are written as bytes, in octal.
  const escaped = withEscapes(word.replaceAll(/[\\']/g, "\\$&"), octal);
  return withEscapes(word, () => "") === word
    ? `'${word.replaceAll("'", `'\\''`)}'`
    : `$'${escaped}'`;
}

function octal(character: string): string {
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/**
 * Quotes a word with double quotes, which both shells take, or with single ones if PowerShell would
 * expand something in it.
 */
function windowsWord(word: string): string {
  const shown = withEscapes(word, () => "\ufffd");
  if (/^[\w+=:./\\-]+$/.test(shown)) return shown;
  return /["$`%]/.test(shown) ? `'${shown.replaceAll("'", "''")}'` : `"${shown}"`;
}
