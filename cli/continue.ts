/** The commands that continue a run, retry its failures or export its results. @module */

import type { Summary } from "../lib/progress/mod.ts";
import { holdsSecret } from "../lib/teacher/mod.ts";
import { isCommand } from "./commands.ts";
import { type Flag, flagsOf } from "./flags.ts";
import { shownHeader } from "./connection.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { shellWord } from "../lib/printable.ts";

/**
 * Flags (`--no-resume --overwrite`, `--reask-answered`) that would pay for the answers of this run
 * again if they were repeated.
 */
const REPAYING_FLAGS = ["resume", "overwrite", "reask-answered"];

/**
 * A simulated teacher ignores these flags. Their values are unchecked: one may be the key itself.
 */
const UNREAD_BY_SIMULATION = ["api-key-env", "api-key-file", "header"];

/**
 * Flags whose values may hold a secret, and how to show them. `index` counts the values of a flag.
 */
const SHOWN_VALUES: Partial<
  Record<string, (value: string, index: number, io: Pick<Io, "env">) => string>
> = { "base-url": shownAddress, header: shownHeader };

/**
 * Continues an interrupted or halted run or retry, sends pending rows, or retries failed ones.
 * Returns undefined if nothing is left to do.
 */
export function nextCommand(
  args: ParsedArgs,
  summary: Summary,
  program: string,
  env: Io["env"] = () => undefined,
): string | undefined {
  const commandLine = (command: string[], dropped: readonly string[]) =>
    commandLineOf(args, { program, env }, command, dropped);
  const isUnfinished = summary.state !== "done";
  const isRetry = args.command === "retry" || args.flags.has("retry");
  // The old answers are deleted or set aside just before the first row is sent. From then on, these
  // flags would apply to the answers of this run.
  const dropped = summary.elapsed_ms > 0 ? [...REPAYING_FLAGS] : [];
  if (args.flags.has("simulate")) dropped.push(...UNREAD_BY_SIMULATION);
  if (isUnfinished && isRetry) {
    // What is left of a retry is among the failed rows of the requested types. Rows that were never
    // sent wait until it is complete: a retry may have other parameters, which must not be used for
    // them.
    return commandLine(args.command === "retry" ? ["retry"] : [], dropped);
  }
  dropped.push("retry");
  if (isUnfinished || summary.pending > 0) return commandLine([], dropped);
  if (summary.failures_on_disk > 0) return commandLine(["retry"], dropped);
  return undefined;
}

/** Returns the command line of this run, without secrets. */
export function sameCommand(args: ParsedArgs, io: Pick<Io, "program" | "env">): string {
  const unread = args.flags.has("simulate") ? UNREAD_BY_SIMULATION : [];
  return commandLineOf(args, io, args.command === "retry" ? ["retry"] : [], unread);
}

export function exportCommand(
  { files }: Pick<Summary, "files">,
  program: string,
): string | undefined {
  const results = files.filter(({ succeeded }) => succeeded > 0).map((file) => file.results);
  if (results.length === 0) return undefined;
  const words = [program, "export", ...results.map(inputWord), "-o", "train.jsonl"];
  return [...words, "--format", "messages"].join(" ");
}

function commandLineOf(
  args: ParsedArgs,
  io: Pick<Io, "program" | "env">,
  command: string[],
  dropped: readonly string[],
): string {
  const words = [io.program, ...command, ...args.inputs.map(inputWord)];
  const commandFlags = flagsOf(command.length > 0 ? "retry" : "run");
  for (const [name, value] of args.flags) {
    const flag = commandFlags.find((flag) => flag.name === name);
    // A retry that was started from the page comes with the flags of the run before it.
    if (flag === undefined || dropped.includes(name)) continue;
    const flagWord = flag.isOnByDefault
      ? `--no-${name}`
      : flag.short
      ? `-${flag.short}`
      : `--${name}`;
    if (typeof value === "boolean") words.push(flagWord);
    else if (flag.isValueOptional) {
      words.push(value === "" ? flagWord : shellWord(`${flagWord}=${value}`));
    } else {
      for (const [index, text] of [value].flat().entries()) {
        const shown = SHOWN_VALUES[name]?.(text, index, io) ?? text;
        words.push(...withValue(flag, flagWord, shown));
      }
    }
  }
  return words.join(" ");
}

/** An input that looks like a flag or a command is written as a path. */
function inputWord(input: string): string {
  const isAmbiguous = /^-./.test(input) || isCommand(input);
  return shellWord(isAmbiguous ? `./${input}` : input);
}

/** A value that looks like a flag must be joined to its flag with "=". */
function withValue(flag: Flag, flagWord: string, value: string): string[] {
  return /^-\D/.test(value) ? [shellWord(`--${flag.name}=${value}`)] : [flagWord, shellWord(value)];
}

/**
 * Shows a variable instead of an address that holds a secret: for the first teacher
 * `OPENAI_BASE_URL`, unless that holds another address.
 */
function shownAddress(url: string, index: number, { env }: Pick<Io, "env">): string {
  if (!holdsSecret(url)) return url;
  const isFree = index === 0 && [undefined, "", url].includes(env("OPENAI_BASE_URL"));
  return `@env:${isFree ? "OPENAI_BASE_URL" : `TEACHER_URL_${index + 1}`}`;
}
