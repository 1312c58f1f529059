/** Parses arguments into a command, inputs and flags. @module */

import { parseArgs } from "../lib/deps/std_cli.ts";
import { FAILURE_TYPES, UsageError } from "../lib/errors.ts";
import { type Command, isCommand } from "./commands.ts";
import { type Flag, FLAGS, flagsOf, typedName } from "./flags.ts";
import { similarName } from "../lib/similar_name.ts";
import { habitAdvice } from "./help.ts";

/**
 * `true` for a switch, `false` for its `--no-…`, a list for a flag that may be repeated, `""` for
 * an optional value that was omitted.
 */
export type FlagValue = string | boolean | string[];

export interface ParsedArgs {
  /** The first argument if it names a command, otherwise `run`. */
  readonly command: Command;
  readonly inputs: string[];
  /** The flags that were given, by long name. */
  readonly flags: ReadonlyMap<string, FlagValue>;
}

/**
 * @throws {UsageError} for flags that the command does not take, and for missing or unexpected
 * values
 */
export function parseCommandLine(args: readonly string[]): ParsedArgs {
  const [word, ...others] = args;
  const [command, commandArgs]: [Command, readonly string[]] = isCommand(word)
    ? [word, others]
    : ["run", args];
  const commandFlags = flagsOf(command);
  const names = (flags: readonly Flag[]) => flags.map(({ name }) => name);
  const switches = commandFlags.filter(({ value }) => value === undefined);
  const { _: _none, "--": inputs, ...values } = parseArgs(
    normalized(commandArgs, commandFlags),
    {
      "--": true,
      string: names(commandFlags.filter(({ value }) => value !== undefined)),
      boolean: names(switches),
      negatable: names(commandFlags.filter(({ isOnByDefault }) => isOnByDefault)),
      collect: names(commandFlags.filter(({ isRepeatable }) => isRepeatable)),
      // `undefined` distinguishes a switch that was not given from one that was turned off.
      default: Object.fromEntries(switches.map(({ name }) => [name, undefined])),
      unknown: (word, name) => {
        throw rejectedFlag(name, word, command);
      },
    },
  );
  const flags = new Map<string, FlagValue>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const isDefault = value === true &&
      commandFlags.some((flag) => flag.isOnByDefault && flag.name === name);
    if (isDefault) throw rejectedFlag(name, `--${name}`, command);
    flags.set(name, value);
  }
  return { command, inputs, flags };
}

/**
 * Writes each flag with its value as one word (`--name=value`), and inputs after `--`. Otherwise
 * `parseArgs` would read the value of `-pb=2` as `2`, `-1` as a flag, and the input `true` as the
 * value of a switch.
 */
function normalized(args: readonly string[], flags: readonly Flag[]): string[] {
  const words: string[] = [], inputs: string[] = [];
  /** The arguments that are left, in reverse order. */
  const rest = args.toReversed();
  while (rest.length > 0) {
    const word = rest.pop()!;
    if (word === "--") break;
    if (word.startsWith("--")) words.push(longFlag(word, rest, flags));
    else if (/^-./.test(word)) words.push(...shortFlags(word, rest, flags));
    else inputs.push(word);
  }
  return [...words, "--", ...inputs, ...rest.reverse()];
}

function longFlag(word: string, rest: string[], flags: readonly Flag[]): string {
  const [, name, value] = /^--([^=]*)(?:=(.*))?$/s.exec(word)!;
  const flag = flags.find((flag) => typedName(flag) === name);
  // The value is left out, because errors show this word, and the value may be a secret.
  if (flag === undefined) return name === "" ? word : `--${name}`;
  if (flag.value !== undefined) return withValue(flag, `--${name}`, value, rest);
  if (value === undefined) return word;
  throw new UsageError(`Cannot give --${name} a value: it is a switch`);
}

/** Reads one flag, several switches (`-hV`), or a flag with its value (`-c20`, `-c=20`). */
function shortFlags(word: string, rest: string[], flags: readonly Flag[]): string[] {
  // `-model x` would mean `-m odel` and an input "x".
  const name = /^-([a-z][a-z-]+)(=|$)/.exec(word)?.[1];
  if (name !== undefined && flags.some((flag) => typedName(flag) === name)) {
    throw new UsageError(`Cannot use -${name}: long flags have two dashes, as in --${name}`);
  }
  const words: string[] = [];
  for (let i = 1; i < word.length; i++) {
    const flag = flags.find(({ short }) => short === word[i]);
    if (flag === undefined) return [...words, `-${word.slice(i)}`];
    if (flag.value !== undefined) {
      const value = word.slice(i + 1).replace(/^=/, "") || undefined;
      return [...words, withValue(flag, `-${word[i]}`, value, rest)];
    }
    words.push(`--${flag.name}`);
  }
  return words;
}

/**
 * @param typed The flag as the user typed it, for errors.
 * @param inlineValue The value in the same word.
 * @param rest The next argument is taken from here if it is the value.
 */
function withValue(
  flag: Flag,
  typed: string,
  inlineValue: string | undefined,
  rest: string[],
): string {
  const value = inlineValue ?? takeValue(flag, typed, rest);
  if (value === "" && !flag.isValueOptional) throw missingValue(flag, typed);
  return `--${flag.name}=${value}`;
}

function takeValue(flag: Flag, typed: string, rest: string[]): string {
  const next = rest.at(-1);
  if (flag.isValueOptional) {
    if (next === undefined || !canOnlyBeValue(flag.name, next)) return "";
  } else if (next === undefined) {
    throw missingValue(flag, typed);
  } else if (/^-\D/.test(next)) {
    // The value of `-o` was forgotten, as in `-o -m x`. A negative number is a value.
    throw doubtfulValue(flag, typed, next);
  }
  rest.pop();
  return next;
}

function missingValue({ value }: Flag, typed: string): UsageError {
  return new UsageError(`Cannot use ${typed} alone: it needs a value, ${value}`);
}

function doubtfulValue({ name, value, mayBeSecret }: Flag, typed: string, next: string) {
  if (mayBeSecret) {
    return new UsageError(
      `Cannot use ${typed}: it needs a value, ${value}, and what follows begins with a dash. ` +
        `If that is the value, write --${name}=${value}`,
    );
  }
  return new UsageError(
    `Cannot use ${typed} with "${next}": it needs a value, ${value}. ` +
      `If that is the value, write --${name}=${next}`,
  );
}

/**
 * Whether a word after a flag with an optional value is that value and not an input. No file of
 * prompts is called `timeout,429`, `latency=500`, `8123` or `10m`.
 */
function canOnlyBeValue(name: string, text: string): boolean {
  if (name === "wait") return /^\d+(?:\.\d+)?(?:ms|s|m|h)?$/.test(text);
  if (name === "monitor") return /^\d+$/.test(text);
  const isPart = name === "retry"
    ? (part: string) =>
      (FAILURE_TYPES as readonly string[]).includes(part) || /^[1-5]\d\d$/.test(part)
    // The remaining flag is --simulate, whose options have this form.
    : (part: string) => /^[a-z]+=[\d.]+$/.test(part);
  return text.split(",").every(isPart);
}

function rejectedFlag(name: string, word: string, command: Command): UsageError {
  // `parseArgs` passes the whole word. For `-abc`, the message names only the unknown letter.
  const rawName = word.startsWith("--") ? word : `-${name}`;
  if (/^(api[-_]?)?key$|^token$/.test(name)) {
    return new UsageError(
      `Cannot take the key from ${rawName}: arguments can be read by everyone on the machine. ` +
        "Put it into OPENAI_API_KEY, or name a variable (--api-key-env) or a file (--api-key-file)",
    );
  }
  const commandFlags = flagsOf(command);
  if (commandFlags.some((flag) => flag.isOnByDefault && flag.name === name)) {
    return new UsageError(`Cannot use ${rawName}: it is the default; --no-${name} turns it off`);
  }
  const misplacedFlag = FLAGS.find((flag) =>
    typedName(flag) === name || `-${flag.short}` === rawName
  );
  const names = commandFlags.map(typedName);
  const habit = habitAdvice(name, new Set(names));
  if (misplacedFlag !== undefined) {
    const commands = misplacedFlag.commands.join(", ");
    return new UsageError(
      `Cannot use ${rawName} with "${command}": it belongs to ${commands}` +
        (habit === undefined ? "" : `. ${habit}`),
    );
  }
  const similar = similarName(name, names) ?? similarName(name.replace(/^no-/, ""), names);
  const advice = habit ??
    (similar === undefined ? "See --help-all for every flag" : `Did you mean --${similar}?`);
  return new UsageError(`Cannot use ${rawName}: there is no such flag. ${advice}`);
}
