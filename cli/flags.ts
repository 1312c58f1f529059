/**
 * All flags; those of runs are in `run_flags.ts`. Parsing, `--help`, `--config` and suggestions for
 * mistyped flags use this table.
 *
 * @module
 */

import { type Command, COMMANDS } from "./commands.ts";
import {
  ANSWERS,
  BUDGETS,
  MONITOR,
  PARAMETERS,
  RESUME,
  ROWS,
  SPEED,
  SUBMIT,
  TEACHER,
} from "./run_flags.ts";

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** Placeholder in the help; a flag without one is a switch. */
  readonly value?: string;
  readonly isValueOptional?: boolean;
  readonly isRepeatable?: boolean;
  /** A switch that is on unless turned off with `--no-…`. */
  readonly isOnByDefault?: boolean;
  /** Whether the value may contain a secret, or be one that was typed instead of a name. */
  readonly mayBeSecret?: boolean;
  /** What the flag does; for a switch that is on by default, what `--no-…` does. */
  readonly help: string;
  readonly helpFor?: Partial<Record<Command, string>>;
  readonly commands: readonly Command[];
  /** Whether the help without `--help-all` shows the flag. */
  readonly isCommon?: boolean;
  readonly group: string;
}

/** The key in `GROUPS` is the group. Without `commands`, those of `GROUP_DEFAULTS` apply. */
export type FlagEntry = Omit<Flag, "group" | "commands"> & Partial<Pick<Flag, "commands">>;

const ROW_COMMANDS = ["run", "retry", "verify", "export", "convert"] as const;
const DATASET_COMMANDS = ["export", "convert"] as const;

const INPUT_AND_OUTPUT: readonly FlagEntry[] = [
  {
    name: "output",
    short: "o",
    value: "PATH",
    help: "folder (out/) or results file (x.jsonl)",
    helpFor: {
      export: "file to write, or folder (--format dataset)",
      convert: "file to write, or folder (--format dataset)",
      merge: "results file to write, as in all.jsonl",
      submit: "folder (out/) or results path of the shards",
    },
    commands: [...ROW_COMMANDS, "merge", "submit"],
    isCommon: true,
  },
  {
    name: "config",
    value: "FILE",
    help: "YAML file of these settings; flags take precedence",
    isCommon: true,
  },
  {
    name: "limit",
    value: "N",
    help: "only the first N rows of each input",
    commands: ["run", "retry", "verify", "merge"],
    isCommon: true,
  },
  {
    name: "shard",
    value: "I/N|auto",
    help: "only part I (from 0) of N, with its own output",
    commands: ["run", "retry", "verify"],
  },
  { name: "dry-run", help: "check the input and show the first request; no call", isCommon: true },
  {
    name: "skip-bad-rows",
    help: "move bad rows to the failures file, run the rest",
    isCommon: true,
  },
  { name: "final-messages", help: "add the whole conversation to each results line" },
  { name: "keep", value: "A,B", help: "keep more of the raw answer: logprobs, …" },
  {
    name: "think",
    value: "STYLE",
    help: "reasoning in messages: wrap (default), field, drop",
    commands: ["run", "retry", "export", "convert"],
  },
  {
    name: "reasoning-field",
    value: "NAME",
    help: "with --think field: its name (gpt-oss: thinking)",
    commands: DATASET_COMMANDS,
  },
  {
    name: "think-tags",
    value: "OPEN,CLOSE",
    help: "tags around reasoning, besides <think> and others",
  },
  {
    name: "format",
    value: "NAME",
    help: "format of the rows: messages, alpaca, …",
    commands: DATASET_COMMANDS,
    isCommon: true,
  },
  {
    name: "where",
    value: "CONDITION",
    help: "only these rows: 'completion_tokens < 4000'",
    commands: [...DATASET_COMMANDS, "stats"],
    isCommon: true,
  },
  { name: "columns", value: "A,B", help: "only these columns", commands: DATASET_COMMANDS },
  {
    name: "dedupe",
    help: "skip rows whose prompt and answer occurred before",
    commands: DATASET_COMMANDS,
  },
  {
    name: "shuffle",
    value: "SEED",
    help: "shuffle rows; the same seed gives the same order",
    commands: DATASET_COMMANDS,
  },
  { name: "max-rows", value: "N", help: "write N rows at most", commands: DATASET_COMMANDS },
  {
    name: "validation",
    value: "SHARE",
    help: "write this share (1%) to x.validation.jsonl instead",
    commands: DATASET_COMMANDS,
    isCommon: true,
  },
  {
    name: "prefer",
    value: "HOW",
    help: "preference: shortest, longest or a numeric field",
    commands: ["export"],
  },
  {
    name: "tool-arguments",
    value: "HOW",
    help: "arguments of tool calls: object (default) or string",
    commands: DATASET_COMMANDS,
  },
  {
    name: "replace",
    help: "replace an output file that is not empty",
    commands: [...DATASET_COMMANDS, "merge"],
    isCommon: true,
  },
  {
    name: "partial",
    help: "merge incomplete runs too; a run can continue FILE",
    commands: ["merge"],
    isCommon: true,
  },
  {
    name: "tidy",
    help: "move merged shards to .retort/shards/",
    commands: ["merge"],
    isCommon: true,
  },
  {
    name: "proof",
    isOnByDefault: true,
    help: "join lines without reading the input",
    commands: ["merge"],
  },
  {
    name: "shards",
    value: "N",
    help: "number of shards",
    helpFor: { merge: "number of shards, if OUT was divided several times" },
    commands: ["submit", "merge"],
    isCommon: true,
  },
  { name: "allow-empty", help: "exit 0 if there are no rows (default: 2)", commands: ROW_COMMANDS },
  { name: "fsync", value: "WHEN", help: "always (default), or never for disposable runs" },
  { name: "lock", isOnByDefault: true, help: "run on a filesystem that has no locks" },
];

const PROGRESS: readonly FlagEntry[] = [
  {
    name: "progress",
    value: "HOW",
    help: "auto (default), bar, plain, json or none",
    isCommon: true,
  },
  { name: "verbose", short: "v", help: "also show lag, CPU and memory of the process" },
  { name: "update-interval", value: "N", help: "rows between two snapshots" },
  { name: "json", help: "print JSON", commands: ["stats"], isCommon: true },
  {
    name: "compare",
    help: "compare two runs by the ids of their rows",
    commands: ["stats"],
    isCommon: true,
  },
  {
    name: "quiet",
    short: "q",
    help: "print problems only: no progress, no summary",
    commands: [...ROW_COMMANDS, "merge"],
  },
];

const SERVER: readonly FlagEntry[] = [
  {
    name: "port",
    value: "N",
    help: "the port to listen on (simulate: 8000, others: any)",
    commands: ["simulate", "view", "monitor"],
    isCommon: true,
  },
];

const HELP: readonly FlagEntry[] = [
  { name: "help", short: "h", help: "this help; --help-all shows every flag", isCommon: true },
  { name: "help-all", help: "every flag" },
  { name: "version", short: "V", help: "the version", isCommon: true },
];

const GROUPS: Readonly<Record<string, readonly FlagEntry[]>> = {
  "Input and output": INPUT_AND_OUTPUT,
  Teacher: TEACHER,
  Parameters: PARAMETERS,
  Rows: ROWS,
  Speed: SPEED,
  Answers: ANSWERS,
  Budgets: BUDGETS,
  Resume: RESUME,
  Progress: PROGRESS,
  Submit: SUBMIT,
  Server: SERVER,
  Monitor: MONITOR,
  Help: HELP,
};

/** Defaults of the flags of some groups. All others are for `run` and `retry`. */
const GROUP_DEFAULTS: Readonly<Record<string, Partial<Flag>>> = {
  Rows: { commands: ROW_COMMANDS },
  Submit: { commands: ["submit"], isCommon: true },
  Help: { commands: COMMANDS },
};

export const FLAGS: readonly Flag[] = Object.entries(GROUPS).flatMap(([group, entries]) =>
  entries.map((entry) => ({
    commands: ["run", "retry"],
    ...GROUP_DEFAULTS[group],
    ...entry,
    group,
  }))
);

/**
 * Flags of a run that a job sets itself, that make no sense for a shard, or that a restarted shard
 * must not apply again.
 */
const NOT_SUBMITTED: ReadonlySet<string> = new Set([
  "shard",
  "dry-run",
  "resume",
  "overwrite",
  "grace",
  "monitor",
  "monitor-host",
  "monitor-keep",
  "open",
  "report",
  "progress",
  "quiet",
  "allow-failures",
]);

export function flagsOf(command: Command): Flag[] {
  return FLAGS.flatMap((flag) => {
    if (flag.commands.includes(command)) return [flag];
    const isSubmitted = flag.commands.includes("run") && !NOT_SUBMITTED.has(flag.name);
    return command === "submit" && isSubmitted ? [{ ...flag, isCommon: false }] : [];
  });
}

/** The name as users type it after `--`. */
export function typedName({ name, isOnByDefault }: Flag): string {
  return isOnByDefault ? `no-${name}` : name;
}
