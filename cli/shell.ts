/**
 * Words of a command line as a shell reads them back.
 *
 * @module
 */

import { withEscapes } from "../lib/printable.ts";

/** A system, as Deno names it. */
export type System = typeof Deno.build.os;

/** The word as a POSIX shell reads it back or, on Windows, PowerShell and mostly cmd.exe. Anything that a
 * terminal would act on is escaped. */
export function shellWord(word: string, os: System = Deno.build.os): string {
  return os === "windows" ? windowsWord(word) : posixWord(word);
}

function posixWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // Control characters stand as their bytes, in octal.
  const harmless = withEscapes(word.replaceAll(/[\\']/g, "\\$&"), octal);
  return withEscapes(word, () => "") === word
    ? `'${word.replaceAll("'", `'\\''`)}'`
    : `$'${harmless}'`;
}

function octal(character: string): string {
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/** Both shells take double quotes; where PowerShell would look into them, it gets its single ones. */
function windowsWord(word: string): string {
  const shown = withEscapes(word, () => "\ufffd");
  if (/^[\w+=:./\\-]+$/.test(shown)) return shown;
  return /["$`%]/.test(shown) ? `'${shown.replaceAll("'", "''")}'` : `"${shown}"`;
}
