/**
 * One shard: its number, the parts that it reads, and the names of its files.
 *
 * @module
 */

import { OWN_FOLDER, splitPath } from "../paths.ts";
import { type InputOptions, type InputPiece, START } from "../formats/mod.ts";
import type { PlannedInput, ShardPlan } from "./divide.ts";

/** One of several contiguous parts of an input. */
export interface Shard {
  /** Its number, from 0. */
  readonly index: number;
  /** The number of shards. */
  readonly count: number;
  /** The number of shards that run at once and share `rpm` and `tpm`. @default all */
  readonly parallel?: number;
}

/** The maximum number of shards. */
export const MOST_SHARDS = 100_000;

/** The stem of the files of a shard: `out/x-00003-of-00016`. */
export function shardStem(stem: string, { index, count }: Shard): string {
  return `${stem}-${digits(index)}-of-${digits(count)}`;
}

function digits(number: number): string {
  return String(number).padStart(5, "0");
}

/** The file with the pinned borders of an output: `out/.retort/x.shards-16.json`. */
export function planPathOf(stem: string, count: number): string {
  const { start, name } = splitPath(stem);
  return `${start}${OWN_FOLDER}/${name}.shards-${count}.json`;
}

/** While this file exists, a job does not requeue its shards. */
export function cancelledPathOf(stem: string): string {
  const { start, name } = splitPath(stem);
  return `${start}${OWN_FOLDER}/${name}.cancelled`;
}

/** The parts of the input that a shard reads. */
export function piecesOf(plan: ShardPlan, index: number, options: InputOptions = {}): InputPiece[] {
  const from = plan.starts[index];
  const to = plan.starts[index + 1] ?? { input: plan.inputs.length, ...START };
  const pieces: InputPiece[] = [];
  for (let input = from.input; input <= to.input && input < plan.inputs.length; input++) {
    const planned = plan.inputs[input];
    const start = input === from.input ? from : START;
    const end = input === to.input ? to : planned.end ?? { ...START, byte: planned.length };
    if (start.byte >= end.byte) continue;
    const part = planned.end === null
      ? undefined
      : { from: start, to: end, header: planned.header, size: planned.length };
    pieces.push({
      path: planned.path,
      name: planned.path,
      options: optionsOf(planned, options),
      part,
    });
  }
  return pieces;
}

/** The whole input, as one piece for each file. */
export function wholeOf(plan: ShardPlan, options: InputOptions = {}): InputPiece[] {
  return plan.inputs.map((planned) => ({
    path: planned.path,
    name: planned.path,
    options: optionsOf(planned, options),
  }));
}

function optionsOf({ format, json_columns }: PlannedInput, options: InputOptions): InputOptions {
  return { ...options, inputFormat: format, jsonColumns: json_columns ?? undefined };
}

/**
 * The share of a shard in the whole input, from 0 to 1: by rows, or by bytes where the rows of a
 * compressed file are not known.
 */
export function shareOfRows(plan: ShardPlan, index: number): number {
  const pieces = piecesOf(plan, index);
  if (plan.inputs.every(({ end }) => end !== null)) {
    const all = plan.inputs.reduce((sum, { end }) => sum + end!.rows, 0);
    const own = pieces.reduce((sum, { part }) => sum + part!.to.rows - part!.from.rows, 0);
    return all === 0 ? 0 : own / all;
  }
  const all = plan.inputs.reduce((sum, { length }) => sum + length, 0);
  const own = pieces.reduce((sum, { path, part }) => {
    const whole = plan.inputs.find((input) => input.path === path)!.length;
    return sum + (part === undefined ? whole : part.to.byte - part.from.byte);
  }, 0);
  return all === 0 ? 0 : own / all;
}

/**
 * The number of rows before a shard, without blank lines; undefined if a compressed file is among
 * them.
 */
export function rowsBefore(plan: ShardPlan, index: number): number | undefined {
  const start = plan.starts[index];
  let rows = start.rows;
  for (const { end } of plan.inputs.slice(0, start.input)) {
    if (end === null) return undefined;
    rows += end.rows;
  }
  return rows;
}
