/**
 * Proof that nothing is missing: every row of the input has a result, has failed for good, or is
 * pending, and every byte of the output files is what it should be.
 *
 * @module
 */

import { UsageError } from "./errors.ts";
import { HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "./index/id_table.ts";
import { readRunFile, type RunFile } from "./run/identity.ts";
import type { RowOptions } from "./run/options.ts";
import { type OutputFiles, outputFilesOf } from "./run/outputs.ts";
import { preflight } from "./run/preflight.ts";
import { BAD_ROW_PREFIX, badRowUid } from "./sink/line.ts";
import { openLines } from "./source/lines.ts";
import { createRowParser } from "./source/parse_row.ts";

/** What is verified. Row options that are not given are those that `run.json` remembers. */
export interface VerifyOptions extends RowOptions {
  /** The input files of the run. */
  input: string[];
  /** Its output, as it was named for the run. */
  output: string;
  /** At most this many rows of each input, from its start. */
  limit?: number;
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
  /** Rows, duplicates merged; the sum of the next three. */
  readonly total: number;
  /** Rows that have a result. */
  readonly succeeded: number;
  /** Rows that have failed for good. */
  readonly failed: number;
  /** Rows that are neither. */
  readonly pending: number;
  /** Lines of the input that are no rows. */
  readonly badRows: number;
  /** Identical rows that were merged into one. */
  readonly mergedDuplicates: number;
  /** Settled rows whose prompt was edited since. */
  readonly changed: number;
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
 */
export async function verify(options: VerifyOptions): Promise<Verification[]> {
  if (options.input.includes("-")) {
    throw new UsageError('Cannot verify "-": name the file that standard input came from');
  }
  const found: Verification[] = [];
  for (const files of await outputFilesOf(options.input, options.output)) {
    found.push(await verifyOne(files, options));
  }
  return found;
}

async function verifyOne(files: OutputFiles, options: VerifyOptions): Promise<Verification> {
  const run = await readRunFile(files.runJson);
  const rows = rowOptionsOf(run, options);
  const audit = new Audit();
  await audit.readResults(files.results);
  await audit.readFailures(files.failures);
  const found = await preflight(files.input, {
    parser: createRowParser({ ...rows, runParams: run?.identity.params }),
    table: audit.table,
    limit: options.limit ?? Infinity,
    duplicates: rows.duplicates ?? "merge",
    changed: "keep",
    onlyFailures: false,
    isOnDisk: (line) => audit.badRows.has(badRowUid(files.input, line)),
  });
  return {
    input: files.input,
    results: files.results,
    total: found.total,
    succeeded: found.succeeded,
    failed: found.failed,
    pending: found.total - found.succeeded - found.failed,
    badRows: found.badCount,
    mergedDuplicates: found.merged,
    changed: found.changed,
    strangers: options.limit === undefined ? audit.table.count(HAS_RESULT, SEEN) : 0,
    damage: audit.damage,
    damageCount: audit.damageCount,
  };
}

/** The row options of a run that was made before, with what the caller says over them. */
export function rowOptionsOf(run: RunFile | undefined, options: RowOptions): RowOptions {
  const { identity, rows } = run ?? {};
  return {
    system: options.system ?? identity?.system ?? undefined,
    template: options.template ?? identity?.template ?? undefined,
    promptField: options.promptField ?? identity?.prompt_field ?? undefined,
    uidField: options.uidField ?? identity?.uid_field as string[] | undefined,
    duplicates: options.duplicates ?? rows?.duplicates,
    mixedShapes: true,
  };
}

/** Reads every byte of the output files. */
class Audit {
  readonly table = new IdTable();
  readonly badRows = new Set<string>();
  readonly damage: Damage[] = [];
  damageCount = 0;

  async readResults(path: string): Promise<void> {
    for await (const { line, row } of this.#rows(path)) {
      const slot = this.#enter(row);
      if (this.table.has(slot, HAS_RESULT)) {
        this.#report(path, line, `uid ${JSON.stringify(row.uid)} has a result already`);
      } else if (typeof row.response !== "string") {
        this.#report(path, line, 'it has no "response"');
      }
      this.table.set(slot, HAS_RESULT);
    }
  }

  async readFailures(path: string): Promise<void> {
    for await (const { line, row } of this.#rows(path)) {
      if (typeof row.error !== "object" || row.error === null) {
        this.#report(path, line, 'it has no "error"');
      }
      if (row.uid.startsWith(BAD_ROW_PREFIX)) this.badRows.add(row.uid);
      else this.table.set(this.#enter(row), HAS_FAILURE);
    }
  }

  #enter(row: AuditedRow): number {
    const slot = this.table.insert(row.uid);
    const hash = row.prompt_hash;
    const isHash = typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash);
    // The last failure of a row counts, but a result outranks it.
    if (isHash && !this.table.has(slot, HAS_RESULT)) this.table.setCheck(slot, hash);
    return slot;
  }

  async *#rows(path: string): AsyncGenerator<{ line: number; row: AuditedRow }> {
    if (!(await exists(path))) return;
    for await (const batch of openLines(path)) {
      for (const { number, text, problem } of batch) {
        const row = text === undefined ? problem ?? "unreadable" : readRow(text);
        if (typeof row === "string") this.#report(path, number, row);
        else yield { line: number, row };
      }
    }
  }

  #report(path: string, line: number, problem: string): void {
    if (++this.damageCount <= DAMAGE_SHOWN) this.damage.push({ path, line, problem });
  }
}

interface AuditedRow {
  uid: string;
  prompt_hash?: unknown;
  response?: unknown;
  error?: unknown;
}

/** The row of a line, or what is wrong with the line. */
function readRow(text: string): AuditedRow | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  if (typeof value !== "object" || value === null) return "it is no object";
  if (!("uid" in value) || typeof value.uid !== "string") return 'it has no "uid" that is a string';
  return value as AuditedRow;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
