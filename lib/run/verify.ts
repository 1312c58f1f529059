/**
 * Checks the output of a run against its input: counts the results, the permanent failures and
 * the answers that are missing, and finds damaged lines. Unlike a run, it parses every output line.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { originOf } from "../answer.ts";
import { exists, type PathLike, pathOf, pathsOf } from "../files.ts";
import { openLines } from "../formats/mod.ts";
import { HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "../index/mod.ts";
import { foreignLineProblem, type LineKind } from "../line_blocks.ts";
import { readRunFile, rowOptionsOf } from "./run_file.ts";
import { checkOptions, oneOf, type OptionRules, requireOptions } from "../options.ts";
import { RUN_RULES } from "./run_options.ts";
import { GENERATOR_RULES, ROW_RULES } from "./resolve_options.ts";
import type { RowOptions } from "./options.ts";
import { findInputs } from "./inputs.ts";
import { refuseDivided } from "./claim.ts";
import { type OutputFiles, outputFilesOf } from "./outputs.ts";
import { InputSequence } from "./input_rows.ts";
import type { Shard } from "../shards/mod.ts";
import { preflight } from "./preflight.ts";
import { badRowUid, isBadRowLine, isPendingLine, rescuedFilesOf } from "../sink/mod.ts";
import { RowParser } from "../source/mod.ts";
import { type EndpointName, endpointProblem, ENDPOINTS } from "../teacher/mod.ts";
import { sumOf } from "../figures.js";

/** Options of {@linkcode verify}. Row options and samples default to those of the run, in its
 * `<name>.run.json`. `mixedShapes` has no effect, because rows of all shapes are counted. */
export interface VerifyOptions extends RowOptions {
  /** The input file or files, as named for the run. */
  input: PathLike | readonly PathLike[];
  /** The output, as named for the run. */
  output: PathLike;
  /** The row limit of the run: see `RunOptions`. */
  limit?: number;
  /** Answers for each row: 1 to 1,000. */
  samples?: number;
  /** The endpoint of the run: rows that cannot be sent to it are bad rows. @default "chat" */
  endpoint?: EndpointName;
  /** The shard that was run. @default the whole input */
  shard?: Shard;
}

const { input, output, limit, shard } = RUN_RULES, { samples } = GENERATOR_RULES;
const RULES: OptionRules<VerifyOptions> = {
  ...ROW_RULES,
  ...{ input, output, limit, shard, samples },
  endpoint: oneOf(ENDPOINTS),
};

/** What `verify` has found for one input. */
export interface Verification {
  /** The input, as the user named it. */
  readonly input: string;
  /** The path of the input's results file. */
  readonly results: string;
  /** Rows of the input. Duplicates count once, unless they are kept. */
  readonly rows: number;
  /** Answers for each row. */
  readonly samples: number;
  /** Answers for all rows: the sum of `succeeded`, `failed` and `pending`. */
  readonly total: number;
  /** Answers in the results file. */
  readonly succeeded: number;
  /** Answers that have failed permanently. */
  readonly failed: number;
  /** Answers that are neither results nor failures. */
  readonly pending: number;
  /** Lines of the input that cannot be sent as rows. */
  readonly badRows: number;
  /** Rows that were merged into an identical row. */
  readonly mergedDuplicates: number;
  /** Rows whose prompt was edited since an answer was finished. */
  readonly changed: number;
  /** Rows that an earlier version of Retort answered and this version would send differently. */
  readonly resent: number;
  /** Results beyond the `samples` of a row, from a run with more samples; 0 with `limit`. */
  readonly surplus: number;
  /** Results without a row in the input; 0 with `limit`. */
  readonly strangers: number;
  /** The first 20 lines that are damaged, or that repeat a uid of the results. */
  readonly damage: readonly Damage[];
  /** The number of all lines that are damaged, or that repeat a uid of the results. */
  readonly damageCount: number;
}

/**
 * Checks the files of a run, finished or not, and changes nothing. Returns what it finds for each
 * input, in their order.
 *
 * @throws {TypeError | RangeError} when an option cannot be used
 * @throws {UsageError | SourceError | SinkError} when a file cannot be read, or shards or a merge
 * hold the answers
 */
export async function verify(options: VerifyOptions): Promise<Verification[]> {
  checkOptions(options, RULES);
  requireOptions("verify", options, ["input", "output"], RULES);
  const inputs = pathsOf(options.input);
  if (inputs.includes("-")) {
    throw new UsageError('Cannot verify "-": name the file that standard input came from');
  }
  const { files } = await findInputs(inputs);
  const output = pathOf(options.output), { shard } = options;
  if (shard !== undefined) return [await verifyShard(shard, inputs, files, options)];
  const outputs = await outputFilesOf(files, output);
  // Without this check, rows whose answers are in shards would be reported as pending.
  await refuseDivided(inputs, output, outputs).catch((cause) => {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(
      `Cannot verify "${outputs[0].results}": shards of this input, or a merge, hold the ` +
        "answers. Verify each shard with --shard, or name the merged results as the output",
      { cause },
    );
  });
  return await Array.fromAsync(outputs, (outputFiles) => verifyOne(outputFiles, options));
}

async function verifyShard(
  shard: Shard,
  inputs: readonly string[],
  files: readonly string[],
  options: VerifyOptions,
): Promise<Verification> {
  const { shardFilesOf } = await import("./shard_run.ts");
  const output = pathOf(options.output), { limit } = options;
  const request = { inputs, files, output, shard, limit, input: options, writes: false };
  const shardFiles = await shardFilesOf(request);
  return await verifyOne(shardFiles.files, { ...options, limit: shardFiles.limit });
}

async function verifyOne(files: OutputFiles, options: VerifyOptions): Promise<Verification> {
  const run = await readRunFile(files.runJson);
  const rows = rowOptionsOf(run, options);
  const samples = options.samples ?? run?.rows.samples ?? 1;
  const audit = await auditOf(files);
  const { imagesRoot, limit = Infinity } = options;
  const piecesToRead = files.pieces.map((piece) => ({ options: rows, ...piece }));
  const findings = await preflight(new InputSequence(piecesToRead, { imagesRoot }), {
    name: files.input,
    parser: new RowParser({
      ...rows,
      runParams: run?.identity.params,
      problemOf: (messages, params) =>
        endpointProblem(options.endpoint ?? "chat", messages, params),
    }),
    table: audit.table,
    limit,
    duplicates: rows.duplicates ?? "merge",
    samples,
    changed: "keep",
    onlyFailures: false,
    isOnDisk: ({ file, line }) => audit.badRows.has(badRowUid(file, line)),
  });
  const isWhole = limit === Infinity;
  const surplus = isWhole ? await audit.countSurplus(rows.uidField) : 0;
  const { total, succeeded, failed } = findings;
  return {
    ...{ input: files.input, results: files.results, rows: findings.rows, samples },
    ...{ total, succeeded, failed, pending: total - succeeded - failed },
    badRows: findings.bad.count,
    mergedDuplicates: findings.merged,
    changed: findings.changed,
    resent: sumOf(findings.sentDifferently.values(), (count) => count),
    surplus,
    strangers: isWhole ? audit.orphans : 0,
    damage: audit.damage,
    damageCount: audit.damageCount,
  };
}

async function auditOf({ results, failures }: OutputFiles): Promise<Audit> {
  const audit = new Audit();
  await audit.readResults(results);
  for (const path of await rescuedFilesOf(results, "results")) {
    await audit.readResults(path, { areRescued: true });
  }
  const rescuedPaths = await rescuedFilesOf(failures, "failures");
  for (const path of [failures, ...rescuedPaths]) await audit.readFailures(path);
  return audit;
}

/** A damaged line of an output file. */
export interface Damage {
  /** The path of the file. */
  readonly path: string;
  /** Line number, from 1. */
  readonly line: number;
  /** What is wrong with the line. */
  readonly problem: string;
}

const MAX_DAMAGE_SHOWN = 20;

/** The fields of a results or failures line that are checked. */
interface AuditedRow {
  uid: string;
  prompt_hash?: unknown;
  response?: unknown;
  error?: unknown;
}

/** Collects the ids of all output lines, and the damaged lines. */
export class Audit {
  readonly table = new IdTable();
  readonly badRows = new Set<string>();
  readonly damage: Damage[] = [];
  damageCount = 0;
  readonly #resultsPaths: string[] = [];

  /** Reads a results file. Rescued lines that the output also has are not reported: the next run
   * adds only the missing lines. */
  async readResults(path: string, { areRescued = false } = {}): Promise<void> {
    this.#resultsPaths.push(path);
    for await (const { line, row } of rowsOf(path, "results", this.#report)) {
      const slot = this.#insert(row);
      if (this.table.has(slot, HAS_RESULT)) {
        if (areRescued) continue;
        this.#report(path, line, `uid ${JSON.stringify(row.uid)} has a result already`);
      } else if (typeof row.response !== "string") {
        this.#report(path, line, 'its "response" is not a string');
      }
      this.table.set(slot, HAS_RESULT);
    }
  }

  async readFailures(path: string): Promise<void> {
    for await (const { row } of rowsOf(path, "failures", this.#report)) {
      if (isBadRowLine(Boolean(row.prompt_hash), () => row.uid)) this.badRows.add(row.uid);
      // No flag is set, because the row may have a result or an earlier failure.
      else if (isPendingLine(row)) this.table.insert(row.uid);
      else this.table.set(this.#insert(row), HAS_FAILURE);
    }
  }

  /** Results without a row in the input, once `preflight` has flagged the ids of all rows. */
  get orphans(): number {
    return this.table.count({ all: HAS_RESULT, none: SEEN });
  }

  /** Counts results of input rows whose sample number is too high, and removes them from `orphans`.
   * Reads the files again, because the table does not hold the row and the sample of an id. */
  async countSurplus(uidFields: readonly string[] | undefined): Promise<number> {
    const orphans = this.orphans;
    if (orphans === 0) return 0;
    for (const path of this.#resultsPaths) {
      for await (const { row } of rowsOf(path, "results")) {
        const { rowUid, sample } = originOf({ ...row }, uidFields);
        const rowSlot = this.table.find(rowUid);
        if (sample === 0 || rowSlot === -1 || !this.table.has(rowSlot, SEEN)) continue;
        const slot = this.table.find(row.uid);
        // If there is no slot, an active run has written the line since `readResults`.
        if (slot !== -1) this.table.set(slot, SEEN);
      }
    }
    return orphans - this.orphans;
  }

  #insert({ uid, prompt_hash: hash }: AuditedRow): number {
    const slot = this.table.insert(uid);
    const isHash = typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash);
    // The table keeps the prompt hash of the result or, without a result, of the last failure.
    if (isHash && !this.table.has(slot, HAS_RESULT)) this.table.setFingerprint(slot, hash);
    return slot;
  }

  readonly #report: OnDamage = (path, line, problem) => {
    if (++this.damageCount <= MAX_DAMAGE_SHOWN) this.damage.push({ path, line, problem });
  };
}

type OnDamage = (path: string, line: number, problem: string) => void;

/** Yields the intact lines of an output file; none if the file is missing. */
async function* rowsOf(
  path: string,
  kind: LineKind,
  onDamage: OnDamage = () => {},
): AsyncGenerator<{ line: number; row: AuditedRow }> {
  if (!(await exists(path))) return;
  for await (const lines of openLines(path)) {
    for (const { number: line, text, problem = "unreadable" } of lines) {
      const row = text === undefined ? problem : rowOrProblem(text, kind);
      if (typeof row === "string") onDamage(path, line, row);
      else yield { line, row };
    }
  }
}

function rowOrProblem(text: string, kind: LineKind): AuditedRow | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  return foreignLineProblem(value, kind) ?? value as AuditedRow;
}
