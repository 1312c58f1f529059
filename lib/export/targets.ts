/**
 * The files of an export: one, or one for training and one for validation.
 *
 * @module
 */

import { openTable, type Schema, type TableWriter } from "../tables/mod.ts";
import type { ResolvedExport } from "./export_options.ts";
import type { TrainingRow } from "./formats.ts";
import { openOutput, type Output } from "./output.ts";
import type { OutputGuard } from "./output_guard.ts";

/** The paths that an export writes to. */
export function pathsOf({ output, validation }: ResolvedExport): string[] {
  if (typeof output !== "string") return [];
  return validation > 0 ? [output, validationPathOf(output)] : [output];
}

/** `train.validation.jsonl.gz` for `train.jsonl.gz`. */
export function validationPathOf(path: string): string {
  return path.replace(/((?:\.(?:jsonl|ndjson|json|csv|parquet))?(?:\.\w+))$/, ".validation$1");
}

/** Takes the rows of an export, and counts them. */
export class ExportTargets implements AsyncDisposable {
  /** How many rows were written. */
  rows = 0;
  /** How many of them are for validation. */
  validationRows = 0;
  readonly #outputs: readonly Output[];
  readonly #tables: readonly TableWriter[];

  private constructor(outputs: readonly Output[], tables: readonly TableWriter[]) {
    this.#outputs = outputs;
    this.#tables = tables;
  }

  /** Opens the files; new ones get the permissions `mode`. */
  static async open(
    options: ResolvedExport,
    guard: OutputGuard,
    schema: Schema,
    mode: number | undefined,
  ): Promise<ExportTargets> {
    const { output, table } = options;
    const names = typeof output === "string" ? pathsOf(options) : [output];
    const outputs: Output[] = [];
    try {
      for (const name of names) outputs.push(await openOutput(name, guard, mode));
      const tables = await Promise.all(outputs.map((one) => openTable(table, schema, one)));
      return new ExportTargets(outputs, tables);
    } catch (error) {
      for (const one of outputs) await one[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Adds a row. */
  write(row: TrainingRow, isValidation: boolean): Promise<void> | undefined {
    this.rows++;
    if (isValidation) this.validationRows++;
    return this.#tables[isValidation ? 1 : 0].write(row);
  }

  /** Writes the rest and makes the files stay. */
  async finish(): Promise<void> {
    for (const table of this.#tables) await table.finish();
    for (const output of this.#outputs) await output.finish();
  }

  /** Throws away what was not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const output of this.#outputs) await output[Symbol.asyncDispose]();
  }
}
