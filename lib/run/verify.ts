/**
 * Proof that nothing is missing: every answer to a row of the input is a result, has failed permanently, or
 * is pending, and every byte of the output files is what it should be.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "../index/mod.ts";
import { readRunFile, type RunFile } from "./run_file.ts";
import { checkOptions, requireOptions } from "../options.ts";
import { type PathLike, pathOf, pathsOf } from "../paths.ts";
import { VERIFY_RULES } from "./option_rules.ts";
import type { RowOptions } from "./options.ts";
import { findInputs } from "./inputs.ts";
import { type OutputFiles, outputFilesOf } from "./outputs.ts";
import { exists } from "../files.ts";
import { InputSequence } from "./input_sequence.ts";
import type { Shard } from "../shards/mod.ts";
import { preflight } from "./preflight.ts";
import { checkSamples, parseSampleUid } from "./admission.ts";
import { openLines } from "../formats/mod.ts";
import { BAD_ROW_PREFIX, badRowUid, isPendingLine, rescuedFilesOf } from "../sink/mod.ts";
import { createRowParser, type RowParserOptions } from "../source/mod.ts";
import { type EndpointName, endpointProblem } from "../teacher/mod.ts";
import { foreignLineProblem, type LineKind } from "../line_blocks.ts";

/** What is verified. Row options and samples that are not given are those that `run.json` remembers. */
export interface VerifyOptions extends RowOptions {
  /** The input file or files of the run. */
  input: PathLike | readonly PathLike[];
  /** Its output, as it was named for the run. */
  output: PathLike;
  /** At most this many rows of each input, from its start. */
  limit?: number;
  /** Answers for each row: 1 to 1,000. */
  samples?: number;
  /** What the teachers of the run were asked through: rows that it cannot be sent are bad ones.
   * @default "chat" */
  endpoint?: EndpointName;
  /** The shard that was run. @default the whole input */
  shard?: Shard;
}

/** A line of an output file that is not what it should be. */
export interface Damage {
  /** The file. */
  readonly path: string;
  /** The line, from 1. */
  readonly line: number;
  /** What is wrong with it. */
  readonly problem: string;
}

/** What was found for one input. */
export interface Verification {
  /** The input, as it was named. */
  readonly input: string;
  /** Its results file. */
  readonly results: string;
  /** Rows, duplicates merged. */
  readonly rows: number;
  /** Answers for each row. */
  readonly samples: number;
  /** Answers for all rows; the sum of the next three. */
  readonly total: number;
  /** Answers that are results. */
  readonly succeeded: number;
  /** Answers that have failed permanently. */
  readonly failed: number;
  /** Answers that are neither. */
  readonly pending: number;
  /** Lines of the input that are no rows. */
  readonly badRows: number;
  /** Identical rows that were merged into one. */
  readonly mergedDuplicates: number;
  /** Rows whose prompt was edited since an answer was settled. */
  readonly changed: number;
  /** Rows that an earlier version has answered, and that this one would send in another way. */
  readonly resent: number;
  /** Results of rows that have more of them than `samples`: they were made when it was higher. */
  readonly surplus: number;
  /** Results whose row is not in the input. */
  readonly strangers: number;
  /** The first 20 lines that are damaged, or that repeat a uid of the results. */
  readonly damage: readonly Damage[];
  /** How many lines are. */
  readonly damageCount: number;
}

const DAMAGE_SHOWN = 20;

/**
 * Reads all files of a run, finished or not, and changes nothing.
 *
 * @throws {UsageError | SourceError} when a file cannot be read
 * @throws {RangeError} when `samples` is out of range
 */
export async function verify(options: VerifyOptions): Promise<Verification[]> {
  checkOptions(options, VERIFY_RULES);
  requireOptions("verify", options, ["input", "output"], VERIFY_RULES);
  if (options.samples !== undefined) checkSamples(options.samples);
  const inputs = pathsOf(options.input);
  if (inputs.includes("-")) {
    throw new UsageError('Cannot verify "-": name the file that standard input came from');
  }
  const found: Verification[] = [];
  const { files } = await findInputs(inputs);
  if (options.shard !== undefined) return [await verifyShard(inputs, files, options)];
  for (const one of await outputFilesOf(files, pathOf(options.output))) {
    found.push(await verifyOne(one, options));
  }
  return found;
}

async function verifyShard(
  named: readonly string[],
  files: readonly string[],
  options: VerifyOptions,
): Promise<Verification> {
  const { shardFilesOf } = await import("./shard_files.ts");
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
  const audit = new Audit();
  await audit.readResults(files.results);
  for (const path of await rescuedFilesOf(files.results, "results")) await audit.readRescued(path);
  const rescuedFailures = await rescuedFilesOf(files.failures, "failures");
  for (const path of [files.failures, ...rescuedFailures]) await audit.readFailures(path);
  const { input: name, pieces = [{ path: name, name, options: rows }] } = files;
  const input = new InputSequence(pieces, options.imagesRoot);
  const found = await preflight(input, {
    parser: createRowParser({
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
  const surplus = isWhole ? await audit.claimSurplus(files.results) : 0;
  return {
    input: files.input,
    results: files.results,
    rows: found.rows,
    samples,
    total: found.total,
    succeeded: found.succeeded,
    failed: found.failed,
    pending: found.total - found.succeeded - found.failed,
    badRows: found.bad.count,
    mergedDuplicates: found.merged,
    changed: found.changed,
    resent: found.resent.values().reduce((total, count) => total + count, 0),
    surplus,
    strangers: isWhole ? audit.strangers : 0,
    damage: audit.damage,
    damageCount: audit.damageCount,
  };
}

/** The row options of a run that was made before, with what the caller says over them. */
export function rowOptionsOf(
  run: RunFile | undefined,
  options: RowOptions,
): RowOptions & Pick<RowParserOptions, "namedLast"> {
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
    namedLast: run !== undefined && !rows?.uidFieldFirst,
  };
}

/** Reads every byte of the output files. */
class Audit {
  readonly table = new IdTable();
  readonly badRows = new Set<string>();
  readonly damage: Damage[] = [];
  damageCount = 0;

  async readResults(path: string): Promise<void> {
    for await (const { line, row } of this.#audited(path, "results")) {
      const slot = this.#enter(row);
      if (this.table.has(slot, HAS_RESULT)) {
        this.#report(path, line, `uid ${JSON.stringify(row.uid)} has a result already`);
      } else if (typeof row.response !== "string") {
        this.#report(path, line, 'its "response" is not a string');
      }
      this.table.set(slot, HAS_RESULT);
    }
  }

  /** Answers that wait to be added to the results; some may stand there already. */
  async readRescued(path: string): Promise<void> {
    for await (const { row } of this.#audited(path, "results")) {
      this.table.set(this.#enter(row), HAS_RESULT);
    }
  }

  async readFailures(path: string): Promise<void> {
    for await (const { row } of this.#audited(path, "failures")) {
      if (isBadRow(row)) this.badRows.add(row.uid);
      // A row that is still asked is pending, unless it had failed before.
      else if (isPendingLine(row)) this.table.insert(row.uid);
      else this.table.set(this.#enter(row), HAS_FAILURE);
    }
  }

  /** Results whose row is not in the input. */
  get strangers(): number {
    return this.table.count(HAS_RESULT, SEEN);
  }

  /** Counts the results that only their own uid tells to be answers to a row of the input: the table
   * keeps no uids, so the file is read again where there is any such result. They are strangers no more. */
  async claimSurplus(path: string): Promise<number> {
    if (this.strangers === 0) return 0;
    let surplus = 0;
    for await (const { row } of rowsOf(path, "results")) {
      const parent = typeof row === "string" ? undefined : parseSampleUid(row.uid);
      if (parent === undefined || typeof row === "string") continue;
      if (!this.#isSeen(this.table.find(parent.uid))) continue;
      const slot = this.table.find(row.uid);
      if (this.#isSeen(slot)) continue;
      this.table.set(slot, SEEN);
      surplus++;
    }
    return surplus;
  }

  #isSeen(slot: number): boolean {
    return slot !== -1 && this.table.has(slot, SEEN);
  }

  #enter(row: AuditedRow): number {
    const slot = this.table.insert(row.uid);
    const hash = row.prompt_hash;
    const isHash = typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash);
    // The last failure of a row counts, but a result outranks it.
    if (isHash && !this.table.has(slot, HAS_RESULT)) this.table.setCheck(slot, hash);
    return slot;
  }

  async *#audited(
    path: string,
    kind: LineKind,
  ): AsyncGenerator<{ line: number; row: AuditedRow }> {
    for await (const { line, row } of rowsOf(path, kind)) {
      if (typeof row === "string") this.#report(path, line, row);
      else yield { line, row };
    }
  }

  #report(path: string, line: number, problem: string): void {
    if (++this.damageCount <= DAMAGE_SHOWN) this.damage.push({ path, line, problem });
  }
}

/** A row of the input may have such an id, too; the line of a bad row has no prompt hash. */
function isBadRow({ uid, prompt_hash }: AuditedRow): boolean {
  return uid.startsWith(BAD_ROW_PREFIX) && !prompt_hash;
}

interface AuditedRow {
  uid: string;
  prompt_hash?: unknown;
  response?: unknown;
  error?: unknown;
}

/** The rows of an output file, or what is wrong with their lines; none where there is no file. */
async function* rowsOf(
  path: string,
  kind: LineKind,
): AsyncGenerator<{ line: number; row: AuditedRow | string }> {
  if (!(await exists(path))) return;
  for await (const batch of openLines(path)) {
    for (const { number, text, problem } of batch) {
      yield {
        line: number,
        row: text === undefined ? problem ?? "unreadable" : readRow(text, kind),
      };
    }
  }
}

/** The row of a line, or what is wrong with the line. */
function readRow(text: string, kind: LineKind): AuditedRow | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  return foreignLineProblem(value, kind) ?? value as AuditedRow;
}
