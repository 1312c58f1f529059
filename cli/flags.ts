/**
 * All flags. Parsing, `--help`, `--config` and suggestions for mistyped flags use this list.
 *
 * @module
 */

import { type Command, COMMANDS } from "./commands.ts";

export interface Flag extends FlagTraits {
  readonly name: string;
  readonly short: string | undefined;
  /** Placeholder of the value in the help; undefined for a switch. */
  readonly value: string | undefined;
  readonly isValueOptional: boolean;
  /** The flag with its placeholder: `-o, --output PATH`. */
  readonly usage: string;
  readonly help: string;
  readonly group: string;
}

export interface FlagTraits {
  readonly commands: readonly Command[];
  readonly isRepeatable?: boolean;
  /** Whether the switch is on unless it is turned off with `--no-…`. */
  readonly isOnByDefault?: boolean;
  /** Whether the value may contain a secret, or be one that was typed instead of a name. */
  readonly mayBeSecret?: boolean;
  /** Whether help shows the flag even if it has too many flags to show all of them. */
  readonly isCommon?: boolean;
}

/**
 * `usage` is `--dry-run`, `-o, --output PATH` or, for an optional value, `--wait[=TIME]`. `help`
 * says what the flag does or, if it is on by default, what `--no-…` does.
 */
type FlagEntry = readonly [usage: string, help: string, ...traits: Partial<FlagTraits>[]];

const ROWS = ["run", "retry", "verify", "export", "convert"] as const;
const INPUTS = ["run", "retry", "verify"] as const;
const DATASETS = ["export", "convert"] as const;
const PAGES = ["run", "retry", "view", "monitor"] as const;

const ON_BY_DEFAULT = { isOnByDefault: true };
const REPEATABLE = { isRepeatable: true };
const SECRET = { mayBeSecret: true };
const COMMON = { isCommon: true };
const DATASET = { commands: DATASETS };

function only(...commands: Command[]): Partial<FlagTraits> {
  return { commands };
}

/** Default traits of the flags of a group. In other groups, flags are for `run` and `retry`. */
const GROUP_TRAITS: Readonly<Record<string, Partial<FlagTraits>>> = {
  Rows: { commands: ROWS },
  Submit: { ...only("submit"), ...COMMON },
  Help: { commands: COMMANDS },
};

const GROUPS: Readonly<Record<string, readonly FlagEntry[]>> = {
  "Input and output": [
    [
      "-o, --output PATH",
      "folder (out/) or results file (x.jsonl)",
      only(...ROWS, "merge", "submit"),
      COMMON,
    ],
    ["--config FILE", "YAML file of these settings; flags take precedence", COMMON],
    ["--limit N", "only the first N rows of each input", only(...INPUTS, "merge"), COMMON],
    ["--shard I/N|auto", "only part I (from 0) of N, with its own output", only(...INPUTS)],
    ["--dry-run", "check the input and show the first request; no call", COMMON],
    ["--skip-bad-rows", "move bad rows to the failures file, run the rest", COMMON],
    ["--final-messages", "add the whole conversation to each results line"],
    ["--keep A,B", "keep more of the raw answer: logprobs, …"],
    [
      "--think STYLE",
      "reasoning in messages: wrap (default), field, drop",
      only("run", "retry", ...DATASETS),
    ],
    ["--reasoning-field NAME", "with --think field: its name (gpt-oss: thinking)", DATASET],
    ["--think-tags OPEN,CLOSE", "tags around reasoning, besides <think> and others"],
    ["--format NAME", "format of the rows: messages, alpaca, …", DATASET, COMMON],
    [
      "--where CONDITION",
      "only these rows: 'completion_tokens < 4000'",
      only(...DATASETS, "stats"),
      COMMON,
    ],
    ["--columns A,B", "only these columns", DATASET],
    ["--dedupe", "skip rows whose prompt and answer occurred before", DATASET],
    ["--shuffle SEED", "shuffle rows; the same seed gives the same order", DATASET, COMMON],
    ["--max-rows N", "write N rows at most", DATASET],
    ["--validation SHARE", "put this share, as in 1%, into x.validation.jsonl", DATASET, COMMON],
    ["--prefer HOW", "preference: shortest, longest or a numeric field", only("export"), COMMON],
    ["--tool-arguments HOW", "arguments of tool calls: object (default) or string", DATASET],
    ["--replace", "replace an output file that is not empty", only(...DATASETS, "merge"), COMMON],
    ["--partial", "merge incomplete runs too; a run can continue FILE", only("merge"), COMMON],
    ["--tidy", "move merged shards to .retort/shards/", only("merge"), COMMON],
    ["--proof", "join lines without reading the input", ON_BY_DEFAULT, only("merge")],
    ["--shards N", "number of shards", only("submit", "merge"), COMMON],
    ["--allow-empty", "exit 0 if there are no rows (default: 2)", only(...ROWS)],
    ["--fsync WHEN", "always (default), or never for disposable runs"],
    ["--lock", "run on a filesystem that has no locks", ON_BY_DEFAULT],
  ],
  Teacher: [
    ["-m, --model NAME", "model name", COMMON],
    [
      "--base-url URL",
      "address, up to /v1; several: @FILE or dns+http://…",
      REPEATABLE,
      SECRET,
      COMMON,
    ],
    ["--api-key-env NAME", "variable that holds the key (OPENAI_API_KEY)", SECRET, COMMON],
    ["--api-key-file PATH", "file that holds the key", SECRET],
    ["--endpoint NAME", "chat (default), completions or responses", only(...INPUTS)],
    [
      "--header NAME=VALUE",
      "HTTP header; NAME=@env:VAR keeps its value secret",
      REPEATABLE,
      SECRET,
    ],
    ["--ca-file FILE", "trust only the CAs in this PEM file"],
    ["--client-cert FILE", "client certificate (mTLS), PEM"],
    ["--client-key FILE", "private key of the certificate, PEM", SECRET],
    ["--insecure-tls", "accept any certificate; traffic may be intercepted"],
    ["--stream", "stream answers"],
    ["--timeout TIME", "time limit of an attempt: 90s, 20m (default 1h)"],
    [
      "--wait[=TIME]",
      "wait for teachers: no limit, or TIME (default 1m)",
      only("run", "retry", "merge"),
    ],
    ["--stream-timeout TIME", "longest silence between two tokens (default 2m)"],
    ["--simulate[=SPEC]", "use a simulated teacher: latency=500,errors=0.01", COMMON],
  ],
  Parameters: [
    ["-p, --param NAME=VALUE", "sampling parameter, sent as written", REPEATABLE, COMMON],
    ["--params JSON|@FILE", "several parameters at once"],
    ["--temperature X", "short for -p temperature=X"],
    ["--max-tokens N", "short for -p max_tokens=N"],
  ],
  Rows: [
    ["--system TEXT|@FILE", "system message for rows that have none", COMMON],
    ["--template TEXT|@FILE", 'one user message: "Solve: {{question}}"', COMMON],
    ["--prompt-field NAME", "the field that holds the prompt or the messages"],
    ["--input-format NAME", "jsonl, json, csv, tsv, parquet or txt"],
    ["--json-columns A,B", "CSV columns of JSON (default: found by content)"],
    ["--binary-columns A,B", "Parquet columns of bytes to read as base64"],
    ["--uid-field A,B", "fields tried for the id, before uid, custom_id, id"],
    [
      "--duplicates HOW",
      "rows with the same id: merge (default) or keep",
      only(...INPUTS, "export"),
    ],
    ["--images-root DIR", "folder of the rows' images (default: the input's)", only(...INPUTS)],
    ["--changed HOW", "rows edited since they were answered: reask or keep", only("run", "retry")],
    ["--mixed-shapes", "send rows of several shapes in one run", only("run", "retry")],
  ],
  Speed: [
    ["-c, --concurrency N|auto", "rows in flight at once (default 20), or auto-tuned", COMMON],
    ["--affinity prefix", "send rows with a common prefix to the same teacher"],
    ["--careful-start", "start at full concurrency", ON_BY_DEFAULT],
    ["--rpm N", "requests per minute for each teacher, evenly spread"],
    ["--tpm N", "tokens per minute for each teacher"],
    ["--max-attempts N", "failed attempts after which a row fails (default 5)"],
    ["--row-timeout TIME", "time limit of a row, all attempts together"],
    ["--grace TIME", "time to finish calls after SIGTERM (default 20s)"],
  ],
  Answers: [
    ["--samples N", "answers per row (default: earlier run's, else 1)", only(...INPUTS), COMMON],
    ["--on-truncated HOW", "error (default), keep, or escalate (more tokens)"],
    ["--max-tokens-cap N", "highest limit for escalate (default 8 × max_tokens)"],
    ["--accept-ending none|WORD", "treat answers with this finish reason as complete", REPEATABLE],
    ["--reject-refusals", "keep only answers that do not refuse"],
    ["--require-json", "keep only answers that are JSON"],
    ["--json-schema FILE", "request and keep only JSON of this JSON Schema"],
    ["--response-format", "with --json-schema: check only, do not send it", ON_BY_DEFAULT],
    ["--reject-pattern RE", "keep only answers that do not match this"],
    ["--resample N", "new tries after a rejected answer (default 0)"],
  ],
  Budgets: [
    ["--max-cost USD", "stop sending once the run has cost this much", COMMON],
    ["--price-in USD", "per million prompt tokens (default: public prices)"],
    ["--price-cached USD", "per million cached tokens (default: price-in)"],
    ["--price-out USD", "per million completion tokens"],
    ["--max-completion-tokens-total N", "stop sending after this many completion tokens"],
    ["--deadline TIME", "stop sending after this time: 90s, 20m, 2h"],
  ],
  Resume: [
    [
      "--uids @FILE|A,B",
      "only rows with these ids; FILE: one per line",
      only("retry", "export"),
      COMMON,
    ],
    ["--exclude-uids @FILE|A,B", "all rows except these", only("retry", "export")],
    ["--reask-answered", "with --uids: send answered rows again and pay again", only("retry")],
    ["--retry[=TYPE,…]", "retry failed rows: all, or timeout, 429, …", COMMON],
    ["--resume", "start over (needs --overwrite if there are answers)", {
      ...ON_BY_DEFAULT,
      commands: ["run"],
    }],
    ["--overwrite", "with --no-resume: delete the old answers", only("run")],
    ["--allow-mixed", "add to answers of another model or parameters"],
    ["--allow-failures N|N%", "exit 0 despite this many failed rows"],
  ],
  Progress: [
    ["--progress HOW", "auto (default), bar, plain, json or none", COMMON],
    ["-v, --verbose", "also show lag, CPU and memory of the process"],
    ["--update-interval N", "rows between two snapshots"],
    ["--json", "print JSON", only("stats"), COMMON],
    ["--compare", "compare two runs by the ids of their rows", only("stats"), COMMON],
    ["-q, --quiet", "print problems only: no progress, no summary", only(...ROWS, "merge")],
  ],
  Submit: [
    ["--parallel M", "shards that run at once (default: all)"],
    ["--merge FILE", "merged results (default OUT/merged/NAME.jsonl)"],
    ["--lead TIME", "notice before a shard is killed (default 2m)"],
    ["--memory SIZE", "memory of a shard, as in 2G"],
    ["--time TIME", "Slurm: time limit of a shard: 12h or 1-12:00:00"],
    ["--partition NAME", "Slurm: the partition"],
    ["--account NAME", "Slurm: the account"],
    ["--before LINE", "Slurm: setup line, as in 'module load x'", REPEATABLE],
    ["--program WORDS", "Slurm: command that starts Retort on a node"],
    ["--image NAME", "Kubernetes: container image"],
    ["--volume CLAIM:DIR", "Kubernetes: shared volume, as in prompts:/data"],
    ["--secret NAME[/KEY]", "Kubernetes: secret that holds the key"],
    ["--namespace NAME", "Kubernetes: namespace"],
    ["--send", "submit the job instead of printing it"],
  ],
  Server: [
    [
      "--port N",
      "the port to listen on (simulate: 8000, others: any)",
      only("simulate", "view", "monitor"),
      COMMON,
    ],
  ],
  Monitor: [
    ["--monitor[=PORT]", "watch and control the run in a browser (any port)", COMMON],
    ["--monitor-host HOST", "address the page listens on (default 127.0.0.1)", only(...PAGES)],
    ["--monitor-keep TIME", "keep page: TIME, forever, 0 (default: while open)"],
    ["--open", "open the page of --monitor in the default browser", only(...PAGES)],
    ["--report FILE.html", "report file (default: in .retort/ next to results)"],
    ["--no-report", "write no report"],
  ],
  Help: [
    ["-h, --help", "this help; --help-all shows every flag", COMMON],
    ["--help-all", "every flag"],
    ["-V, --version", "the version", COMMON],
  ],
};

const USAGE = /^(?:-(\w), )?--([\w-]+)(?: (.+)|\[=(.+)\])?$/;

export const FLAGS: readonly Flag[] = Object.entries(GROUPS).flatMap(([group, entries]) =>
  entries.map(([usage, help, ...traits]) => {
    const [, short, name, value, optionalValue] = USAGE.exec(usage)!;
    return {
      name,
      short,
      value: value ?? optionalValue,
      isValueOptional: optionalValue !== undefined,
      usage,
      help,
      group,
      commands: ["run", "retry"],
      ...GROUP_TRAITS[group],
      ...Object.assign({}, ...traits),
    };
  })
);

/**
 * Flags of a run that `submit` does not take: the job sets them itself (`--shard`), they make no
 * sense for a shard (`--dry-run`), or a restarted shard would apply them again (`--overwrite`).
 */
const NOT_SUBMITTED = `allow-failures dry-run grace monitor monitor-host monitor-keep open overwrite
  progress quiet report resume shard`.split(/\s+/);

/** Returns the flags of a command. `submit` also takes most flags of `run`. */
export function flagsOf(command: Command): Flag[] {
  return FLAGS.flatMap((flag) => {
    if (flag.commands.includes(command)) return [flag];
    const isSubmitted = flag.commands.includes("run") && !NOT_SUBMITTED.includes(flag.name);
    return command === "submit" && isSubmitted ? [{ ...flag, isCommon: false }] : [];
  });
}

/** Returns the name as users type it after `--`. */
export function typedName({ name, isOnByDefault }: Flag): string {
  return isOnByDefault ? `no-${name}` : name;
}
