/**
 * Flags of `submit`, which runs an input as a job on Slurm or Kubernetes.
 *
 * @module
 */

import type { FlagEntry } from "../flags.ts";

export const SUBMIT: readonly FlagEntry[] = [
  {
    name: "parallel",
    value: "M",
    help: "shards that run at once (default: all)",
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
    help: "notice before a shard is killed (default 2m)",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "memory",
    value: "SIZE",
    help: "memory of a shard, as in 2G",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "time",
    value: "TIME",
    help: "Slurm: time limit of a shard: 12h or 1-12:00:00",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "partition",
    value: "NAME",
    help: "Slurm: the partition",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "account",
    value: "NAME",
    help: "Slurm: the account",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "before",
    value: "LINE",
    isRepeatable: true,
    help: "Slurm: setup line, as in 'module load x'",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "program",
    value: "WORDS",
    help: "Slurm: command that starts Retort on a node",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "image",
    value: "NAME",
    help: "Kubernetes: container image",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "volume",
    value: "CLAIM:DIR",
    help: "Kubernetes: claim of a shared volume",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "secret",
    value: "NAME[/KEY]",
    help: "Kubernetes: secret that holds the key",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "namespace",
    value: "NAME",
    help: "Kubernetes: namespace",
    commands: ["submit"],
    isCommon: true,
  },
  {
    name: "send",
    help: "submit it right away, as deno task submit does",
    commands: ["submit"],
    isCommon: true,
  },
];
