/** The flags about files and the rows in them. @module */

import type { FlagEntry } from "./flag.ts";

const ROW_COMMANDS = ["run", "retry", "verify", "export", "convert"] as const;
const WRITES = ["export", "convert"] as const;

/** What is read, and what is written. */
export const INPUT_AND_OUTPUT: readonly FlagEntry[] = [
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
  { name: "config", value: "FILE", help: "YAML with these names; flags win", isCommon: true },
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
    commands: [...WRITES, "merge"],
    isCommon: true,
  },
  {
    name: "partial",
    help: "write what is there; a run can continue it",
    commands: ["merge"],
    isCommon: true,
  },
  {
    name: "tidy",
    help: "move proven shards to .retort/shards/",
    commands: ["merge"],
    isCommon: true,
  },
  {
    name: "proof",
    isNegated: true,
    help: "join lines without reading the input",
    commands: ["merge"],
  },
  {
    name: "shards",
    value: "N",
    help: "number of shards; merge: where OUT has several",
    commands: ["submit", "merge"],
    isCommon: true,
  },
  {
    name: "allow-empty",
    help: "exit 0 where there are no rows (default: 2)",
    commands: ROW_COMMANDS,
  },
  { name: "fsync", value: "WHEN", help: "always (default), or never for throw-away runs" },
  { name: "lock", isNegated: true, help: "work where the filesystem has no locks" },
];

/** How a row is read. */
export const ROWS: readonly FlagEntry[] = [
  {
    name: "system",
    value: "TEXT|@FILE",
    help: "a system message where a row has none",
    commands: ROW_COMMANDS,
    isCommon: true,
  },
  {
    name: "template",
    value: "TEXT|@FILE",
    help: 'one user message: "Solve: {{question}}"',
    commands: ROW_COMMANDS,
    isCommon: true,
  },
  {
    name: "prompt-field",
    value: "NAME",
    help: "the field that holds the prompt or the messages",
    commands: ROW_COMMANDS,
  },
  {
    name: "input-format",
    value: "NAME",
    help: "jsonl, json, csv, tsv, parquet or txt",
    commands: ROW_COMMANDS,
  },
  {
    name: "json-columns",
    value: "A,B",
    help: "CSV columns of JSON (default: found by content)",
    commands: ROW_COMMANDS,
  },
  {
    name: "binary-columns",
    value: "A,B",
    help: "Parquet columns of bytes to read as base64",
    commands: ROW_COMMANDS,
  },
  {
    name: "uid-field",
    value: "A,B",
    help: "name rows by these, before uid, custom_id and id",
    commands: ROW_COMMANDS,
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
];
