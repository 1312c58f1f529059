/**
 * The output of an export: one file, two files (training and validation), or a folder.
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

/**
 * Where an export writes its rows: a file, a training and a validation file, or the folder of a
 * dataset.
 */
export interface Targets extends AsyncDisposable {
  /** Rows that were written. */
  readonly rows: number;
  /** Validation rows among them. */
  readonly validationRows: number;
  /** The file of the validation rows, if they have one of their own. */
  readonly validationPath?: string;
  /** Adds a row. Returns a promise only if there is something to wait for. */
  write(madeRow: MadeRow, isValidation: boolean): Promise<void> | undefined;
  /** Writes the rest and commits. Without this call, disposing discards the output. */
  finish(): Promise<void>;
}

/**
 * Checks that the output may be written.
 *
 * @throws {UsageError} if it must not be
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
  /** Permissions of new files. */
  readonly mode: number | undefined;
  /** How the rows were made, in sentences of Markdown. */
  readonly origin: readonly string[];
}

/** Opens the files or the folder that the options name. */
export async function openTargets(
  options: ResolvedExport,
  context: TargetContext,
): Promise<Targets> {
  return FORMATS[options.format].target === "folder"
    ? await DatasetFolder.open(options, context)
    : await FileTargets.open(options, context);
}

/** Returns the paths of the files that are written. */
function pathsOf({ output, validation }: ResolvedExport): string[] {
  if (typeof output !== "string") return [];
  return validation > 0 ? [output, validationPathOf(output)] : [output];
}

/** Returns `train.validation.jsonl.gz` for `train.jsonl.gz`. The extension may be unknown. */
function validationPathOf(path: string): string {
  const withoutExtension = withoutFormat(path);
  const stem = withoutExtension === path ? path.replace(/\.\w+$/, "") : withoutExtension;
  return `${stem}.validation${path.slice(stem.length)}`;
}

/** One file, or a training and a validation file. */
class FileTargets implements Targets {
  rows = 0;
  validationRows = 0;
  readonly validationPath: string | undefined;
  readonly #outputs: readonly Output[];
  readonly #tables: readonly TableWriter[];

  private constructor(
    outputs: readonly Output[],
    tables: readonly TableWriter[],
    validationPath: string | undefined,
  ) {
    this.validationPath = validationPath;
    this.#outputs = outputs;
    this.#tables = tables;
  }

  static async open(
    options: ResolvedExport,
    { guard, schema, mode }: TargetContext,
  ): Promise<FileTargets> {
    const { output, fileType } = options;
    const paths = pathsOf(options);
    const names = typeof output === "string" ? paths : [output];
    const outputs: Output[] = [];
    try {
      for (const name of names) outputs.push(await openOutput(name, guard, mode));
      const tables = await Promise.all(
        outputs.map((output) => openTable(fileType, schema, output)),
      );
      return new FileTargets(outputs, tables, paths[1]);
    } catch (error) {
      for (const output of outputs) await output[Symbol.asyncDispose]();
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
