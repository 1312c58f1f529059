/**
 * What users type instead of a command or a flag: what is plainly meant is done, and a mistyped command is
 * named before it passes for an input file.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "../lib/deps/std_text.ts";
import { UsageError } from "../lib/errors.ts";
import { type Command, COMMANDS, isCommand } from "./commands.ts";

/** Ways to ask for help or for the version that other programs have. */
const ALIASES: Readonly<Record<string, string>> = {
  "-help": "--help",
  "-?": "--help",
  "-version": "--version",
};

/** Commands of other programs, and what does the same here. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ["resume", "Run the same command again: a run continues by itself"],
  ["continue", "Run the same command again: a run continues by itself"],
  ["start", 'Leave the word out, or say "run"'],
  ["generate", 'Leave the word out, or say "run"'],
  ["distill", "Leave the word out"],
  ["retort", "Leave the word out"],
  ["check", '"verify" proves an output, --dry-run checks an input'],
  ["validate", '"verify" proves an output, --dry-run checks an input'],
  ["test", '"verify" proves an output, --dry-run checks an input'],
  ["mock", 'Use "simulate"'],
  ["serve", 'Use "simulate"'],
  ["redo", 'Use "retry"'],
]);

/** Two letters that changed places are two changes. */
const MAX_TYPOS = 2;

/** The arguments with other programs' ways to ask for help or for the version in Retort's own. */
export function withoutAliases(args: readonly string[]): string[] {
  // Beside other arguments it may be meant as "verbose".
  if (args.length === 1 && args[0] === "-v") return ["--version"];
  if (args.length === 2 && isCommand(args[0]) && args[1] === "help") return [args[0], "--help"];
  const end = args.indexOf("--");
  return args.map((arg, i) => end === -1 || i < end ? ALIASES[arg] ?? arg : arg);
}

/** The nearest of some words, or undefined where none is near enough to be what was meant. */
export function nearest(
  word: string,
  words: readonly string[],
  maxTypos = MAX_TYPOS,
): string | undefined {
  if (words.length === 0) return undefined;
  // Letters that have changed places are one slip of the fingers, though two edits.
  const closest = words.find((one) => lettersOf(one) === lettersOf(word)) ??
    closestString(word, words);
  const most = Math.min(maxTypos, Math.ceil(word.length / 2));
  return levenshteinDistance(word.toLowerCase(), closest) <= most ? closest : undefined;
}

function lettersOf(word: string): string {
  return [...word.toLowerCase()].sort().join("");
}

/**
 * Stops at a first word that is neither a command nor a file, but nearly a command.
 *
 * @throws {UsageError} with the command that is meant
 */
export function refuseMistypedCommand(args: readonly string[]): void {
  const [word] = args;
  // What looks like a path is one.
  if (word === undefined || !/^[a-z]{3,}$/i.test(word)) return;
  if (isCommand(word) || exists(word)) return;
  const meant = nearest(word, COMMANDS);
  const advice = meant === undefined ? SYNONYMS.get(word) : `Did you mean "${meant}"?`;
  if (advice === undefined) return;
  throw new UsageError(`Cannot run "${word}": it is neither a command nor a file. ${advice}`);
}

/**
 * Stops at an input that is a command in the wrong place.
 *
 * @throws {UsageError} with the place where it belongs
 */
export function refuseLateCommand(inputs: readonly string[]): void {
  const late = inputs.find((input) => isCommand(input) && !exists(input));
  if (late === undefined) return;
  throw new UsageError(
    `Cannot read "${late}": no such file. The command "${late}" has to be the first word`,
  );
}

/**
 * The command whose help is asked for, as in `help export`; undefined for `help` alone.
 *
 * @throws {UsageError} when there is no such command
 */
export function helpTopic(words: readonly string[]): Command | undefined {
  const [word, ...others] = words;
  if (word === undefined) return undefined;
  const topic = COMMANDS.find((command) => command === word);
  if (topic !== undefined && others.length === 0) return topic;
  const meant = nearest(word, COMMANDS);
  const advice = meant === undefined || topic !== undefined ? "" : `. Did you mean "${meant}"?`;
  throw new UsageError(
    `Cannot show help for "${words.join(" ")}": the commands are ${COMMANDS.join(", ")}${advice}`,
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
