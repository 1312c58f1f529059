/**
 * The output of an export: one file, one for training and one for validation, or a folder.
 *
 * @module
 */

import { withoutFormat } from "../formats/mod.ts";
import { openTable, type Schema, type TableWriter } from "../tables/mod.ts";
import { checkFolder, DatasetFolder } from "./dataset_folder.ts";
import type { ResolvedExport } from "./export_options.ts";
import { FORMATS } from "./formats.ts";
import { checkOutput, openOutput, type Output, type OutputGuard } from "./output.ts";
import type { MadeRow } from "./row_maker.ts";

/** Takes the rows of an export, and counts them. */
export interface Targets extends AsyncDisposable {
  /** The number of rows that were written. */
  readonly rows: number;
  /** The number of validation rows among them. */
  readonly validationRows: number;
  /** Adds a row; returns a promise only when there is something to wait for. */
  write(made: MadeRow, isValidation: boolean): Promise<void> | undefined;
  /** Writes the rest and commits. Disposing of it without this discards the output. */
  finish(): Promise<void>;
}

/**
 * Makes sure that the output may be written.
 *
 * @throws {UsageError} where it must not be
 */
export async function checkTargets(options: ResolvedExport, guard: OutputGuard): Promise<void> {
  const { output, format } = options;
  if (FORMATS[format].target === "folder") return await checkFolder(output as string, guard);
  for (const path of pathsOf(options)) await checkOutput(path, guard);
}

/** What an output needs in addition to the options. */
export interface TargetContext {
  readonly guard: OutputGuard;
  readonly schema: Schema;
  /** The permissions of new files. */
  readonly mode: number | undefined;
  /** How the rows were made, in sentences. */
  readonly origin: readonly string[];
}

/** Opens the output. */
export async function openTargets(
  options: ResolvedExport,
  context: TargetContext,
): Promise<Targets> {
  return FORMATS[options.format].target === "folder"
    ? await DatasetFolder.open(options, context)
    : await FileTargets.open(options, context);
}

/** The paths of the files that are written. */
function pathsOf({ output, validation }: ResolvedExport): string[] {
  if (typeof output !== "string") return [];
  return validation > 0 ? [output, validationPathOf(output)] : [output];
}

/** `train.validation.jsonl.gz` for `train.jsonl.gz`, also for extensions that are not known. */
function validationPathOf(path: string): string {
  const known = withoutFormat(path);
  const stem = known === path ? path.replace(/\.\w+$/, "") : known;
  return `${stem}.validation${path.slice(stem.length)}`;
}

class FileTargets implements Targets {
  rows = 0;
  validationRows = 0;
  readonly #outputs: readonly Output[];
  readonly #tables: readonly TableWriter[];

  private constructor(outputs: readonly Output[], tables: readonly TableWriter[]) {
    this.#outputs = outputs;
    this.#tables = tables;
  }

  static async open(
    options: ResolvedExport,
    { guard, schema, mode }: TargetContext,
  ): Promise<FileTargets> {
    const { output, table } = options;
    const names = typeof output === "string" ? pathsOf(options) : [output];
    const outputs: Output[] = [];
    try {
      for (const name of names) outputs.push(await openOutput(name, guard, mode));
      const tables = await Promise.all(outputs.map((one) => openTable(table, schema, one)));
      return new FileTargets(outputs, tables);
    } catch (error) {
      for (const one of outputs) await one[Symbol.asyncDispose]();
      throw error;
    }
  }

  write({ row }: MadeRow, isValidation: boolean): Promise<void> | undefined {
    this.rows++;
    if (isValidation) this.validationRows++;
    return this.#tables[isValidation ? 1 : 0].write(row);
  }

  async finish(): Promise<void> {
    for (const table of this.#tables) await table.finish();
    for (const output of this.#outputs) await output.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const output of this.#outputs) await output[Symbol.asyncDispose]();
  }
}
