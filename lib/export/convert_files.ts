/**
 * Converts inputs.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { checkReadableTwice, findInputs } from "../run/mod.ts";
import type { ExportReport } from "./export.ts";
import { type ConvertOptions, resolveConvert } from "./export_options.ts";
import { InputSource } from "./input_source.ts";
import { writeSet } from "./write_set.ts";

/** What `convertFiles` of the door does. */
export async function convertFiles(options: ConvertOptions): Promise<ExportReport> {
  const resolved = resolveConvert(options);
  if (resolved.paths.includes("-")) {
    throw new UsageError(
      "Cannot convert standard input: it is read twice. Write it to a file first",
    );
  }
  const { files, notes } = await findInputs(resolved.paths);
  for (const file of files) await checkReadableTwice(file);
  await using source = new InputSource(files, resolved);
  const report = await writeSet(source, { ...resolved, paths: files });
  return { ...report, notes: [...notes, ...report.notes] };
}
