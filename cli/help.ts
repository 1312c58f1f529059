/**
 * Texts of `--help`, and advice on words that are neither a command nor a flag: names from other
 * programs, and mistyped commands, which must not be taken for input files.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
// Help and version use this name, however the program was started.
import { PROGRAM_NAME as NAME } from "../lib/printable.ts";
import { similarName, suggestion } from "../lib/similar_name.ts";
import { VERSION } from "../lib/version.ts";
import {
  type Command,
  type CommandEntry,
  COMMANDS,
  ENTRIES,
  type HelpSection,
  isCommand,
} from "./commands.ts";
import { type Flag, flagsOf } from "./flags.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";

/** Width of the left column in lists of flags, in characters. Longer flags have their own line. */
const FLAG_WIDTH = 28;

/**
 * Width of the left column in the list of commands, and its minimum in the sections of a command.
 */
const NAME_WIDTH = 15;

/**
 * Maximum number of flags in help without `--help-all`. If a command has more, help shows only the
 * common ones.
 */
const MAX_FLAGS = 20;

export function helpCommand({ inputs }: ParsedArgs, io: Io): number {
  const [topic, ...others] = inputs;
  if (topic !== undefined && (!isCommand(topic) || others.length > 0)) {
    const advice = isCommand(topic) ? "" : suggestion(topic, COMMANDS);
    throw new UsageError(
      `Cannot show help for "${inputs.join(" ")}": the commands are ${
        COMMANDS.join(", ")
      }${advice}`,
    );
  }
  io.writeOut(topic === undefined ? mainHelp(io.program) : commandHelp(topic, io.program));
  return 0;
}

export function versionCommand(_args: ParsedArgs, io: Pick<Io, "writeOut">): number {
  io.writeOut(`${NAME} ${VERSION}\n`);
  return 0;
}

export function mainHelp(program = NAME, showsAll = false): string {
  const commands = COMMANDS.map((name) =>
    twoColumns(`  ${name}`, ENTRIES[name].summary, NAME_WIDTH)
  );
  const common = flagsOf("run").filter((flag) => flag.isCommon);
  return joinLines([
    "Retort turns files of prompts into distillation datasets with a teacher model.",
    "",
    ...usageLines([...ENTRIES.run.usage, "COMMAND [flags]"]),
    "",
    "Commands:",
    ...commands,
    "",
    ...showsAll ? allFlags() : ["Flags of a run:", ...common.map((flag) => flagLine(flag)), ""],
    ...exampleLines(ENTRIES.run),
    "",
    `Help for a command: ${NAME} COMMAND --help.` +
    (showsAll ? "" : ` Every flag: ${NAME} --help-all.`),
    ...programLines(program),
  ]);
}

function allFlags(): string[] {
  const runFlags = flagsOf("run");
  const shownNames = new Set(runFlags.map(({ name }) => name));
  const lines = byGroup(runFlags);
  for (const command of COMMANDS) {
    const newFlags = flagsOf(command).filter(({ name }) => !shownNames.has(name));
    if (newFlags.length === 0) continue;
    lines.push(`Flags of ${command}:`, ...newFlags.map((flag) => flagLine(flag, command)), "");
    for (const { name } of newFlags) shownNames.add(name);
  }
  return lines;
}

export function commandHelp(command: Command, program = NAME, showsAll = false): string {
  const entry = ENTRIES[command];
  const flags = flagsOf(command);
  const isLong = flags.length > MAX_FLAGS;
  const shownFlags = showsAll || !isLong ? flags : flags.filter((flag) => flag.isCommon);
  return joinLines([
    `${entry.summary}.`,
    ...entry.about ?? [],
    "",
    ...usageLines(entry.usage),
    "",
    ...(entry.sections ?? []).flatMap(({ title, rows }) => [
      `${title}:`,
      ...rows.map(([name, text]) => twoColumns(`  ${name}`, text, widthOf(rows))),
      "",
    ]),
    ...showsAll
      ? byGroup(shownFlags, command)
      : ["Flags:", ...shownFlags.map((flag) => flagLine(flag, command)), ""],
    ...exampleLines(entry),
    ...programLines(program),
  ]);
}

function widthOf(rows: HelpSection["rows"]): number {
  return Math.max(NAME_WIDTH, ...rows.map(([name]) => name.length + 2));
}

function usageLines(usage: readonly string[]): string[] {
  return usage.map((line, i) => `${i === 0 ? "Usage:" : "      "} ${NAME} ${line}`);
}

function exampleLines({ examples }: CommandEntry): string[] {
  return ["Examples:", ...examples.map((example) => `  ${NAME} ${example}`)];
}

/** Explains the name in usage and examples if the program was not started by this name. */
function programLines(program: string): string[] {
  return program === NAME ? [] : [`"${NAME}" here stands for: ${program}`];
}

function byGroup(flags: readonly Flag[], command: Command = "run"): string[] {
  const groups = Map.groupBy(flags, (flag) => flag.group);
  return [...groups].flatMap((
    [name, members],
  ) => [`${name}:`, ...members.map((flag) => flagLine(flag, command)), ""]);
}

function flagLine(flag: Flag, command: Command = "run"): string {
  const usage = flag.isOnByDefault ? flag.usage.replace("--", "--no-") : flag.usage;
  const indent = flag.short === undefined ? "      " : "  ";
  return twoColumns(indent + usage, ENTRIES[command].flagHelp?.[flag.name] ?? flag.help);
}

function twoColumns(left: string, right: string, width = FLAG_WIDTH): string {
  const gap = left.length > width ? `\n${" ".repeat(width)}` : "";
  return `${left.padEnd(width)}${gap} ${right}`;
}

function joinLines(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["-help", "--help"],
  ["-?", "--help"],
  ["-version", "--version"],
]);

/** Words that users of other programs type, with advice for them. */
type Habits = readonly (readonly [advice: string, words: string])[];

const COMMAND_HABITS: Habits = [
  ["Run the same command again: a run continues by itself", "resume continue"],
  ['Leave the word out, or write "run"', "start generate"],
  ["Leave the word out", "distill retort"],
  ['"verify" checks an output, --dry-run an input', "check validate test"],
  ['Use "simulate"', "mock serve"],
  ['Use "retry"', "redo"],
];

/** Flags of other programs. The advice is the name of Retort's flag. */
const FLAG_HABITS: Habits = [
  ["base-url", "url api-base api-url endpoint host server openai-base-url"],
  [
    "concurrency",
    `batch-size concurrent-requests j jobs max-concurrency max-concurrent-requests max-parallel
    max-procs max-workers num-threads num-workers P parallel threads workers`,
  ],
  ["max-attempts", "max-retries num-retries retries"],
  ["max-cost", "budget max-budget"],
  ["max-tokens", "max-new-tokens max-output-tokens"],
  ["model", "model-id model-name"],
  ["output", "out output-dir output-file output-folder output-path"],
  ["progress", "no-progress progress-bar"],
  ["prompt-field", "column input-column prompt-column text-column"],
  ["quiet", "log-level silent"],
  ["rpm", "max-requests-per-minute rate-limit requests-per-minute"],
  ["samples", "best-of n num-generations num-return-sequences num-samples"],
  ["system", "system-message system-prompt"],
  ["template", "prompt prompt-template"],
  ["tpm", "max-tokens-per-minute tokens-per-minute"],
];

/** Parameters of the request that other programs have a flag for. */
const PARAM_HABITS = `enable-thinking frequency-penalty logprobs max-completion-tokens min-p
  presence-penalty reasoning-effort repetition-penalty response-format seed service-tier stop
  top-k top-logprobs top-p`.split(/\s+/);

const OTHER_HABITS: Habits = [
  ["Answers on disk are never paid for twice; no cache is needed", "cache"],
  ["Did you mean --overwrite (with --no-resume), or --replace of export?", "force"],
  ["Inputs are named without a flag", "data dataset f file input input-file"],
  ["No command asks for confirmation", "y yes"],
  ["Set HTTPS_PROXY or HTTP_PROXY", "proxy"],
];

function adviceIn(habits: Habits, word: string): string | undefined {
  return habits.find(([, words]) => words.split(/\s+/).includes(word))?.[0];
}

/** Returns advice for a flag that users know from other programs; undefined for other words. */
export function habitAdvice(name: string, flags: ReadonlySet<string>): string | undefined {
  const habit = name.replaceAll("_", "-");
  if (flags.has("param") && PARAM_HABITS.includes(habit)) {
    return `Parameters of the request follow -p: -p ${habit.replaceAll("-", "_")}=VALUE`;
  }
  const flag = adviceIn(FLAG_HABITS, habit);
  if (flag !== undefined && flags.has(flag)) return `Did you mean --${flag}?`;
  return adviceIn(OTHER_HABITS, habit);
}

/** Replaces other ways to ask for help and version: `-help`, `-v` alone, `export help`. */
export function withoutAliases(args: readonly string[]): string[] {
  // With other arguments, `-v` is `--verbose`.
  if (args.length === 1 && args[0] === "-v") return ["--version"];
  if (args.length === 2 && isCommand(args[0]) && args[1] === "help") return [args[0], "--help"];
  const end = args.indexOf("--");
  return args.map((arg, i) => end === -1 || i < end ? ALIASES.get(arg) ?? arg : arg);
}

/** Throws for a mistyped command or a command of another program, unless it is a file. */
export function refuseMistypedCommand(args: readonly string[]): void {
  const [word] = args;
  // A word that has a dot, a slash or a digit, for example, is a path.
  if (word === undefined || !/^[a-z]{3,}$/i.test(word)) return;
  if (isCommand(word) || exists(word)) return;
  const similar = similarName(word, COMMANDS);
  const advice = similar === undefined
    ? adviceIn(COMMAND_HABITS, word)
    : `Did you mean "${similar}"?`;
  if (advice === undefined) return;
  throw new UsageError(`Cannot run "${word}": it is neither a command nor a file. ${advice}`);
}

export function refuseLateCommand(inputs: readonly string[]): void {
  const command = inputs.find((input) => isCommand(input) && !exists(input));
  if (command === undefined) return;
  throw new UsageError(
    `Cannot read "${command}": no such file. The command "${command}" must be the first word`,
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
