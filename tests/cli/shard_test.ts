/** Tests of cli/shard.ts. @module */

import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { readShard } from "../../cli/shard.ts";
import { Settings } from "../../cli/settings.ts";

function read(text: string, env: Record<string, string> = {}) {
  const args = { command: "run" as const, inputs: [], flags: new Map([["shard", text]]) };
  return readShard(new Settings(args), { env: (name) => env[name] });
}

function array(id: number, min: number, max: number, step: number, count: number) {
  const values = { ID: id, MIN: min, MAX: max, STEP: step, COUNT: count };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`SLURM_ARRAY_TASK_${name}`, String(value)]),
  );
}

const TAKEN: [string, Record<string, string>, [number, number]][] = [
  ["0/1", {}, [0, 1]],
  ["15/16", {}, [15, 16]],
  ["auto", array(3, 0, 15, 1, 16), [3, 16]],
  ["auto", array(10, 2, 14, 4, 4), [2, 4]],
  ["auto", { ...array(3, 3, 3, 1, 1), RETORT_SHARDS: "16" }, [3, 16]],
  ["auto", { ...array(3, 0, 7, 1, 8), RETORT_SHARDS: "16", RETORT_SHARD_BASE: "8" }, [11, 16]],
  ["auto", { JOB_COMPLETION_INDEX: "5", RETORT_SHARDS: "8" }, [5, 8]],
  ["auto/16", array(3, 3, 3, 1, 1), [3, 16]],
  ["auto/8", { JOB_COMPLETION_INDEX: "7" }, [7, 8]],
];
for (const [text, env, [index, count]] of TAKEN) {
  Deno.test(`--shard ${text} is shard ${index} of ${count} with ${JSON.stringify(env)}`, () => {
    const shard = { index, count, parallel: undefined, job: undefined };
    assertEquals(read(text, env), shard);
    assertEquals(read(text, { ...env, RETORT_JOB: "j" }), { ...shard, job: "j" });
  });
}

const REFUSED: [string, Record<string, string>, string][] = [
  ["16/16", {}, "there is no shard 16/16: the first is 0/16, the last 15/16"],
  ["1/1", {}, "there is no shard 1/1: the only one is 0/1"],
  ["1", {}, "I/N"],
  ["-1/4", {}, "I/N"],
  ["a/b", {}, "I/N"],
  ["0/0", {}, "1 to 100000"],
  ["auto", {}, "neither SLURM_ARRAY_TASK_ID"],
  // A part of an array, submitted again, would otherwise pay for the whole input.
  ["auto", array(3, 3, 3, 1, 1), "not a complete Slurm array"],
  ["auto", array(3, 3, 9, 1, 2), "not a complete Slurm array"],
  ["auto", array(5, 0, 6, 2, 4), "not a complete Slurm array"],
  ["auto", { JOB_COMPLETION_INDEX: "5" }, "Kubernetes does not pass it to pods"],
  [
    "auto",
    { JOB_COMPLETION_INDEX: "8", RETORT_SHARDS: "8" },
    "there is no shard 8/8: the first is 0/8",
  ],
  ["auto", { JOB_COMPLETION_INDEX: "x", RETORT_SHARDS: "8" }, "whole number"],
  ["auto", { JOB_COMPLETION_INDEX: "1", RETORT_SHARDS: "0" }, "1 to 100000 shards, not 0"],
  ["auto", { JOB_COMPLETION_INDEX: "1", RETORT_SHARDS: "100001" }, "not 100001"],
];
for (const [text, env, words] of REFUSED) {
  Deno.test(`--shard ${text} is refused with ${JSON.stringify(env)}`, () => {
    assertThrows(() => read(text, env), UsageError, words);
  });
}
