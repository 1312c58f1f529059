/** Texts of `--help`. @module */

import { VERSION } from "../lib/version.ts";
import {
  type Command,
  type CommandEntry,
  COMMANDS,
  entryOf,
  type HelpSection,
} from "./commands.ts";
import { type Flag, flagsOf } from "./flags.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
// Help and version use this name, however the program was started.
import { PROGRAM_NAME as NAME } from "../lib/printable.ts";
import { helpTopic } from "./words.ts";

/**
 * Width of the left column in lists of flags, in characters. Longer flags have a line of their own.
 */
const FLAG_WIDTH = 28;

/** Width of the left column in the list of commands; the minimum in the sections of a command. */
const NAME_WIDTH = 15;

/** Above this number of flags, help without `--help-all` shows only the common ones. */
const MAX_FLAGS = 20;

export function helpCommand({ inputs }: ParsedArgs, io: Io): number {
  const topic = helpTopic(inputs);
  io.writeOut(topic === undefined ? mainHelp(io.program) : commandHelp(topic, io.program));
  return 0;
}

export function versionCommand(_args: ParsedArgs, io: Pick<Io, "writeOut">): number {
  io.writeOut(`${NAME} ${VERSION}\n`);
  return 0;
}

export function mainHelp(program = NAME, showsAll = false): string {
  const commands = COMMANDS.map((name) =>
    twoColumns(`  ${name}`, entryOf(name).summary, NAME_WIDTH)
  );
  const common = flagsOf("run").filter((flag) => flag.isCommon);
  return joinLines([
    "Retort turns files of prompts into distillation datasets with a teacher model.",
    "",
    ...usageLines([...entryOf("run").usage, "COMMAND [flags]"]),
    "",
    "Commands:",
    ...commands,
    "",
    ...showsAll ? allFlags() : ["Flags of a run:", ...common.map((flag) => flagLine(flag)), ""],
    ...exampleLines(entryOf("run")),
    "",
    `Help for a command: ${NAME} COMMAND --help.` +
    (showsAll ? "" : ` Every flag: ${NAME} --help-all.`),
    ...programLines(program),
  ]);
}

function allFlags(): string[] {
  const runFlags = flagsOf("run");
  const shown = new Set(runFlags.map(({ name }) => name));
  const lines = byGroup(runFlags);
  for (const command of COMMANDS) {
    const newFlags = flagsOf(command).filter(({ name }) => !shown.has(name));
    if (newFlags.length === 0) continue;
    lines.push(`Flags of ${command}:`, ...newFlags.map((flag) => flagLine(flag, command)), "");
    for (const { name } of newFlags) shown.add(name);
  }
  return lines;
}

export function commandHelp(command: Command, program = NAME, showsAll = false): string {
  const entry = entryOf(command);
  const flags = flagsOf(command);
  const isLong = flags.length > MAX_FLAGS;
  const shown = showsAll || !isLong ? flags : flags.filter((flag) => flag.isCommon);
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
      ? byGroup(shown, command)
      : ["Flags:", ...shown.map((flag) => flagLine(flag, command)), ""],
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

/**
 * Says how the program was started, if not by its installed name. Usage and examples show that
 * name.
 */
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
  const shortName = flag.short === undefined ? "   " : `-${flag.short},`;
  const name = flag.isOnByDefault ? `no-${flag.name}` : flag.name;
  const value = flag.value === undefined
    ? ""
    : flag.isValueOptional
    ? `[=${flag.value}]`
    : ` ${flag.value}`;
  return twoColumns(`  ${shortName} --${name}${value}`, flag.helpFor?.[command] ?? flag.help);
}

function twoColumns(left: string, right: string, width = FLAG_WIDTH): string {
  const gap = left.length > width ? `\n${" ".repeat(width)}` : "";
  return `${left.padEnd(width)}${gap} ${right}`;
}

function joinLines(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
