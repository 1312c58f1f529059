/** Flags of runs, and of jobs that run. @module */

import type { FlagEntry } from "./flags.ts";

export const ROWS: readonly FlagEntry[] = [
  {
    name: "system",
    value: "TEXT|@FILE",
    help: "system message for rows that have none",
    isCommon: true,
  },
  {
    name: "template",
    value: "TEXT|@FILE",
    help: 'one user message: "Solve: {{question}}"',
    isCommon: true,
  },
  { name: "prompt-field", value: "NAME", help: "the field that holds the prompt or the messages" },
  { name: "input-format", value: "NAME", help: "jsonl, json, csv, tsv, parquet or txt" },
  { name: "json-columns", value: "A,B", help: "CSV columns of JSON (default: found by content)" },
  { name: "binary-columns", value: "A,B", help: "Parquet columns of bytes to read as base64" },
  { name: "uid-field", value: "A,B", help: "fields tried for the id, before uid, custom_id, id" },
  {
    name: "duplicates",
    value: "HOW",
    help: "rows with the same id: merge (default) or keep",
    commands: ["run", "retry", "verify", "export"],
  },
  {
    name: "images-root",
    value: "DIR",
    help: "folder of the rows' images (default: the input's)",
    commands: ["run", "retry", "verify"],
  },
  {
    name: "changed",
    value: "HOW",
    help: "rows edited since they were answered: reask or keep",
    commands: ["run", "retry"],
  },
  {
    name: "mixed-shapes",
    help: "send rows of several shapes in one run",
    commands: ["run", "retry"],
  },
];

export const TEACHER: readonly FlagEntry[] = [
  { name: "model", short: "m", value: "NAME", help: "model name", isCommon: true },
  {
    name: "base-url",
    value: "URL",
    isRepeatable: true,
    mayBeSecret: true,
    help: "address, up to /v1; several: @FILE or dns+http://…",
    isCommon: true,
  },
  {
    name: "api-key-env",
    value: "NAME",
    mayBeSecret: true,
    help: "variable that holds the key (OPENAI_API_KEY)",
    isCommon: true,
  },
  { name: "api-key-file", value: "PATH", mayBeSecret: true, help: "file that holds the key" },
  {
    name: "endpoint",
    value: "NAME",
    help: "chat (default), completions or responses",
    commands: ["run", "retry", "verify"],
  },
  {
    name: "header",
    value: "NAME=VALUE",
    isRepeatable: true,
    mayBeSecret: true,
    help: "HTTP header; NAME=@env:VAR keeps its value secret",
  },
  { name: "ca-file", value: "FILE", help: "trust only the CAs in this PEM file" },
  { name: "client-cert", value: "FILE", help: "client certificate (mTLS), PEM" },
  {
    name: "client-key",
    value: "FILE",
    mayBeSecret: true,
    help: "private key of the certificate, PEM",
  },
  { name: "insecure-tls", help: "accept any certificate; traffic may be intercepted" },
  { name: "stream", help: "stream answers" },
  { name: "timeout", value: "TIME", help: "time limit of an attempt: 90s, 20m (default 1h)" },
  {
    name: "wait",
    value: "TIME",
    isValueOptional: true,
    help: "wait for teachers: no limit, or TIME (default 1m)",
    helpFor: { merge: "wait until the shards are done" },
    commands: ["run", "retry", "merge"],
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
    help: "use a simulated teacher: latency=500,errors=0.01",
    isCommon: true,
  },
];

export const PARAMETERS: readonly FlagEntry[] = [
  {
    name: "param",
    short: "p",
    value: "NAME=VALUE",
    isRepeatable: true,
    help: "sampling parameter, sent as written",
    isCommon: true,
  },
  { name: "params", value: "JSON|@FILE", help: "several parameters at once" },
  { name: "temperature", value: "X", help: "short for -p temperature=X" },
  { name: "max-tokens", value: "N", help: "short for -p max_tokens=N" },
];

export const SPEED: readonly FlagEntry[] = [
  {
    name: "concurrency",
    short: "c",
    value: "N|auto",
    help: "rows in flight at once (default 20), or auto-tuned",
    isCommon: true,
  },
  { name: "affinity", value: "prefix", help: "send rows with a common prefix to the same teacher" },
  { name: "careful-start", isOnByDefault: true, help: "start at full concurrency" },
  { name: "rpm", value: "N", help: "requests per minute for each teacher, evenly spread" },
  { name: "tpm", value: "N", help: "tokens per minute for each teacher" },
  { name: "max-attempts", value: "N", help: "failed attempts after which a row fails (default 5)" },
  { name: "row-timeout", value: "TIME", help: "time limit of a row, all attempts together" },
  { name: "grace", value: "TIME", help: "time to finish calls after SIGTERM (default 20s)" },
];

export const ANSWERS: readonly FlagEntry[] = [
  {
    name: "samples",
    value: "N",
    help: "answers per row (default: earlier run's, else 1)",
    commands: ["run", "retry", "verify"],
    isCommon: true,
  },
  {
    name: "on-truncated",
    value: "HOW",
    help: "error (default), keep, or escalate (more tokens)",
  },
  {
    name: "max-tokens-cap",
    value: "N",
    help: "highest limit for escalate (default 8 × max_tokens)",
  },
  {
    name: "accept-ending",
    value: "none|WORD",
    isRepeatable: true,
    help: "treat answers with this finish reason as complete",
  },
  { name: "reject-refusals", help: "keep only answers that do not refuse" },
  { name: "require-json", help: "keep only answers that are JSON" },
  { name: "json-schema", value: "FILE", help: "request and keep only JSON of this JSON Schema" },
  {
    name: "response-format",
    isOnByDefault: true,
    help: "with --json-schema: check only, do not send it",
  },
  { name: "reject-pattern", value: "RE", help: "keep only answers that do not match this" },
  { name: "resample", value: "N", help: "new tries after a rejected answer (default 0)" },
];

export const BUDGETS: readonly FlagEntry[] = [
  {
    name: "max-cost",
    value: "USD",
    help: "stop sending once the run has cost this much",
    isCommon: true,
  },
  { name: "price-in", value: "USD", help: "per million prompt tokens (default: public prices)" },
  {
    name: "price-cached",
    value: "USD",
    help: "per million cached tokens (default: price-in)",
  },
  { name: "price-out", value: "USD", help: "per million completion tokens" },
  {
    name: "max-completion-tokens-total",
    value: "N",
    help: "stop sending after this many completion tokens",
  },
  { name: "deadline", value: "TIME", help: "stop sending after this time: 90s, 20m, 2h" },
];

export const RESUME: readonly FlagEntry[] = [
  {
    name: "uids",
    value: "@FILE|A,B",
    help: "only rows with these ids; FILE: one per line",
    commands: ["retry", "export"],
    isCommon: true,
  },
  {
    name: "exclude-uids",
    value: "@FILE|A,B",
    help: "all rows except these",
    commands: ["retry", "export"],
  },
  {
    name: "reask-answered",
    help: "with --uids: send answered rows again and pay again",
    commands: ["retry"],
  },
  {
    name: "retry",
    value: "TYPE,…",
    isValueOptional: true,
    help: "retry failed rows: all, or timeout, 429, …",
    commands: ["run", "retry"],
    isCommon: true,
  },
  {
    name: "resume",
    isOnByDefault: true,
    help: "start over (needs --overwrite if there are answers)",
    commands: ["run"],
  },
  { name: "overwrite", help: "with --no-resume: delete the old answers", commands: ["run"] },
  { name: "allow-mixed", help: "add to answers of another model or parameters" },
  { name: "allow-failures", value: "N|N%", help: "exit 0 despite this many failed rows" },
];

export const MONITOR: readonly FlagEntry[] = [
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

export const SUBMIT: readonly FlagEntry[] = [
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
