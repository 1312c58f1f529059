/**
 * All flags. Parsing, `--help`, `--config` and suggestions for mistyped flags use this table. The
 * flags of a run and of its rows are in `flags/`.
 *
 * @module
 */

import { type Command, COMMANDS } from "./commands.ts";
import { INPUT_AND_OUTPUT, ROW_COMMANDS, ROWS } from "./flags/files.ts";
import { ANSWERS, BUDGETS, PARAMETERS, RESUME, SPEED, TEACHER } from "./flags/run.ts";

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

const MONITOR: readonly FlagEntry[] = [
  {
    name: "monitor",
    value: "PORT",
    isValueOptional: true,
    help: "watch and control the run in a browser (any port)",
    isCommon: true,
  },
  {
    name: "monitor-host",
    value: "HOST",
    help: "address the page listens on (default 127.0.0.1)",
    commands: ["run", "retry", "view", "monitor"],
  },
  {
    name: "monitor-keep",
    value: "TIME",
    help: "keep page: TIME, forever, 0 (default: while open)",
  },
  {
    name: "open",
    help: "open the page of --monitor in the default browser",
    helpFor: {
      view: "open the page in the default browser",
      monitor: "open the page in the default browser",
    },
    commands: ["run", "retry", "view", "monitor"],
  },
  {
    name: "report",
    value: "FILE.html",
    help: "report file (default: in .retort/ next to results)",
  },
  { name: "no-report", help: "write no report" },
];

const HELP: readonly FlagEntry[] = [
  { name: "help", short: "h", help: "this help; --help-all shows every flag", isCommon: true },
  { name: "help-all", help: "every flag" },
  { name: "version", short: "V", help: "the version", isCommon: true },
];

const SUBMIT: readonly FlagEntry[] = [
  { name: "parallel", value: "M", help: "shards that run at once (default: all)" },
  { name: "merge", value: "FILE", help: "the merged results (OUT/merged/NAME.jsonl)" },
  { name: "lead", value: "TIME", help: "notice before a shard is killed (default 2m)" },
  { name: "memory", value: "SIZE", help: "memory of a shard, as in 2G" },
  { name: "time", value: "TIME", help: "Slurm: time limit of a shard: 12h or 1-12:00:00" },
  { name: "partition", value: "NAME", help: "Slurm: the partition" },
  { name: "account", value: "NAME", help: "Slurm: the account" },
  {
    name: "before",
    value: "LINE",
    isRepeatable: true,
    help: "Slurm: setup line, as in 'module load x'",
  },
  { name: "program", value: "WORDS", help: "Slurm: command that starts Retort on a node" },
  { name: "image", value: "NAME", help: "Kubernetes: container image" },
  { name: "volume", value: "CLAIM:DIR", help: "Kubernetes: claim of a shared volume" },
  { name: "secret", value: "NAME[/KEY]", help: "Kubernetes: secret that holds the key" },
  { name: "namespace", value: "NAME", help: "Kubernetes: namespace" },
  { name: "send", help: "submit the job right away, as deno task submit does" },
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
