/**
 * Commands in messages, which users paste into a shell.
 *
 * @module
 */

import { shellWord } from "./printable.ts";

/** The name of this program in the texts of the library. */
export const PROGRAM_NAME = "retort";

/** A command of this program, quoted for the shell: `retort merge out/ -o all.jsonl`. */
export function commandText(...words: readonly string[]): string {
  return [PROGRAM_NAME, ...words.map((word) => shellWord(word))].join(" ");
}

/** Replaces the program's name in each `merge`, `convert` or `run` command of `commandText` by the
 * words that start it here. */
export function withProgram(text: string, program: string): string {
  return text.replaceAll(/(?<=^ *|\(|: )retort(?= (?:merge|convert|run) )/gm, () => program);
}
