/**
 * Quotes words of a command line for a shell.
 *
 * @module
 */

import { withEscapes } from "../lib/printable.ts";

/** Operating system, as Deno names it. */
export type System = typeof Deno.build.os;

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
  const harmless = withEscapes(word.replaceAll(/[\\']/g, "\\$&"), octal);
  return withEscapes(word, () => "") === word
    ? `'${word.replaceAll("'", `'\\''`)}'`
    : `$'${harmless}'`;
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
