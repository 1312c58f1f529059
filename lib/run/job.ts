/**
 * One input of a run, and everything that belongs to it: output files, lock, index, plan and sink.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import type { InputPiece } from "../formats/mod.ts";
import { HAS_RESULT, IdTable, readIndex } from "../index/mod.ts";
import type { SummaryFile } from "../progress/mod.ts";
import type { FinishedRow, Outcome, Row } from "../row.ts";
import {
  type Lock,
  type OpenFiles,
  type ReplacementOptions,
  rescuedFilesOf,
  type SharedLock,
  Sink,
  type SinkOptions,
} from "../sink/mod.ts";
import type { RowParser } from "../source/mod.ts";
import { claimOutput, earlierRunOf, makeRoom } from "./claim.ts";
import { paramsId, type RunFile } from "./run_file.ts";
import { FailureLedger } from "./failure_ledger.ts";
import type { JobContext } from "./context.ts";
import { type OutputFiles, spoolPathOf } from "./outputs.ts";
import { checkReadableTwice, spool } from "./inputs.ts";
import { Findings, JobCounts } from "./findings.ts";
import { preflight } from "./preflight.ts";
import { removeIfThere } from "../files.ts";
import { estimateRows, InputSequence } from "./input_sequence.ts";
import { plannedRows } from "./planned_rows.ts";

/** One input and its files. Must be closed. */
export class Job {
  readonly files: OutputFiles;
  /** What the first pass found; empty before it. */
  findings = new Findings();
  /** The content of `run.json` before this run; undefined if there was none. */
  earlierRun: RunFile | undefined;
  /**
   * Whether the fields of `uidField` come after `id`, because an earlier version began this output.
   */
  uidFieldLast = false;
  #parser: RowParser | undefined;
  readonly #context: JobContext;
  readonly #ledger: FailureLedger;
  readonly #counts = new JobCounts();
  #path: string;
  #mode: number | undefined;
  #lock: Lock | undefined;
  #sink: Sink | undefined;

  constructor(files: OutputFiles, context: JobContext) {
    this.files = files;
    this.#path = files.input;
    this.#context = context;
    this.#ledger = new FailureLedger(files.failures, context.acceptsEndings);
  }

  /**
   * Checks that the input can be read twice, before anything is created. If it cannot be,
   * `findings.unreadable` says why.
   */
  async checkReadable(): Promise<void> {
    if (this.path === "-") return;
    await this.#orUnreadable(Promise.all(this.#pieces.map(({ path }) => checkReadableTwice(path))));
  }

  /** The file that rows are read from: the input itself, or the copy of standard input. */
  get path(): string {
    return this.#path;
  }

  /** The pieces that the rows are read from. */
  get #pieces(): readonly InputPiece[] {
    const { input, pieces = [{ path: this.path, name: input }] } = this.files;
    return pieces.map((piece) => ({ options: this.#context.format, ...piece }));
  }

  /** The files of the input, if the rows of several share this output; undefined for a shard. */
  get inputs(): readonly string[] | undefined {
    const { pieces = [], mergedInputs } = this.files;
    return this.#context.options.shard === undefined && pieces.length > 1
      ? pieces.map(({ name }) => name)
      : mergedInputs;
  }

  /**
   * Waits for `work`. Keeps an error of the input in `findings.unreadable`, to report it with the
   * problems of other inputs.
   */
  async #orUnreadable<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.findings.unreadable = error.message;
      return undefined;
    }
  }

  /**
   * Takes the lock, repairs truncated last lines and checks that the output may be extended.
   *
   * @throws {LockedError} when another run is writing to the output
   * @throws {UsageError} when Retort did not write a file there, or its answers were created with
   * different settings
   */
  async claim(shared?: SharedLock): Promise<void> {
    const { lock, mode } = await claimOutput(this.files, { ...this.#context, shared });
    this.#lock = lock;
    this.#mode = mode;
    await this.checkIdentity();
  }

  /** Saves standard input for both passes. */
  async spool(stream: ReadableStream<Uint8Array>): Promise<void> {
    this.#path = spoolPathOf(this.files, this.#lock!.token);
    await spool(stream, this.#path, this.#context.signal);
  }

  /** The lock's token and the permissions, for files that the run creates or replaces. */
  get replacementOptions(): ReplacementOptions {
    return { token: this.#lock?.token, mode: this.#mode };
  }

  /** Reads `run.json` and checks that the settings of the run are the same. */
  async checkIdentity(): Promise<void> {
    const { earlierRun, uidFieldLast = false } = await earlierRunOf(this.files, this.#context);
    this.earlierRun = earlierRun;
    this.uidFieldLast = uidFieldLast;
  }

  /** Makes the first pass: reads the output files and then the input. Writes nothing. */
  async preflight(): Promise<void> {
    if (this.findings.unreadable !== undefined) return;
    const { options, duplicates, identity, signal } = this.#context;
    this.#parser = this.#context.parserOf({ uidFieldLast: this.uidFieldLast });
    const limit = this.#context.limit ?? options.limit ?? Infinity;
    using table = new IdTable(Math.min(await estimateRows(this.#pieces), limit) * this.samples);
    if (options.resume !== false) {
      const mark = (slot: number) => table.set(slot, HAS_RESULT);
      const { results } = this.files;
      for (const path of [results, ...await rescuedFilesOf(results, "results")]) {
        await readIndex({ path, kind: "results" }, table, mark, signal);
      }
      await this.#ledger.read(table, options.retry ?? false);
    }
    const input = new InputSequence(this.#pieces, this.#context);
    const findings = await this.#orUnreadable(preflight(input, {
      parser: this.#parser,
      table,
      duplicates,
      samples: this.samples,
      limit,
      changed: options.changed,
      onlyFailures: Boolean(options.retry),
      selection: this.#context.selection,
      reaskAnswered: options.reaskAnswered ?? false,
      isOnDisk: (place) => this.#ledger.hasBadRow(place),
      uidFields: identity.uid_field,
      promptField: identity.template === null ? identity.prompt_field ?? undefined : undefined,
      signal,
    }));
    if (findings === undefined) return;
    // Of the table, the second pass needs only the ids that the plan keeps.
    findings.plan.takeKeys(table.releaseKeys());
    this.findings = findings;
    if (options.limit === undefined) this.#ledger.dropRepairedRows();
  }

  /** Deletes or moves away what the run replaces. Called only once all checks have passed. */
  async makeRoom(): Promise<void> {
    await makeRoom(this.files, this.findings.outdated, this.#context, this.#lock?.token);
  }

  /** Opens the output at once or, with `openFiles`, when the first line for it comes. */
  async open(sinkOptions: SinkOptions, openFiles?: OpenFiles): Promise<void> {
    const options = { ...sinkOptions, mode: this.#mode };
    this.#sink = openFiles === undefined
      ? await Sink.open(this.files, options)
      : await Sink.park(this.files, options, openFiles);
  }

  /**
   * Answers for each row. A retry defaults to the number of the run before, whose failed answers it
   * requests again. Valid once `run.json` was read.
   */
  get samples(): number {
    const { options, samples } = this.#context;
    return samples ?? (options.retry ? this.earlierRun?.rows.samples : undefined) ?? 1;
  }

  /** The lock of the output, while it is held. */
  get lock(): Lock | undefined {
    return this.#lock;
  }

  /** The sink of the output, while that is open. */
  get sink(): Sink {
    if (this.#sink === undefined) throw new Error("The job is not open");
    return this.#sink;
  }

  /** Passes on a change of the run's concurrency, while the output is open. */
  setConcurrency(concurrency: number): void {
    this.#sink?.setConcurrency(concurrency);
  }

  /** Gives up lines that are not written yet, instead of waiting for disk space. */
  abandon(): void {
    this.#sink?.abandon();
  }

  /** Returns what another program has changed in the output files or the lock; else undefined. */
  async check(): Promise<string | undefined> {
    const [file, lock] = await Promise.all([this.#sink?.check(), this.#lock?.check()]);
    return file ?? lock;
  }

  /**
   * If another program has changed the output files, directs lines to new files and adds their
   * paths to `paths`.
   */
  async moveAway(paths: string[]): Promise<void> {
    await this.#sink?.moveAway(paths);
  }

  /** The number of lines that may not be in the output files. */
  get missingLines(): number {
    return this.#sink?.missingLines ?? 0;
  }

  /** Writes an answer that was not accepted to the failures file, before its row is sent again. */
  keep(outcome: Outcome): Promise<void> {
    const written = this.sink.putPending(outcome);
    this.#ledger.keep(outcome.row.uid, this.sink.failureLines);
    return written;
  }

  /** Yields the planned rows. Bad lines are written to the failures file on the way. */
  rows(inputIndex: number): AsyncGenerator<Row[]> {
    const { identity, signal } = this.#context;
    if (this.#parser === undefined) throw new Error("The job was not prepared");
    const params = paramsId(identity.params);
    return plannedRows({
      findings: this.findings,
      parser: this.#parser,
      params: identity.params,
      input: inputIndex,
      onRetry: (uid, failureLine) => this.#ledger.askAgain(uid, failureLine),
      earlierOf: (row) => this.#ledger.earlierOf(row, params),
      onBadRow: async (bad) => {
        await this.sink.putBadRow(bad);
        this.#counts.badWritten++;
      },
      signal,
    });
  }

  /** Planned answers and bad lines that are not on disk yet. */
  get remaining(): number {
    return this.#counts.remainingOf(this.findings);
  }

  /** Called with rows once their lines are on disk. */
  settled(rows: readonly FinishedRow[]): void {
    for (const row of rows) this.#counts.add(row, this.#ledger.settle(row.uid));
  }

  /** Closes the output, and rewrites the failures file without outdated lines. */
  async tidy(): Promise<void> {
    const { failureLines } = this.sink;
    await this.sink.close();
    this.#sink = undefined;
    const problem = await this.#ledger.tidy(failureLines, this.#lock?.token);
    if (problem === undefined) return;
    this.#context.notice("warning", `${problem}: outdated lines stay in it until the next run`);
  }

  /** Closes the files, also after an error. With `abandon`, does not wait for a full disk. */
  async close({ abandon = false } = {}): Promise<void> {
    if (abandon) this.abandon();
    // Ignored, because an error has already ended the run, or `tidy` has thrown it.
    await this.#sink?.close().catch(() => {});
    this.#sink = undefined;
    // Without the lock the files belong to another run.
    if (this.#lock === undefined) return;
    if (this.path !== this.files.input) await removeIfThere(this.path).catch(() => {});
    this.#lock.release();
    this.#lock = undefined;
  }

  /** The files and counts of this input, for the summary of the run. */
  summary(): SummaryFile {
    const { input, results, failures } = this.files;
    return { input, results, failures, ...this.#counts.countsOf(this.findings) };
  }
}
