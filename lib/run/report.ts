/**
 * What a person hears of the input before the first call is paid for, and what stops a run there.
 *
 * @module
 */

import { SourceError, UsageError } from "../errors.ts";
import type { RowOptions, RunOptions } from "./options.ts";
import { MODELS_SHOWN, type Preflight } from "./preflight.ts";

/** The least that a first pass has to know to be judged. */
type Found = Pick<
  Preflight,
  | "badLines"
  | "badCount"
  | "shapes"
  | "changed"
  | "rows"
  | "samples"
  | "succeeded"
  | "failed"
  | "merged"
  | "models"
  | "hashed"
  | "unmetUidFields"
>;

/**
 * Stops a run whose input is not what it should be.
 *
 * @throws {SourceError} for bad rows, with the first 20 of them by `file:line`
 * @throws {UsageError} for shapes that are mixed, and for rows that were edited
 */
export function checkInput(
  found: readonly Found[],
  options: Pick<RunOptions, "input" | "skipBadRows" | "changed">,
  rows: Pick<RowOptions, "mixedShapes">,
): void {
  if (!options.skipBadRows) checkBadRows(options.input, found);
  if (!rows.mixedShapes) checkShapes(found);
  if (options.changed === undefined) checkChanged(found);
}

function checkBadRows(inputs: readonly string[], found: readonly Found[]): void {
  const count = found.reduce((total, { badCount }) => total + badCount, 0);
  if (count === 0) return;
  const lines = found.flatMap(({ badLines }, index) =>
    badLines.map(({ line, problem }) => `  ${inputs[index]}:${line}: ${problem}`)
  ).slice(0, 20);
  if (count > lines.length) lines.push(`  … and ${count - lines.length} more`);
  throw new SourceError(
    `Cannot send ${count} ${count === 1 ? "line" : "lines"} of the input; nothing was sent\n` +
      `${lines.join("\n")}\n` +
      "Mend them, or add --skip-bad-rows to write them to the failures file and do the rest",
  );
}

function checkShapes(found: readonly Found[]): void {
  const shapes = new Map<string, number>();
  for (const one of found) {
    for (const [shape, count] of one.shapes) shapes.set(shape, (shapes.get(shape) ?? 0) + count);
  }
  if (shapes.size < 2) return;
  throw new UsageError(
    `Cannot send rows of ${shapes.size} shapes in one run: ${counted(shapes)}. ` +
      "Add --mixed-shapes if that is meant",
  );
}

function checkChanged(found: readonly Found[]): void {
  const count = found.reduce((total, { changed }) => total + changed, 0);
  if (count === 0) return;
  throw new UsageError(
    `Cannot go on: ${count} ${count === 1 ? "row was" : "rows were"} edited after being settled. ` +
      "Add --changed reask to ask again, or --changed keep to keep the old answers",
  );
}

/** One line for each input: what was found in it. Another one where no row has a field of `--uid-field`. */
export function describeInput(inputs: readonly string[], found: readonly Found[]): string[] {
  return [...countLines(inputs, found), ...uidFieldLines(inputs, found)];
}

function countLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.map((one, index) => {
    const name = inputs[index] === "-" ? "standard input" : inputs[index];
    const parts = [`${name}: ${plural(one.rows, "row")}`];
    if (one.shapes.size > 0) parts.push(`(${counted(one.shapes)})`);
    if (one.samples > 1) parts.push(`with ${one.samples.toLocaleString("en-US")} samples each`);
    const extras = [
      [one.succeeded, "have a result"],
      [one.failed, "failed before"],
      [one.merged, "merged as identical"],
      [one.changed, "edited since"],
      [one.badCount, "bad"],
    ] as const;
    const said = extras.filter(([count]) => count > 0).map(([count, what]) =>
      `${count.toLocaleString("en-US")} ${what}`
    );
    // Batch files do, and it is what will be paid for, whatever `model` says.
    if (one.models.size > 0) said.push(`asks models of its own: ${listed(one.models)}`);
    return said.length === 0 ? parts.join(" ") : `${parts.join(" ")}, ${said.join(", ")}`;
  });
}

/** Without a word of it, a mistyped name is found out when the results are to be joined by their uids. */
function uidFieldLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ rows, hashed, unmetUidFields }, index) => {
    if (rows === 0 || unmetUidFields.length === 0) return [];
    const name = inputs[index] === "-" ? "standard input" : `"${inputs[index]}"`;
    const fields = unmetUidFields.map((field) => `"${field}"`).join(" or ");
    const names = [
      ...(hashed < rows ? ["by their uid, custom_id or id"] : []),
      ...(hashed > 0 ? ["by a hash of themselves"] : []),
    ];
    return [
      `No row of ${name} has a value for the field ${fields} of --uid-field: ` +
      `rows are named ${names.join(", or ")}`,
    ];
  });
}

function listed(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, MODELS_SHOWN);
  return names.size > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}

function counted(shapes: ReadonlyMap<string, number>): string {
  return [...shapes].map(([shape, count]) => `${count.toLocaleString("en-US")} ${shape}`).join(
    ", ",
  );
}

function plural(count: number, word: string): string {
  return `${count.toLocaleString("en-US")} ${word}${count === 1 ? "" : "s"}`;
}
