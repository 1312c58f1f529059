/**
 * Every flag, once: what parsing, `--help`, `--config` and the hint for a mistyped one go by.
 *
 * @module
 */

import { type Command, COMMANDS } from "./commands.ts";
import type { Flag } from "./flag.ts";

const RUN = ["run", "retry"] as const;
const MERGE = ["merge"] as const;
const SUBMIT = ["submit"] as const;
const ROWS = ["run", "retry", "verify", "export", "convert"] as const;
const WRITES = ["export", "convert"] as const;

/** A flag as it is written down: most belong to a run. */
type Entry = Omit<Flag, "group" | "commands"> & Partial<Pick<Flag, "commands">>;

const GROUPS: Readonly<Record<string, readonly Entry[]>> = {
  "Input and output": [
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
      commands: [...ROWS, ...MERGE, ...SUBMIT],
      isCommon: true,
    },
    { name: "config", value: "FILE", help: "YAML with these names; flags win", isCommon: true },
    {
      name: "limit",
      value: "N",
      help: "only the first N rows of each input",
      commands: ["run", "retry", "verify", ...MERGE],
      isCommon: true,
    },
    {
      name: "shard",
      value: "I/N|auto",
      help: "only part I (from 0) of N, with its own output",
      commands: ["run", "retry", "verify"],
    },
    {
      name: "dry-run",
      help: "check the input and show the first request; no call",
      isCommon: true,
    },
    {
      name: "skip-bad-rows",
      help: "write bad rows to the failures file and do the rest",
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
      commands: WRITES,
    },
    {
      name: "think-tags",
      value: "OPEN,CLOSE",
      help: "tags around reasoning in answers, beside <think> and others",
    },
    {
      name: "format",
      value: "NAME",
      help: "messages, prompt-completion, sharegpt, alpaca, …",
      commands: WRITES,
      isCommon: true,
    },
    {
      name: "where",
      value: "CONDITION",
      help: "only these rows: 'completion_tokens < 4000'",
      commands: [...WRITES, "stats"],
      isCommon: true,
    },
    { name: "columns", value: "A,B", help: "only these columns", commands: WRITES },
    {
      name: "dedupe",
      help: "leave out rows with the prompt and answer of an earlier one",
      commands: WRITES,
    },
    {
      name: "shuffle",
      value: "SEED",
      help: "shuffle the rows; a seed gives the same order each time",
      commands: WRITES,
    },
    { name: "max-rows", value: "N", help: "write N rows at most", commands: WRITES },
    {
      name: "validation",
      value: "SHARE",
      help: "this share of the rows (1%) into x.validation.jsonl",
      commands: WRITES,
      isCommon: true,
    },
    {
      name: "prefer",
      value: "HOW",
      help: "for preference: shortest, longest, or a field of numbers",
      commands: ["export"],
    },
    {
      name: "tool-arguments",
      value: "HOW",
      help: "arguments of tool calls: object (default) or string",
      commands: WRITES,
    },
    {
      name: "replace",
      help: "replace an output file that holds something",
      commands: [...WRITES, ...MERGE],
      isCommon: true,
    },
    {
      name: "partial",
      help: "write what is there; a run can continue it",
      commands: MERGE,
      isCommon: true,
    },
    {
      name: "tidy",
      help: "move proven shards to .retort/shards/",
      commands: MERGE,
      isCommon: true,
    },
    {
      name: "proof",
      isNegated: true,
      help: "join lines without reading the input",
      commands: MERGE,
    },
    {
      name: "shards",
      value: "N",
      help: "number of shards; merge: where OUT has several",
      commands: [...SUBMIT, ...MERGE],
      isCommon: true,
    },
    { name: "allow-empty", help: "exit 0 where there are no rows (default: 2)", commands: ROWS },
    { name: "fsync", value: "WHEN", help: "always (default), or never for throw-away runs" },
    { name: "lock", isNegated: true, help: "work where the filesystem has no locks" },
  ],
  Teacher: [
    { name: "model", short: "m", value: "NAME", help: "the model to ask", isCommon: true },
    {
      name: "base-url",
      value: "URL",
      isMultiple: true,
      mayBeSecret: true,
      help: "its address, up to /v1; @FILE or dns+http: many",
      isCommon: true,
    },
    {
      name: "api-key-env",
      value: "NAME",
      mayBeSecret: true,
      help: "the variable that holds the key (OPENAI_API_KEY)",
      isCommon: true,
    },
    {
      name: "api-key-file",
      value: "PATH",
      mayBeSecret: true,
      help: "the file that holds the key",
    },
    {
      name: "endpoint",
      value: "NAME",
      help: "chat (default), completions or responses",
      commands: ["run", "retry", "verify"],
    },
    {
      name: "header",
      value: "NAME=VALUE",
      isMultiple: true,
      mayBeSecret: true,
      help: "a header field; NAME=@env:VAR keeps its value secret",
    },
    { name: "ca-file", value: "FILE", help: "trust the authorities of this PEM file, no others" },
    { name: "client-cert", value: "FILE", help: "the certificate to show (mTLS), PEM" },
    { name: "client-key", value: "FILE", mayBeSecret: true, help: "its private key, PEM" },
    { name: "insecure-tls", help: "take any certificate; others may read along" },
    { name: "stream", help: "have the answer streamed" },
    { name: "timeout", value: "TIME", help: "longest attempt: 3600, 90s, 20m (default 1h)" },
    {
      name: "wait",
      value: "TIME",
      isValueOptional: true,
      help: "wait for a teacher (1m), or a merge for its shards",
      commands: [...RUN, ...MERGE],
    },
    {
      name: "stream-timeout",
      value: "TIME",
      help: "longest silence between two tokens (default 2m)",
    },
    {
      name: "simulate",
      value: "SPEC",
      isValueOptional: true,
      help: "ask a simulated teacher: latency=500,errors=0.01",
      isCommon: true,
    },
    {
      name: "port",
      value: "N",
      help: "the port to listen on (simulate: 8000, others: any)",
      commands: ["simulate", "view", "monitor"],
      isCommon: true,
    },
  ],
  Parameters: [
    {
      name: "param",
      short: "p",
      value: "NAME=VALUE",
      isMultiple: true,
      help: "a sampling parameter, sent as written",
      isCommon: true,
    },
    { name: "params", value: "JSON|@FILE", help: "many parameters at once" },
    { name: "temperature", value: "X", help: "short for -p temperature=X" },
    { name: "max-tokens", value: "N", help: "short for -p max_tokens=N" },
  ],
  Rows: [
    {
      name: "system",
      value: "TEXT|@FILE",
      help: "a system message where a row has none",
      commands: ROWS,
      isCommon: true,
    },
    {
      name: "template",
      value: "TEXT|@FILE",
      help: 'one user message: "Solve: {{question}}"',
      commands: ROWS,
      isCommon: true,
    },
    {
      name: "prompt-field",
      value: "NAME",
      help: "the field that holds the prompt or the messages",
      commands: ROWS,
    },
    {
      name: "input-format",
      value: "NAME",
      help: "jsonl, json, csv, tsv, parquet or txt",
      commands: ROWS,
    },
    {
      name: "json-columns",
      value: "A,B",
      help: "CSV columns of JSON (default: found by content)",
      commands: ROWS,
    },
    {
      name: "binary-columns",
      value: "A,B",
      help: "Parquet columns of bytes to read as base64",
      commands: ROWS,
    },
    {
      name: "uid-field",
      value: "A,B",
      help: "name rows by these, before uid, custom_id and id",
      commands: ROWS,
    },
    {
      name: "duplicates",
      value: "HOW",
      help: "rows of one id: merge identical (default) or keep",
      commands: ["run", "retry", "verify", "export"],
    },
    {
      name: "images-root",
      value: "DIR",
      help: "the folder of images in rows (default: the input's)",
      commands: ["run", "retry", "verify"],
    },
    { name: "changed", value: "HOW", help: "rows edited since they were asked: reask or keep" },
    { name: "mixed-shapes", help: "send rows of several shapes in one run" },
  ],
  Pace: [
    {
      name: "concurrency",
      short: "c",
      value: "N|auto",
      help: "rows asked at once (default 20), or the best number",
      isCommon: true,
    },
    {
      name: "affinity",
      value: "prefix",
      help: "rows with one system message and turn at one teacher",
    },
    { name: "careful-start", isNegated: true, help: "start at full concurrency at once" },
    { name: "rpm", value: "N", help: "requests a minute to each teacher, evenly spread" },
    { name: "tpm", value: "N", help: "tokens a minute to and from each teacher" },
    { name: "max-attempts", value: "N", help: "attempts a row gets for faults (default 5)" },
    { name: "row-timeout", value: "TIME", help: "longest time for a row, all attempts together" },
    { name: "grace", value: "TIME", help: "longest wait for calls after SIGTERM (default 20s)" },
  ],
  Answers: [
    {
      name: "samples",
      value: "N",
      help: "answers a row (default 1; retry, verify: the run's)",
      commands: ["run", "retry", "verify"],
      isCommon: true,
    },
    {
      name: "on-truncated",
      value: "HOW",
      help: "error (default), keep, or escalate: again with more tokens",
    },
    { name: "max-tokens-cap", value: "N", help: "most tokens of escalate (default 8 × the first)" },
    {
      name: "accept-ending",
      value: "none|WORD",
      isMultiple: true,
      help: "take answers with this finish reason, or with none, as whole",
    },
    { name: "reject-refusals", help: "keep only answers that do not refuse" },
    { name: "require-json", help: "keep only answers that are JSON" },
    { name: "json-schema", value: "FILE", help: "ask for and keep only JSON of this JSON Schema" },
    {
      name: "response-format",
      isNegated: true,
      help: "with --json-schema: only check, ask for nothing",
    },
    { name: "reject-pattern", value: "RE", help: "keep only answers that this does not match" },
    {
      name: "resample",
      value: "N",
      help: "ask again after an answer that is not kept (default 0)",
    },
  ],
  Budgets: [
    {
      name: "max-cost",
      value: "USD",
      help: "stop sending once this run has cost that much",
      isCommon: true,
    },
    {
      name: "price-in",
      value: "USD",
      help: "for a million prompt tokens (default: public prices)",
    },
    {
      name: "price-cached",
      value: "USD",
      help: "for a million of them out of the cache (--price-in)",
    },
    { name: "price-out", value: "USD", help: "for a million completion tokens" },
    {
      name: "max-completion-tokens-total",
      value: "N",
      help: "stop sending after that many completion tokens",
    },
    { name: "deadline", value: "TIME", help: "stop sending after that time: 90s, 20m, 2h" },
  ],
  Resume: [
    {
      name: "uids",
      value: "@FILE|A,B",
      help: "only these rows, by their ids: a line each in FILE",
      commands: ["retry", "export"],
      isCommon: true,
    },
    {
      name: "exclude-uids",
      value: "@FILE|A,B",
      help: "all rows but these",
      commands: ["retry", "export"],
    },
    {
      name: "reask-answered",
      help: "with --uids: ask answered rows again, too, and pay again",
      commands: ["retry"],
    },
    {
      name: "retry",
      value: "TYPE,…",
      isValueOptional: true,
      help: "ask failed rows again: all, or timeout, 429, …",
      commands: ["run", "retry"],
      isCommon: true,
    },
    {
      name: "resume",
      isNegated: true,
      help: "start over (needs --overwrite where answers are)",
      commands: ["run"],
    },
    { name: "overwrite", help: "with --no-resume: throw the old answers away", commands: ["run"] },
    { name: "allow-mixed", help: "add to answers of another model or parameters" },
    { name: "allow-failures", value: "N|N%", help: "exit 0 with at most that many failed rows" },
  ],
  Progress: [
    {
      name: "progress",
      value: "HOW",
      help: "auto (default), bar, plain, json or none",
      isCommon: true,
    },
    { name: "verbose", short: "v", help: "show lag, CPU and memory of the process, too" },
    { name: "update-interval", value: "N", help: "rows between two snapshots" },
    {
      name: "json",
      help: "print JSON",
      commands: ["stats"],
      isCommon: true,
    },
    {
      name: "quiet",
      short: "q",
      help: "say only what went wrong: no progress, no summary",
      commands: [...ROWS, ...MERGE],
    },
  ],
  Submit: [
    {
      name: "parallel",
      value: "M",
      help: "shards at once at most (default: all)",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "merge",
      value: "FILE",
      help: "the merged results (OUT/merged/NAME.jsonl)",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "lead",
      value: "TIME",
      help: "warning before a shard is ended (default 2m)",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "memory",
      value: "SIZE",
      help: "of a shard, as in 2G",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "time",
      value: "TIME",
      help: "Slurm: longest time of a shard, as in 12h",
      commands: SUBMIT,
      isCommon: true,
    },
    { name: "partition", value: "NAME", help: "Slurm: where", commands: SUBMIT, isCommon: true },
    { name: "account", value: "NAME", help: "Slurm: who pays", commands: SUBMIT, isCommon: true },
    {
      name: "before",
      value: "LINE",
      isMultiple: true,
      help: "Slurm: a line before, as in 'module load x'",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "program",
      value: "WORDS",
      help: "Slurm: what starts Retort on a node",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "image",
      value: "NAME",
      help: "Kubernetes: the image",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "volume",
      value: "CLAIM:DIR",
      help: "Kubernetes: a claim of a shared volume",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "secret",
      value: "NAME[/KEY]",
      help: "Kubernetes: the secret with the key",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "namespace",
      value: "NAME",
      help: "Kubernetes: the namespace",
      commands: SUBMIT,
      isCommon: true,
    },
    {
      name: "send",
      help: "send it, as deno task submit does",
      commands: SUBMIT,
      isCommon: true,
    },
  ],
  Monitor: [
    {
      name: "monitor",
      value: "PORT",
      isValueOptional: true,
      help: "watch and steer the run in a browser (any port)",
      isCommon: true,
    },
    {
      name: "monitor-host",
      value: "HOST",
      help: "where the page listens (default 127.0.0.1)",
      commands: ["run", "retry", "view", "monitor"],
    },
    {
      name: "monitor-keep",
      value: "TIME",
      help: "how long the page stays: TIME, forever, 0 (default: while open)",
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
      help: "where its report goes (default: .retort/ beside results)",
    },
    { name: "no-report", help: "write no report" },
  ],
  Help: [
    {
      name: "help",
      short: "h",
      help: "this help; --help-all shows every flag",
      commands: COMMANDS,
      isCommon: true,
    },
    { name: "help-all", help: "every flag", commands: COMMANDS },
    { name: "version", short: "V", help: "the version", commands: COMMANDS, isCommon: true },
  ],
};

/** All flags, in the order of the help. */
export const FLAGS: readonly Flag[] = Object.entries(GROUPS).flatMap(([group, entries]) =>
  entries.map((entry) => ({ commands: RUN, ...entry, group }))
);

/** Flags of a run that make no sense for one of many, or that a scheduler would repeat. */
const NOT_SUBMITTED: ReadonlySet<string> = new Set([
  ...[
    "shard",
    "dry-run",
    "resume",
    "overwrite",
    "grace",
    "monitor",
    "monitor-host",
    "monitor-keep",
  ],
  ...["open", "report", "progress", "quiet", "allow-failures"],
]);

/** The flags that a command knows. A job takes those of its runs. */
export function flagsOf(command: Command): Flag[] {
  const own = FLAGS.filter((flag) => flag.commands.includes(command));
  if (command !== "submit") return own;
  const names = new Set(own.map(({ name }) => name));
  const ofRuns = FLAGS.filter(({ name, commands }) =>
    commands.includes("run") && !NOT_SUBMITTED.has(name) && !names.has(name)
  );
  return [...own, ...ofRuns.map((flag) => ({ ...flag, isCommon: false }))];
}
