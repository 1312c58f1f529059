/**
 * A results line as a row: everything that the run knows, under the names that it has there.
 *
 * @module
 */

import { parseLossless } from "../source/mod.ts";
import type { TrainingRow } from "./training_row.ts";

/**
 * The row of a results line, with every digit of its numbers. Lines of earlier versions get the types that
 * lines have now.
 *
 * @param isTyped Whether times are to be times, not texts.
 */
export function rawRow(line: string, isTyped: boolean): TrainingRow {
  const row = parseLossless(line) as TrainingRow;
  row.tool_calls = textOf(row.tool_calls ?? []);
  const distill = row.distill as TrainingRow;
  distill.cost_usd ??= -1;
  distill.refusal ??= false;
  distill.kept = textOf(distill.kept ?? {});
  distill.replaced = textOf(distill.replaced ?? {});
  if (isTyped && typeof distill.created === "string") distill.created = new Date(distill.created);
  return row;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
