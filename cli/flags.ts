/**
 * Every flag, once: what parsing, `--help`, `--config` and the hint for a mistyped one go by.
 *
 * @module
 */

/** What a person can ask for. */
export const COMMANDS = ["run", "retry", "verify", "export", "simulate"] as const;

/** A command. */
export type Command = typeof COMMANDS[number];

/** One flag. */
export interface Flag {
  /** Its long name, without the dashes. */
  readonly name: string;
  /** Its one-letter name. */
  readonly short?: string;
  /** What its value is called in the help; without one it is a switch. */
  readonly value?: string;
  /** Whether the value may be left out. */
  readonly isValueOptional?: boolean;
  /** Whether it may be given more than once. */
  readonly isMultiple?: boolean;
  /** A switch that is on unless `--no-…` is given. */
  readonly isNegated?: boolean;
  /** What it does, in the help. */
  readonly help: string;
  /** Which commands know it. */
  readonly commands: readonly Command[];
  /** Whether the one-screen help shows it. */
  readonly isCommon?: boolean;
  /** The heading under which the whole help shows it. */
  readonly group: string;
}

const RUN = ["run", "retry"] as const;
const ROWS = ["run", "retry", "verify", "export"] as const;

/** All flags, in the order of the help. */
export const FLAGS: readonly Flag[] = [
  {
    name: "output",
    short: "o",
    value: "PATH",
    help: "folder (out/) or results file (x.jsonl)",
    commands: ["run", "retry", "verify", "export"],
    isCommon: true,
    group: "Input and output",
  },
  {
    name: "config",
    value: "FILE",
    help: "YAML with these names; flags win",
    commands: RUN,
    isCommon: true,
    group: "Input and output",
  },
  {
    name: "limit",
    value: "N",
    help: "only the first N rows of each input",
    commands: ["run", "retry", "verify"],
    isCommon: true,
    group: "Input and output",
  },
  {
    name: "dry-run",
    help: "check the input and show the first request; no call",
    commands: RUN,
    isCommon: true,
    group: "Input and output",
  },
  {
    name: "skip-bad-rows",
    help: "write bad rows to the failures file and do the rest",
    commands: RUN,
    isCommon: true,
    group: "Input and output",
  },
  {
    name: "final-messages",
    help: "add the whole conversation to each results line",
    commands: RUN,
    group: "Input and output",
  },
  {
    name: "keep",
    value: "A,B",
    help: "keep more of the raw answer: logprobs, …",
    commands: RUN,
    group: "Input and output",
  },
  {
    name: "think",
    value: "STYLE",
    help: "reasoning in messages: wrap (default), field or drop",
    commands: ["run", "retry", "export"],
    group: "Input and output",
  },
  {
    name: "format",
    value: "NAME",
    help: "messages, prompt-completion, sharegpt or alpaca",
    commands: ["export"],
    isCommon: true,
    group: "Input and output",
  },
  {
    name: "fsync",
    value: "WHEN",
    help: "always (default), or never for throw-away runs",
    commands: RUN,
    group: "Input and output",
  },
  {
    name: "lock",
    isNegated: true,
    help: "work where the filesystem has no locks",
    commands: RUN,
    group: "Input and output",
  },
  {
    name: "model",
    short: "m",
    value: "NAME",
    help: "the model to ask",
    commands: RUN,
    isCommon: true,
    group: "Teacher",
  },
  {
    name: "base-url",
    value: "URL",
    help: "its address, up to /v1 (or OPENAI_BASE_URL)",
    commands: RUN,
    isCommon: true,
    group: "Teacher",
  },
  {
    name: "api-key-env",
    value: "NAME",
    help: "the variable that holds the key (OPENAI_API_KEY)",
    commands: RUN,
    isCommon: true,
    group: "Teacher",
  },
  {
    name: "api-key-file",
    value: "PATH",
    help: "the file that holds the key",
    commands: RUN,
    group: "Teacher",
  },
  {
    name: "stream",
    help: "have the answer streamed",
    commands: RUN,
    group: "Teacher",
  },
  {
    name: "timeout",
    value: "TIME",
    help: "longest attempt: 3600, 90s, 20m (default 1h)",
    commands: RUN,
    group: "Teacher",
  },
  {
    name: "stream-timeout",
    value: "TIME",
    help: "longest silence between two tokens (default 2m)",
    commands: RUN,
    group: "Teacher",
  },
  {
    name: "simulate",
    value: "SPEC",
    isValueOptional: true,
    help: "ask a simulated teacher: latency=500,errors=0.01",
    commands: RUN,
    isCommon: true,
    group: "Teacher",
  },
  {
    name: "param",
    short: "p",
    value: "NAME=VALUE",
    isMultiple: true,
    help: "a sampling parameter, sent as written",
    commands: RUN,
    isCommon: true,
    group: "Parameters",
  },
  {
    name: "params",
    value: "JSON|@FILE",
    help: "many parameters at once",
    commands: RUN,
    group: "Parameters",
  },
  {
    name: "temperature",
    value: "X",
    help: "short for -p temperature=X",
    commands: RUN,
    group: "Parameters",
  },
  {
    name: "max-tokens",
    value: "N",
    help: "short for -p max_tokens=N",
    commands: RUN,
    group: "Parameters",
  },
  {
    name: "system",
    value: "TEXT|@FILE",
    help: "a system message where a row has none",
    commands: ROWS,
    isCommon: true,
    group: "Rows",
  },
  {
    name: "template",
    value: "TEXT|@FILE",
    help: 'one user message: "Solve: {{question}}"',
    commands: ROWS,
    isCommon: true,
    group: "Rows",
  },
  {
    name: "prompt-field",
    value: "NAME",
    help: "the field that holds the prompt",
    commands: ROWS,
    group: "Rows",
  },
  {
    name: "uid-field",
    value: "A,B",
    help: "fields that name a row, after uid, custom_id, id",
    commands: ROWS,
    group: "Rows",
  },
  {
    name: "duplicates",
    value: "HOW",
    help: "identical rows: merge (default) or keep",
    commands: ROWS,
    group: "Rows",
  },
  {
    name: "changed",
    value: "HOW",
    help: "rows edited since they were settled: reask or keep",
    commands: RUN,
    group: "Rows",
  },
  {
    name: "mixed-shapes",
    help: "send rows of several shapes in one run",
    commands: RUN,
    group: "Rows",
  },
  {
    name: "concurrency",
    short: "c",
    value: "N",
    help: "rows asked at once (default 20)",
    commands: RUN,
    isCommon: true,
    group: "Pace",
  },
  {
    name: "max-attempts",
    value: "N",
    help: "attempts a row gets (default 5)",
    commands: RUN,
    group: "Pace",
  },
  {
    name: "on-truncated",
    value: "HOW",
    help: "truncated answers: error (default) or keep",
    commands: RUN,
    group: "Pace",
  },
  {
    name: "grace",
    value: "TIME",
    help: "longest wait for calls after SIGTERM (default 20s)",
    commands: RUN,
    group: "Pace",
  },
  {
    name: "retry",
    value: "TYPE,…",
    isValueOptional: true,
    help: "ask failed rows again: all, or timeout, 429, …",
    commands: ["run", "retry"],
    isCommon: true,
    group: "Resume",
  },
  {
    name: "resume",
    isNegated: true,
    help: "start over (needs --overwrite where answers are)",
    commands: ["run"],
    group: "Resume",
  },
  {
    name: "overwrite",
    help: "with --no-resume: throw the old answers away",
    commands: ["run"],
    group: "Resume",
  },
  {
    name: "allow-mixed",
    help: "add to answers of another model or parameters",
    commands: RUN,
    group: "Resume",
  },
  {
    name: "allow-failures",
    value: "N|N%",
    help: "exit 0 with so many failed rows",
    commands: RUN,
    group: "Resume",
  },
  {
    name: "progress",
    value: "HOW",
    help: "auto (default), bar, plain, json or none",
    commands: RUN,
    isCommon: true,
    group: "Progress",
  },
  {
    name: "update-interval",
    value: "N",
    help: "rows between two snapshots",
    commands: RUN,
    group: "Progress",
  },
  {
    name: "port",
    value: "N",
    help: "the port to listen on (default 8000)",
    commands: ["simulate"],
    isCommon: true,
    group: "Teacher",
  },
  {
    name: "help",
    short: "h",
    help: "this help; --help-all shows every flag",
    commands: COMMANDS,
    isCommon: true,
    group: "Help",
  },
  { name: "help-all", help: "every flag", commands: COMMANDS, group: "Help" },
  {
    name: "version",
    short: "V",
    help: "the version",
    commands: COMMANDS,
    isCommon: true,
    group: "Help",
  },
];

/** The flags that a command knows. */
export function flagsOf(command: Command): Flag[] {
  return FLAGS.filter((flag) => flag.commands.includes(command));
}
