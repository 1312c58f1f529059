/**
 * From a source of examples to the files of a training set: two passes, and what is checked before the
 * second.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { modeMadeFrom } from "../sink/mod.ts";
import type { ExportReport } from "./export.ts";
import type { ExampleSource } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { loaderHints } from "./loaders.ts";
import { type MadeRow, RowMaker } from "./row_maker.ts";
import { isForValidation } from "./row_sequence.ts";
import { checkTargets, openTargets } from "./targets.ts";

/** Writes it. */
export async function writeSet(
  source: ExampleSource,
  options: ResolvedExport,
): Promise<ExportReport> {
  const { output, format, shuffle, maxRows, validation, paths } = options;
  const maker = new RowMaker(options);
  const guard = { replace: options.replace, sources: source.sources };
  await checkTargets(options, guard);
  await source.scan((example) => maker.takes(example) && (maker.add(example) ?? true));
  refuseEmpty(options, source, maker);
  const columns = maker.complete();
  await using targets = await openTargets(options, {
    guard,
    schema: maker.schema,
    mode: await modeMadeFrom(paths),
    origin: source.origin,
  });
  const write = async (rows: Iterable<MadeRow>) => {
    for (const made of rows) {
      if (targets.rows >= maxRows) return;
      const written = targets.write(made, isForValidation(made.example.rowUid, validation));
      if (written !== undefined) await written;
    }
  };
  for await (const examples of source.batches(shuffle)) {
    await write(maker.rowsOf(examples));
    if (targets.rows >= maxRows) break;
  }
  await write(maker.lastRows());
  await targets.finish();
  const { rows, validationRows } = targets;
  const isPath = typeof output === "string" && (format === "dataset" || /\.\w+$/.test(output));
  const hints = isPath ? loaderHints(format, output, columns) : [];
  return { rows, validationRows, columns, notes: maker.notes(), hints };
}

function refuseEmpty(
  { paths, where, allowEmpty, isOfResults }: ResolvedExport,
  { rowCount, lineCount }: ExampleSource,
  maker: RowMaker,
): void {
  if (allowEmpty || rowCount > 0) return;
  const [verb, what] = isOfResults ? ["export", "result"] : ["convert", "row"];
  const problem = maker.emptyReason() ??
    (where !== undefined && lineCount > 0 ? `no ${what} meets --where` : `there is no ${what}`);
  throw new UsageError(
    `Cannot ${verb} "${paths.join('", "')}": ${problem}. Add --allow-empty if that is meant`,
  );
}
