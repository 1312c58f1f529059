/** The table of flags. @module */

import { COMMANDS } from "./commands.ts";
import type { FlagTraits } from "./flags.ts";

/**
 * `usage` is `--dry-run`, `-o, --output PATH` or, for an optional value, `--wait[=TIME]`. `help`
 * says what the flag does or, if it is on by default, what `--no-…` does.
 */
type FlagEntry = readonly [usage: string, help: string, traits?: Partial<FlagTraits>];

const ROW_COMMANDS = ["run", "retry", "verify", "export", "convert"] as const;
const DATASET_COMMANDS = ["export", "convert"] as const;
const DATASET = { commands: DATASET_COMMANDS };
const COMMON = { isCommon: true };

/** Traits of all flags of a group. In other groups, flags are for `run` and `retry`. */
export const GROUP_TRAITS: Readonly<Record<string, Partial<FlagTraits>>> = {
  Rows: { commands: ROW_COMMANDS },
  Submit: { commands: ["submit"], isCommon: true },
  Help: { commands: COMMANDS },
};

export const GROUPS: Readonly<Record<string, readonly FlagEntry[]>> = {
  "Input and output": [
    ["-o, --output PATH", "folder (out/) or results file (x.jsonl)", {
      helpFor: {
        export: "file to write, or folder (--format dataset)",
        convert: "file to write, or folder (--format dataset)",
        merge: "results file to write, as in all.jsonl",
        submit: "folder (out/) or results path of the shards",
      },
      commands: [...ROW_COMMANDS, "merge", "submit"],
      isCommon: true,
    }],
    ["--config FILE", "YAML file of these settings; flags take precedence", COMMON],
    ["--limit N", "only the first N rows of each input", {
      commands: ["run", "retry", "verify", "merge"],
      isCommon: true,
    }],
    ["--shard I/N|auto", "only part I (from 0) of N, with its own output", {
      commands: ["run", "retry", "verify"],
    }],
    ["--dry-run", "check the input and show the first request; no call", COMMON],
    ["--skip-bad-rows", "move bad rows to the failures file, run the rest", COMMON],
    ["--final-messages", "add the whole conversation to each results line"],
    ["--keep A,B", "keep more of the raw answer: logprobs, …"],
    ["--think STYLE", "reasoning in messages: wrap (default), field, drop", {
      commands: ["run", "retry", "export", "convert"],
    }],
    ["--reasoning-field NAME", "with --think field: its name (gpt-oss: thinking)", {
      commands: DATASET_COMMANDS,
    }],
    ["--think-tags OPEN,CLOSE", "tags around reasoning, besides <think> and others"],
    ["--format NAME", "format of the rows: messages, alpaca, …", {
      commands: DATASET_COMMANDS,
      isCommon: true,
    }],
    ["--where CONDITION", "only these rows: 'completion_tokens < 4000'", {
      commands: [...DATASET_COMMANDS, "stats"],
      isCommon: true,
    }],
    ["--columns A,B", "only these columns", DATASET],
    ["--dedupe", "skip rows whose prompt and answer occurred before", {
      commands: DATASET_COMMANDS,
    }],
    ["--shuffle SEED", "shuffle rows; the same seed gives the same order", {
      commands: DATASET_COMMANDS,
    }],
    ["--max-rows N", "write N rows at most", DATASET],
    ["--validation SHARE", "write this share (1%) to x.validation.jsonl instead", {
      commands: DATASET_COMMANDS,
      isCommon: true,
    }],
    ["--prefer HOW", "preference: shortest, longest or a numeric field", { commands: ["export"] }],
    ["--tool-arguments HOW", "arguments of tool calls: object (default) or string", {
      commands: DATASET_COMMANDS,
    }],
    ["--replace", "replace an output file that is not empty", {
      commands: [...DATASET_COMMANDS, "merge"],
      isCommon: true,
    }],
    ["--partial", "merge incomplete runs too; a run can continue FILE", {
      commands: ["merge"],
      isCommon: true,
    }],
    ["--tidy", "move merged shards to .retort/shards/", { commands: ["merge"], isCommon: true }],
    ["--proof", "join lines without reading the input", {
      isOnByDefault: true,
      commands: ["merge"],
    }],
    ["--shards N", "number of shards", {
      helpFor: { merge: "number of shards, if OUT was divided several times" },
      commands: ["submit", "merge"],
      isCommon: true,
    }],
    ["--allow-empty", "exit 0 if there are no rows (default: 2)", { commands: ROW_COMMANDS }],
    ["--fsync WHEN", "always (default), or never for disposable runs"],
    ["--lock", "run on a filesystem that has no locks", { isOnByDefault: true }],
  ],
  Teacher: [
    ["-m, --model NAME", "model name", COMMON],
    ["--base-url URL", "address, up to /v1; several: @FILE or dns+http://…", {
      isRepeatable: true,
      mayBeSecret: true,
      isCommon: true,
    }],
    ["--api-key-env NAME", "variable that holds the key (OPENAI_API_KEY)", {
      mayBeSecret: true,
      isCommon: true,
    }],
    ["--api-key-file PATH", "file that holds the key", { mayBeSecret: true }],
    ["--endpoint NAME", "chat (default), completions or responses", {
      commands: ["run", "retry", "verify"],
    }],
    ["--header NAME=VALUE", "HTTP header; NAME=@env:VAR keeps its value secret", {
      isRepeatable: true,
      mayBeSecret: true,
    }],
    ["--ca-file FILE", "trust only the CAs in this PEM file"],
    ["--client-cert FILE", "client certificate (mTLS), PEM"],
    ["--client-key FILE", "private key of the certificate, PEM", { mayBeSecret: true }],
    ["--insecure-tls", "accept any certificate; traffic may be intercepted"],
    ["--stream", "stream answers"],
    ["--timeout TIME", "time limit of an attempt: 90s, 20m (default 1h)"],
    ["--wait[=TIME]", "wait for teachers: no limit, or TIME (default 1m)", {
      helpFor: { merge: "wait until the shards are done" },
      commands: ["run", "retry", "merge"],
    }],
    ["--stream-timeout TIME", "longest silence between two tokens (default 2m)"],
    ["--simulate[=SPEC]", "use a simulated teacher: latency=500,errors=0.01", COMMON],
  ],
  Parameters: [
    ["-p, --param NAME=VALUE", "sampling parameter, sent as written", {
      isRepeatable: true,
      isCommon: true,
    }],
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
    ["--duplicates HOW", "rows with the same id: merge (default) or keep", {
      commands: ["run", "retry", "verify", "export"],
    }],
    ["--images-root DIR", "folder of the rows' images (default: the input's)", {
      commands: ["run", "retry", "verify"],
    }],
    ["--changed HOW", "rows edited since they were answered: reask or keep", {
      commands: ["run", "retry"],
    }],
    ["--mixed-shapes", "send rows of several shapes in one run", { commands: ["run", "retry"] }],
  ],
  Speed: [
    ["-c, --concurrency N|auto", "rows in flight at once (default 20), or auto-tuned", COMMON],
    ["--affinity prefix", "send rows with a common prefix to the same teacher"],
    ["--careful-start", "start at full concurrency", { isOnByDefault: true }],
    ["--rpm N", "requests per minute for each teacher, evenly spread"],
    ["--tpm N", "tokens per minute for each teacher"],
    ["--max-attempts N", "failed attempts after which a row fails (default 5)"],
    ["--row-timeout TIME", "time limit of a row, all attempts together"],
    ["--grace TIME", "time to finish calls after SIGTERM (default 20s)"],
  ],
  Answers: [
    ["--samples N", "answers per row (default: earlier run's, else 1)", {
      commands: ["run", "retry", "verify"],
      isCommon: true,
    }],
    ["--on-truncated HOW", "error (default), keep, or escalate (more tokens)"],
    ["--max-tokens-cap N", "highest limit for escalate (default 8 × max_tokens)"],
    ["--accept-ending none|WORD", "treat answers with this finish reason as complete", {
      isRepeatable: true,
    }],
    ["--reject-refusals", "keep only answers that do not refuse"],
    ["--require-json", "keep only answers that are JSON"],
    ["--json-schema FILE", "request and keep only JSON of this JSON Schema"],
    ["--response-format", "with --json-schema: check only, do not send it", {
      isOnByDefault: true,
    }],
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
    ["--uids @FILE|A,B", "only rows with these ids; FILE: one per line", {
      commands: ["retry", "export"],
      isCommon: true,
    }],
    ["--exclude-uids @FILE|A,B", "all rows except these", { commands: ["retry", "export"] }],
    ["--reask-answered", "with --uids: send answered rows again and pay again", {
      commands: ["retry"],
    }],
    ["--retry[=TYPE,…]", "retry failed rows: all, or timeout, 429, …", COMMON],
    ["--resume", "start over (needs --overwrite if there are answers)", {
      isOnByDefault: true,
      commands: ["run"],
    }],
    ["--overwrite", "with --no-resume: delete the old answers", { commands: ["run"] }],
    ["--allow-mixed", "add to answers of another model or parameters"],
    ["--allow-failures N|N%", "exit 0 despite this many failed rows"],
  ],
  Progress: [
    ["--progress HOW", "auto (default), bar, plain, json or none", COMMON],
    ["-v, --verbose", "also show lag, CPU and memory of the process"],
    ["--update-interval N", "rows between two snapshots"],
    ["--json", "print JSON", { commands: ["stats"], isCommon: true }],
    ["--compare", "compare two runs by the ids of their rows", {
      commands: ["stats"],
      isCommon: true,
    }],
    ["-q, --quiet", "print problems only: no progress, no summary", {
      commands: [...ROW_COMMANDS, "merge"],
    }],
  ],
  Submit: [
    ["--parallel M", "shards that run at once (default: all)"],
    ["--merge FILE", "the merged results (OUT/merged/NAME.jsonl)"],
    ["--lead TIME", "notice before a shard is killed (default 2m)"],
    ["--memory SIZE", "memory of a shard, as in 2G"],
    ["--time TIME", "Slurm: time limit of a shard: 12h or 1-12:00:00"],
    ["--partition NAME", "Slurm: the partition"],
    ["--account NAME", "Slurm: the account"],
    ["--before LINE", "Slurm: setup line, as in 'module load x'", { isRepeatable: true }],
    ["--program WORDS", "Slurm: command that starts Retort on a node"],
    ["--image NAME", "Kubernetes: container image"],
    ["--volume CLAIM:DIR", "Kubernetes: claim of a shared volume"],
    ["--secret NAME[/KEY]", "Kubernetes: secret that holds the key"],
    ["--namespace NAME", "Kubernetes: namespace"],
    ["--send", "submit the job instead of printing it"],
  ],
  Server: [
    ["--port N", "the port to listen on (simulate: 8000, others: any)", {
      commands: ["simulate", "view", "monitor"],
      isCommon: true,
    }],
  ],
  Monitor: [
    ["--monitor[=PORT]", "watch and control the run in a browser (any port)", COMMON],
    ["--monitor-host HOST", "address the page listens on (default 127.0.0.1)", {
      commands: ["run", "retry", "view", "monitor"],
    }],
    ["--monitor-keep TIME", "keep page: TIME, forever, 0 (default: while open)"],
    ["--open", "open the page of --monitor in the default browser", {
      helpFor: {
        view: "open the page in the default browser",
        monitor: "open the page in the default browser",
      },
      commands: ["run", "retry", "view", "monitor"],
    }],
    ["--report FILE.html", "report file (default: in .retort/ next to results)"],
    ["--no-report", "write no report"],
  ],
  Help: [
    ["-h, --help", "this help; --help-all shows every flag", COMMON],
    ["--help-all", "every flag"],
    ["-V, --version", "the version", COMMON],
  ],
};
