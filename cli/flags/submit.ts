/** The flags of `submit`. @module */

import type { FlagEntry } from "./flag.ts";

/** Jobs on Slurm and Kubernetes. */
export const SUBMIT: readonly FlagEntry[] = [
  {
    name: "parallel",
    value: "M",
    help: "shards at once at most (default: all)",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "merge",
    value: "FILE",
    help: "the merged results (OUT/merged/NAME.jsonl)",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "lead",
    value: "TIME",
    help: "warning before a shard is ended (default 2m)",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "memory",
    value: "SIZE",
    help: "of a shard, as in 2G",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "time",
    value: "TIME",
    help: "Slurm: longest time of a shard, as in 12h",
    commands: ["submit"],
    isCommon: true,
  },
  { name: "partition", value: "NAME", help: "Slurm: where", commands: ["submit"], isCommon: true },
  { name: "account", value: "NAME", help: "Slurm: who pays", commands: ["submit"], isCommon: true },
  {
    name: "before",
    value: "LINE",
    isMultiple: true,
    help: "Slurm: a line before, as in 'module load x'",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "program",
    value: "WORDS",
    help: "Slurm: what starts Retort on a node",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "image",
    value: "NAME",
    help: "Kubernetes: the image",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "volume",
    value: "CLAIM:DIR",
    help: "Kubernetes: a claim of a shared volume",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "secret",
    value: "NAME[/KEY]",
    help: "Kubernetes: the secret with the key",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "namespace",
    value: "NAME",
    help: "Kubernetes: the namespace",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "send",
    help: "send it, as deno task submit does",
    commands: ["submit"],
    isCommon: true,
  },
];
