/**
 * Joins the output of runs without reading their input, so missing rows go unnoticed.
 *
 * @module
 */

import { DamagedFileError, UsageError } from "../errors.ts";
import { removeIfThere } from "../files.ts";
import { HAS_FAILURE, HAS_RESULT, IdTable } from "../index/mod.ts";
import {
  foreignLineProblem,
  isBlankLine,
  type LineKind,
  linesOf,
  readLineBlocks,
} from "../line_blocks.ts";
import type { OutputFiles } from "../run/mod.ts";
import { isPendingLine, rescuedFilesOf } from "../sink/mod.ts";
import { compressedProblem, type MergeRun } from "./find_runs.ts";
import type { MergeReport } from "./mod.ts";
import { MAX_CLASHES_SHOWN } from "./merge_pass.ts";
import { emptyReport, type GrowingReport, type MergedOutput, openOutput } from "./output.ts";
import { NEWLINE } from "./line_file.ts";

/**
 * Writes the first result of each uid, and the failures of uids without a result, in the order of
 * the runs. A further result of a uid is dropped if it answers the same prompt. Otherwise, it goes
 * to the duplicates file.
 *
 * @throws {UsageError} If a line is not one that Retort writes.
 * @throws {DamagedFileError} If results exist only as a compressed copy.
 */
export async function joinRuns(
  runs: readonly MergeRun[],
  files: OutputFiles,
  signal?: AbortSignal,
): Promise<MergeReport> {
  for (const run of runs) {
    const problem = await compressedProblem(run);
    if (problem !== undefined) throw new DamagedFileError(`Cannot join runs: ${problem}`);
  }
  await using output = await openOutput(files, runs.map((run) => run.files.results));
  const pass = new JoinPass(runs, output, signal);
  await pass.addRuns(runs);
  // The run file of an earlier merge describes results that are gone.
  const paths = await output.commit(() => removeIfThere(files.runJson));
  return { ...pass.report, ...paths };
}

async function withRescued(path: string, kind: LineKind): Promise<string[]> {
  return [path, ...await rescuedFilesOf(path, kind)];
}

interface OwnLine {
  readonly uid: string;
  readonly prompt_hash?: unknown;
  readonly error?: unknown;
}

class JoinPass {
  readonly report: GrowingReport;
  readonly #output: MergedOutput;
  readonly #signal: AbortSignal | undefined;
  readonly #table = new IdTable();

  constructor(runs: readonly MergeRun[], output: MergedOutput, signal: AbortSignal | undefined) {
    this.report = emptyReport(runs);
    this.#output = output;
    this.#signal = signal;
  }

  async addRuns(runs: readonly MergeRun[]): Promise<void> {
    // Results are added first, because a failure is dropped if its row has a result.
    for (const { files: { results } } of runs) {
      for (const path of await withRescued(results, "results")) await this.#addResults(path);
    }
    for (const { files: { failures } } of runs) {
      for (const path of await withRescued(failures, "failures")) await this.#addFailures(path);
    }
    const table = this.#table;
    this.report.total = table.size;
    this.report.succeeded = table.count({ all: HAS_RESULT });
    this.report.failed = table.count({ all: HAS_FAILURE });
    this.report.pending = table.count({ none: HAS_RESULT | HAS_FAILURE });
  }

  async #addResults(path: string): Promise<void> {
    const table = this.#table;
    for await (const { bytes, value, number } of this.#lines(path, "results")) {
      const slot = table.insert(value.uid);
      const hash = hashOf(value);
      if (!table.has(slot, HAS_RESULT)) {
        table.set(slot, HAS_RESULT);
        table.setFingerprint(slot, hash);
        this.#add("results", bytes);
      } else if (table.fingerprintEquals(slot, hash)) this.report.duplicatesOfRuns++;
      else {
        const second = `${path}:${number}`;
        if (++this.report.clashCount <= MAX_CLASHES_SHOWN) {
          this.report.clashes.push({ uid: value.uid, first: "an earlier line", second });
        }
        this.#add("duplicates", bytes);
      }
    }
  }

  async #addFailures(path: string): Promise<void> {
    const table = this.#table;
    for await (const { bytes, value } of this.#lines(path, "failures")) {
      const slot = table.insert(value.uid);
      if (table.has(slot, HAS_RESULT)) continue;
      const isFinal = !isPendingLine(value);
      if (isFinal && table.has(slot, HAS_FAILURE)) {
        this.report.duplicatesOfRuns++;
        continue;
      }
      if (isFinal) table.set(slot, HAS_FAILURE);
      // A pending line is kept even after a final one: it holds an answer that an interrupted retry
      // paid for.
      this.#add("failures", bytes);
    }
  }

  #add(name: "results" | "failures" | "duplicates", bytes: Uint8Array): void {
    this.#output[name].add(bytes);
    this.#output[name].add(NEWLINE);
  }

  async *#lines(path: string, kind: LineKind) {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let number = 0;
    for await (const block of readLineBlocks(path)) {
      this.#signal?.throwIfAborted();
      for (const bytes of linesOf(block)) {
        number++;
        if (isBlankLine(bytes)) continue;
        yield { bytes, number, value: ownLine(bytes, decoder, kind, `${path}:${number}`) };
      }
      await this.#output.flush();
    }
  }
}

function ownLine(
  bytes: Uint8Array,
  decoder: TextDecoder,
  kind: LineKind,
  place: string,
): OwnLine {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UsageError(
      `Cannot join ${place}: it is not JSON: ${reason}. Repair or remove the line`,
    );
  }
  const problem = foreignLineProblem(value, kind);
  if (problem === undefined) return value as OwnLine;
  throw new UsageError(`Cannot join ${place}: ${problem}. Repair or remove the line`);
}

/** Returns the prompt hash of a line. Returns zeros if there is none, so that only uids are
 * compared. */
function hashOf({ prompt_hash: hash }: OwnLine): string {
  return typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash) ? hash : "0".repeat(16);
}
