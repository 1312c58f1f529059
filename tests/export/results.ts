/**
 * Makes results files like those of a run.
 *
 * @module
 */

import { type ExportOptions, type ExportReport, exportResults } from "../../lib/export/mod.ts";
import { sampleRow } from "../../lib/run/input_rows.ts";
import { type LineFormat, resultLine } from "../../lib/sink/line.ts";
import { ParsedRow } from "../../lib/source/parsed_row.ts";
import { RowParser, type RowParserOptions } from "../../lib/source/parse_row.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import type { TempDir } from "../support/temp.ts";

export interface Answered extends Partial<Completion> {
  /** Source of the row, as in `distill.source`. */
  source?: string;
  /** Number of the answer to the row. */
  sample?: number;
}

/** Makes a results line, with the code of a run. */
export function resultLineOf(
  row: unknown,
  answered: Answered = {},
  options: RowParserOptions & Partial<LineFormat> = {},
): string {
  const text = typeof row === "string" ? row : JSON.stringify(row);
  const parsed = new RowParser(options).parse(text);
  if (!(parsed instanceof ParsedRow)) throw new Error(parsed.problem);
  const { source = "prompts.jsonl:1", sample = 0, ...completion } = answered;
  return resultLine({
    row: sampleRow(parsed.toRow({ uid: parsed.uid, input: 0, source }), sample, {}),
    sequence: 0,
    attempts: 1,
    busyMs: 1,
    latencyMs: 1,
    firstFailedAt: undefined,
    settledAt: 0,
    completion: {
      response: "an answer",
      finishReason: "stop",
      usage: null,
      model: "m",
      ...completion,
    },
    failure: undefined,
    teacher: undefined,
    costUsd: 0,
  }, { paramsId: "p1", finalMessages: false, think: "wrap", ...options });
}

/** Makes a `run.json` with this identity. */
export function runFile(identity: object, params: object = {}): string {
  const run = {
    retort: "0.1.0",
    input: "prompts.jsonl",
    identity: { model: "m", params: {}, uid_field: [], think: null, ...identity },
    rows: {},
    teacher: "",
    params: { p1: params },
    summary: null,
  };
  return JSON.stringify(run);
}

/** Exports `out.jsonl` to `train.jsonl`. */
export function exportFrom(
  dir: TempDir,
  options: Partial<ExportOptions> = {},
): Promise<ExportReport> {
  return exportResults({
    results: dir.path("out.jsonl"),
    output: dir.path("train.jsonl"),
    format: "messages",
    replace: true,
    ...options,
  });
}
