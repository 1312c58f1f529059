/** Flags about files and their rows. @module */

import type { FlagEntry } from "../flags.ts";

export const ROW_COMMANDS = ["run", "retry", "verify", "export", "convert"] as const;
const DATASET_COMMANDS = ["export", "convert"] as const;

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
