/**
 * The commands: purpose, usage, and the module that implements each. To add a command, add an entry
 * to `TABLE` and a module, and name the command in the `commands` of its flags (`flags.ts`).
 * Import the module only by `import()`, so that `--help` stays quick.
 *
 * @module
 */

import {
  CONVERT_FORMATS,
  EXPORT_FORMATS,
  type ExportFormat,
  FORMAT_SUMMARIES,
} from "../lib/export/mod.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";

export type Runner = (args: ParsedArgs, io: Io) => number | Promise<number>;

/** A list of values in the help of a command. */
export interface HelpSection {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, text: string])[];
}

export interface CommandEntry {
  /** One line for each way to call the command. */
  readonly usage: readonly string[];
  readonly summary: string;
  /** Further help lines, of at most 80 characters. */
  readonly about?: readonly string[];
  readonly sections?: readonly HelpSection[];
  /** Help of flags that mean something else for this command, by the names of the flags. */
  readonly flagHelp?: Readonly<Record<string, string>>;
  /** Example command lines, without the name of the program. */
  readonly examples: readonly string[];
  readonly load: () => Promise<Runner>;
}

const DATASET_OUTPUT = "file to write, or folder (--format dataset)";
const OPEN_PAGE = "open the page in the default browser";
const PAGE_PORT = "port to listen on (default: any free one)";

const TABLE = {
  run: {
    usage: ["[run] INPUT… -o OUT [flags]"],
    summary: "Send every row of INPUT to a teacher (the default command)",
    about: [
      "INPUT is JSON Lines, JSON, CSV, TSV, Parquet or text, a folder, or - for stdin.",
      "The same command again continues the run: answered rows are not sent again.",
    ],
    examples: [
      "prompts.jsonl -o out/ -m gpt-5-mini -c 100",
      "prompts.jsonl -o out/ -m qwen3 --base-url http://127.0.0.1:8000/v1",
      "a.jsonl.gz b.jsonl -o out/ -m qwen3 -p temperature=0.6 --dry-run",
    ],
    load: async () => (await import("./run_command.ts")).runCommand,
  },
  retry: {
    usage: ["retry INPUT… -o OUT [flags]"],
    summary: "Retry the rows that failed",
    about: [
      "Takes the inputs, output and flags of the run. Prompts are read from INPUT as",
      "it is now. --retry=truncated,429 retries failures of these types only.",
    ],
    examples: [
      "retry prompts.jsonl -o out/ -m gpt-5-mini",
      "retry a.jsonl -o out/ -m qwen3 --retry=truncated -p max_tokens=8000",
    ],
    load: async () => (await import("./run_command.ts")).runCommand,
  },
  verify: {
    usage: ["verify INPUT… -o OUT [flags]"],
    summary: "Prove that each row has a result, has failed, or is pending",
    about: [
      "Reads INPUT and the output of its run, makes no call, and changes nothing.",
      "Exit code 0: each row has a result; 3: rows have failed or are pending.",
    ],
    examples: ["verify prompts.jsonl -o out/"],
    load: async () => (await import("./proof_commands.ts")).verifyCommand,
  },
  export: {
    usage: ["export RESULTS… -o FILE --format NAME [flags]"],
    summary: "Write a training set from results, in input order",
    about: [
      "The extension of FILE sets its type: .jsonl, .json, .csv or .parquet; add .gz",
      "or .zst to compress it (not Parquet). --format dataset writes a folder.",
    ],
    sections: [formatsSection(EXPORT_FORMATS)],
    flagHelp: { output: DATASET_OUTPUT },
    examples: [
      "export out/prompts.jsonl -o train.jsonl --format messages",
      "export out/a.jsonl out/b.jsonl -o c.jsonl --format alpaca --shuffle 1",
    ],
    load: async () => (await import("./export_command.ts")).exportCommand,
  },
  convert: {
    usage: ["convert INPUT… -o FILE [--format NAME] [flags]"],
    summary: "Write rows in another file format, or as a training set",
    about: [
      "Reads what a run reads: JSON Lines, JSON, CSV, TSV, Parquet, text, folders.",
      "Without --format rows stay as they are. No teacher is called.",
    ],
    sections: [formatsSection(CONVERT_FORMATS)],
    flagHelp: { output: DATASET_OUTPUT },
    examples: [
      "convert rows.csv -o rows.parquet",
      "convert gsm8k.jsonl -o chat.jsonl --format messages",
    ],
    load: async () => (await import("./export_command.ts")).convertCommand,
  },
  view: {
    usage: ["view PATH… [flags]"],
    summary: "Show answers and failures in a browser",
    about: [
      "PATH is a results or failures file, compressed or not, complete or growing, or a",
      "folder of them. The page filters, searches and flags any number of rows, and",
      "gives the commands to export or retry them. Ctrl-C ends it.",
    ],
    flagHelp: { open: OPEN_PAGE, port: PAGE_PORT },
    examples: ["view out/ --open", "view out/a.jsonl out/b.jsonl --port 8080"],
    load: async () => (await import("./serve_commands.ts")).viewCommand,
  },
  stats: {
    usage: ["stats PATH… [--where CONDITION] [--json]", "stats RUN RUN --compare [--json]"],
    summary: "Count answers, tokens, cost, flags and duplicates",
    about: [
      "PATH is a results or failures file, compressed or not, or a folder of them.",
      "Flags mark suspicious answers: refusals, loops, truncated answers and others.",
      "--compare: on how many rows two runs agree, with the tokens and cost of each.",
    ],
    examples: [
      "stats out/",
      "stats out/prompts.jsonl --where 'flags contains \"refusal\"' --json",
      "stats small/ large/ --compare",
    ],
    load: async () => (await import("./stats_command.ts")).statsCommand,
  },
  merge: {
    usage: ["merge OUT… -o FILE.jsonl [flags]"],
    summary: "Merge the outputs of shards or runs into one, with proof",
    about: [
      "OUT is the -o of the shards or runs. Rows are in input order.",
      "Exit code 3: rows are missing or have failed. If rows are missing, nothing is",
      "written without --partial.",
    ],
    flagHelp: {
      output: "results file to write, as in all.jsonl",
      shards: "number of shards, if OUT was divided several times",
      wait: "wait until the shards are done, at most TIME",
    },
    examples: ["merge out/ -o all/prompts.jsonl", "merge a/ b/ -o all.jsonl --partial"],
    load: async () => (await import("./proof_commands.ts")).mergeCommand,
  },
  submit: {
    usage: ["submit slurm|kubernetes INPUT… -o OUT --shards N [flags]", "submit status|cancel OUT"],
    summary: "Print a job that runs INPUT in shards and merges them",
    about: ["Takes most flags of a run. Pipe the job into sbatch or kubectl, or add --send."],
    flagHelp: { output: "folder (out/) or results path of the shards" },
    examples: [
      "submit slurm in.jsonl -o out/ --shards 64 --time 12h -m qwen3",
      "submit status out/",
    ],
    load: async () => (await import("./submit_command.ts")).submitCommand,
  },
  monitor: {
    usage: ["monitor OUT [flags]"],
    summary: "Show all runs of a folder, on any machines, in a browser",
    about: ["Reads the status files that runs write every 5 s. Ctrl-C ends it, not the runs."],
    flagHelp: { open: OPEN_PAGE, port: PAGE_PORT },
    examples: ["monitor out/", "monitor out/prompts.jsonl --port 8123 --open"],
    load: async () => (await import("./serve_commands.ts")).monitorCommand,
  },
  simulate: {
    usage: ["simulate [--port N] [OPTION=VALUE,…]"],
    summary: "Serve a simulated OpenAI-compatible teacher on this machine",
    about: ["A run needs no server: its --simulate=OPTION=VALUE,… takes the same options."],
    sections: [{
      title: "Options (shares are from 0 to 1)",
      rows: [
        ["latency", "milliseconds until an answer is complete (default 500)"],
        ["jitter", "share of the latency by which it varies (default 0.2)"],
        ["tokens", "mean completion tokens of an answer (default 300)"],
        ["reasoning", "tokens of reasoning before an answer (default 0)"],
        ["errors", "share of requests that get status 500 (default 0)"],
        ["broken", "share of requests that get 200 without an answer (default 0)"],
        ["aborted", "share of requests whose answer breaks off halfway (default 0)"],
        ["refusals", "share of prompts that always get status 400 (default 0)"],
        ["truncated", "share of prompts whose answer is truncated (default 0)"],
        ["rpm", "requests a minute before 429; 0: no limit (default 0)"],
        ["capacity", "requests in flight before 429; 0: no limit (default 0)"],
        ["seed", "whole number that chooses answers and failures (default 1)"],
      ],
    }],
    flagHelp: { port: "port to listen on (default 8000)" },
    examples: ["simulate --port 8000 latency=200,errors=0.05,rpm=600"],
    load: async () => (await import("./serve_commands.ts")).simulateCommand,
  },
  help: {
    usage: ["help [COMMAND]"],
    summary: "Show the help of a command",
    examples: ["help export"],
    load: async () => (await import("./help.ts")).helpCommand,
  },
  version: {
    usage: ["version"],
    summary: "Show the version",
    examples: ["version"],
    load: async () => (await import("./help.ts")).versionCommand,
  },
} satisfies Record<string, CommandEntry>;

function formatsSection(formats: readonly ExportFormat[]): HelpSection {
  return { title: "Formats", rows: formats.map((name) => [name, FORMAT_SUMMARIES[name]]) };
}

export type Command = keyof typeof TABLE;

export const COMMANDS: readonly Command[] = Object.keys(TABLE) as Command[];

export const ENTRIES: Readonly<Record<Command, CommandEntry>> = TABLE;

export function isCommand(word: string | undefined): word is Command {
  return word !== undefined && Object.hasOwn(TABLE, word);
}
