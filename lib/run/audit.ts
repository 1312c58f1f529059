/**
 * Checks the output files of a run for `verify`: reads and parses every line.
 *
 * @module
 */

import { HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "../index/mod.ts";
import { originOf } from "../answer.ts";
import { exists } from "../files.ts";
import { openLines } from "../formats/mod.ts";
import { isBadRowLine, isPendingLine } from "../sink/mod.ts";
import { foreignLineProblem, type LineKind } from "../line_blocks.ts";

/** A damaged line of an output file. */
export interface Damage {
  /** The path of the file. */
  readonly path: string;
  /** Line number, from 1. */
  readonly line: number;
  /** What is wrong with it. */
  readonly problem: string;
}

const MAX_DAMAGE_SHOWN = 20;

/** Collects the ids of all output lines, and the damage. */
export class Audit {
  readonly table = new IdTable();
  readonly badRows = new Set<string>();
  readonly damage: Damage[] = [];
  damageCount = 0;

  async readResults(path: string): Promise<void> {
    for await (const { line, row } of this.#audited(path, "results")) {
      const slot = this.#insert(row);
      if (this.table.has(slot, HAS_RESULT)) {
        this.#report(path, line, `uid ${JSON.stringify(row.uid)} has a result already`);
      } else if (typeof row.response !== "string") {
        this.#report(path, line, 'its "response" is not a string');
      }
      this.table.set(slot, HAS_RESULT);
    }
  }

  /**
   * Reads results that were kept next to the output and are to be added to it; some may be in it
   * already.
   */
  async readRescued(path: string): Promise<void> {
    for await (const { row } of this.#audited(path, "results")) {
      this.table.set(this.#insert(row), HAS_RESULT);
    }
  }

  async readFailures(path: string): Promise<void> {
    for await (const { row } of this.#audited(path, "failures")) {
      if (isBadRowLine(Boolean(row.prompt_hash), () => row.uid)) this.badRows.add(row.uid);
      // The row is pending, unless it had failed before.
      else if (isPendingLine(row)) this.table.insert(row.uid);
      else this.table.set(this.#insert(row), HAS_FAILURE);
    }
  }

  /** The number of results whose row is not in the input. */
  get orphans(): number {
    return this.table.count(HAS_RESULT, SEEN);
  }

  /**
   * Counts results beyond `samples` of rows in the input, which then no longer count as orphans.
   * Only their lines show which rows they answer, and the table does not keep lines: if there are
   * orphans, the file is read again.
   *
   * @param uidFields The fields named by `--uid-field`.
   */
  async countSurplus(path: string, uidFields: readonly string[] | undefined): Promise<number> {
    if (this.orphans === 0) return 0;
    let surplus = 0;
    for await (const { row } of linesOf(path, "results")) {
      if (row === undefined) continue;
      const { rowUid, sample } = originOf({ ...row }, uidFields);
      if (sample === 0 || !this.#isSeen(this.table.find(rowUid))) continue;
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

  #insert(row: AuditedRow): number {
    const slot = this.table.insert(row.uid);
    const hash = row.prompt_hash;
    const isHash = typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash);
    // The last failure of a row counts, but a result outranks it.
    if (isHash && !this.table.has(slot, HAS_RESULT)) this.table.setFingerprint(slot, hash);
    return slot;
  }

  async *#audited(
    path: string,
    kind: LineKind,
  ): AsyncGenerator<{ line: number; row: AuditedRow }> {
    for await (const { line, row, problem } of linesOf(path, kind)) {
      if (row === undefined) this.#report(path, line, problem);
      else yield { line, row };
    }
  }

  #report(path: string, line: number, problem: string): void {
    if (++this.damageCount <= MAX_DAMAGE_SHOWN) this.damage.push({ path, line, problem });
  }
}

/** The fields of a results or failures line that the audit reads. */
interface AuditedRow {
  uid: string;
  prompt_hash?: unknown;
  response?: unknown;
  error?: unknown;
}

/** A line of an output file: its row, or what is wrong with it. */
type AuditedLine =
  | { readonly row: AuditedRow; readonly problem?: undefined }
  | { readonly row?: undefined; readonly problem: string };

/** Yields the lines of an output file with their numbers; none if there is no file. */
async function* linesOf(
  path: string,
  kind: LineKind,
): AsyncGenerator<AuditedLine & { readonly line: number }> {
  if (!(await exists(path))) return;
  for await (const batch of openLines(path)) {
    for (const { number, text, problem = "unreadable" } of batch) {
      yield { line: number, ...text === undefined ? { problem } : auditedLine(text, kind) };
    }
  }
}

function auditedLine(text: string, kind: LineKind): AuditedLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `it is not JSON: ${(error as Error).message}` };
  }
  const problem = foreignLineProblem(value, kind);
  return problem === undefined ? { row: value as AuditedRow } : { problem };
}
