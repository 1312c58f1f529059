/** The flags about the teacher: what it is sent, how fast, and which answers are kept. @module */

import type { FlagEntry } from "./flag.ts";

/** Who is asked, and how it is reached. */
export const TEACHER: readonly FlagEntry[] = [
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
];

/** What is sent beside the messages. */
export const PARAMETERS: readonly FlagEntry[] = [
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
];

/** How much is sent at once, and how long a row may take. */
export const PACE: readonly FlagEntry[] = [
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
];

/** Which answers are kept. */
export const ANSWERS: readonly FlagEntry[] = [
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
];

/** When a run stops sending. */
export const BUDGETS: readonly FlagEntry[] = [
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
    help: "for a million of them from the cache (--price-in)",
  },
  { name: "price-out", value: "USD", help: "for a million completion tokens" },
  {
    name: "max-completion-tokens-total",
    value: "N",
    help: "stop sending after that many completion tokens",
  },
  { name: "deadline", value: "TIME", help: "stop sending after that time: 90s, 20m, 2h" },
];

/** What is asked again. */
export const RESUME: readonly FlagEntry[] = [
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
];
