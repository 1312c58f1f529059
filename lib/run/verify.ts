/**
 * Checks the output of a run against its input: counts the answers that are results, have failed
 * permanently, or are pending, and finds damaged lines.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { readRunFile, type RunFile } from "./run_file.ts";
import { checkOptions, requireOptions } from "../options.ts";
import { type PathLike, pathOf, pathsOf } from "../paths.ts";
import { VERIFY_RULES } from "./option_rules.ts";
import type { RowOptions } from "./options.ts";
import { findInputs } from "./inputs.ts";
import { type OutputFiles, outputFilesOf, refuseDivided } from "./outputs.ts";
import { InputSequence } from "./input_sequence.ts";
import type { Shard } from "../shards/mod.ts";
import { preflight } from "./preflight.ts";
import { checkSamples } from "./admission.ts";
import { badRowUid, rescuedFilesOf } from "../sink/mod.ts";
import { RowParser, type RowParserOptions } from "../source/mod.ts";
import { type EndpointName, endpointProblem } from "../teacher/mod.ts";
import type { Audit, Damage } from "./audit.ts";
import { sumOf } from "../figures.ts";

/**
 * Options of {@linkcode verify}. Row options and samples default to those in `run.json`;
 * `mixedShapes` has no effect, as rows of all shapes are counted.
 */
export interface VerifyOptions extends RowOptions {
  /** The input file or files, as named for the run. */
  input: PathLike | readonly PathLike[];
  /** The output, as named for the run. */
  output: PathLike;
  /** At most this many rows of each input, from its start. */
  limit?: number;
  /** Answers for each row: 1 to 1,000. */
  samples?: number;
  /** The endpoint of the run: rows that cannot be sent to it are bad rows. @default "chat" */
  endpoint?: EndpointName;
  /** The shard that was run. @default the whole input */
  shard?: Shard;
}

/** What `verify` has found for one input. */
export interface Verification {
  /** As the user named it. */
  readonly input: string;
  /** The path of its results file. */
  readonly results: string;
  /** Rows of the input, duplicates merged. */
  readonly rows: number;
  /** Answers for each row. */
  readonly samples: number;
  /** Answers for all rows: the sum of `succeeded`, `failed` and `pending`. */
  readonly total: number;
  /** Answers that are results. */
  readonly succeeded: number;
  /** Answers that have failed permanently. */
  readonly failed: number;
  /** Answers that are neither results nor failures. */
  readonly pending: number;
  /** Lines of the input that cannot be sent as rows. */
  readonly badRows: number;
  /** Rows that were merged into an identical one. */
  readonly mergedDuplicates: number;
  /** Rows whose prompt was edited since an answer was finished. */
  readonly changed: number;
  /** Rows that an earlier version of Retort answered and this one would send differently. */
  readonly resent: number;
  /** Results beyond the `samples` of a row, from a run with more samples; 0 with `limit`. */
  readonly surplus: number;
  /** Results whose row is not in the input; 0 with `limit`. */
  readonly strangers: number;
  /** The first 20 lines that are damaged, or that repeat a uid of the results. */
  readonly damage: readonly Damage[];
  /** The number of all such lines. */
  readonly damageCount: number;
}

/**
 * Reads all files of a run, finished or not, and changes nothing.
 *
 * @throws {TypeError | RangeError} when an option cannot be used
 * @throws {UsageError | SourceError | SinkError} when a file cannot be read
 */
export async function verify(options: VerifyOptions): Promise<Verification[]> {
  checkOptions(options, VERIFY_RULES);
  requireOptions("verify", options, ["input", "output"], VERIFY_RULES);
  if (options.samples !== undefined) checkSamples(options.samples);
  const inputs = pathsOf(options.input);
  if (inputs.includes("-")) {
    throw new UsageError('Cannot verify "-": name the file that standard input came from');
  }
  const verifications: Verification[] = [];
  const { files } = await findInputs(inputs);
  if (options.shard !== undefined) return [await verifyShard(inputs, files, options)];
  const outputs = await outputFilesOf(files, pathOf(options.output));
  await refuseDivided(inputs, pathOf(options.output), outputs).catch((error) => {
    throw error instanceof UsageError ? answeredElsewhere(outputs, error) : error;
  });
  for (const output of outputs) {
    verifications.push(await verifyOne(output, options));
  }
  return verifications;
}

/** For results without answers, where shards or a merge hold those: its rows are not pending. */
function answeredElsewhere([{ results }]: readonly OutputFiles[], cause: UsageError): UsageError {
  return new UsageError(
    `Cannot verify "${results}": shards of this input, or a merge, hold the answers. Verify each shard ` +
      "with --shard, or the merged results; a merge proves the same",
    { cause },
  );
}

async function verifyShard(
  named: readonly string[],
  files: readonly string[],
  options: VerifyOptions,
): Promise<Verification> {
  const { shardFilesOf } = await import("./own_shard.ts");
  const { limit, inputFormat, jsonColumns, binaryColumns } = options;
  const shard = await shardFilesOf({
    named,
    files,
    output: pathOf(options.output),
    shard: options.shard!,
    limit,
    input: { inputFormat, jsonColumns, binaryColumns },
    writes: false,
  });
  return await verifyOne(shard.files, { ...options, limit: limit && shard.limit });
}

async function verifyOne(files: OutputFiles, options: VerifyOptions): Promise<Verification> {
  const run = await readRunFile(files.runJson);
  const rows = rowOptionsOf(run, options);
  const samples = options.samples ?? run?.rows.samples ?? 1;
  const audit = await auditOf(files);
  const findings = await preflight(inputOf(files, rows, options), {
    parser: new RowParser({
      ...rows,
      runParams: run?.identity.params,
      problemOf: (messages, params) =>
        endpointProblem(options.endpoint ?? "chat", messages, params),
    }),
    table: audit.table,
    limit: options.limit ?? Infinity,
    duplicates: rows.duplicates ?? "merge",
    samples,
    changed: "keep",
    onlyFailures: false,
    isOnDisk: ({ file, line }) => audit.badRows.has(badRowUid(file, line)),
  });
  const isWhole = options.limit === undefined;
  const surplus = isWhole ? await audit.countSurplus(files.results, rows.uidField) : 0;
  const { total, succeeded, failed } = findings;
  return {
    ...{ input: files.input, results: files.results, rows: findings.rows, samples },
    ...{ total, succeeded, failed, pending: total - succeeded - failed },
    badRows: findings.bad.count,
    mergedDuplicates: findings.merged,
    changed: findings.changed,
    resent: sumOf(findings.resent.values(), (count) => count),
    surplus,
    strangers: isWhole ? audit.orphans : 0,
    damage: audit.damage,
    damageCount: audit.damageCount,
  };
}

function inputOf(
  { input: name, pieces = [{ path: name, name }] }: OutputFiles,
  rows: RowOptions,
  { imagesRoot }: VerifyOptions,
): InputSequence {
  return new InputSequence(pieces.map((piece) => ({ options: rows, ...piece })), { imagesRoot });
}

/** Reads all output, including rescued lines. */
async function auditOf({ results, failures }: OutputFiles): Promise<Audit> {
  // Loaded only here: a run indexes its output without parsing it.
  const { Audit } = await import("./audit.ts");
  const audit = new Audit();
  await audit.readResults(results);
  for (const path of await rescuedFilesOf(results, "results")) await audit.readRescued(path);
  const rescued = await rescuedFilesOf(failures, "failures");
  for (const path of [failures, ...rescued]) await audit.readFailures(path);
  return audit;
}

/**
 * The row options of an earlier run; those that the caller sets override them. `mixedShapes` is
 * always true.
 */
export function rowOptionsOf(
  run: RunFile | undefined,
  options: RowOptions,
): RowOptions & Pick<RowParserOptions, "uidFieldLast"> {
  const { identity, rows } = run ?? {};
  return {
    system: options.system ?? identity?.system ?? undefined,
    template: options.template ?? identity?.template ?? undefined,
    promptField: options.promptField ?? identity?.prompt_field ?? undefined,
    uidField: options.uidField ?? identity?.uid_field as string[] | undefined,
    duplicates: options.duplicates ?? rows?.duplicates,
    mixedShapes: true,
    inputFormat: options.inputFormat ?? rows?.inputFormat,
    jsonColumns: options.jsonColumns ?? rows?.jsonColumns,
    binaryColumns: options.binaryColumns ?? rows?.binaryColumns,
    uidFieldLast: run !== undefined && !rows?.uidFieldFirst,
  };
}
