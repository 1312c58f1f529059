/** One input of a run with its output files, lock, index, plan and sink. @module */

import { SourceError, UsageError } from "../errors.ts";
import type { InputPiece } from "../formats/mod.ts";
import { HAS_RESULT, IdTable, readIndex } from "../index/mod.ts";
import type { Summary, SummaryFile } from "../progress/mod.ts";
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
import { claimOutput, earlierRunOf, makeRoom, spoolPathOf } from "./claim.ts";
import { type Retry, retryOf, unfinishedAfter } from "./retry.ts";
import { jsonId, type RunFile, summaryOf, unchangedSummary, writeRunFile } from "./run_file.ts";
import { FailureLedger } from "./failure_ledger.ts";
import type { JobOptions } from "./jobs.ts";
import type { OutputFiles } from "./outputs.ts";
import { checkReadableTwice, estimateRows, spool, STDIN_ADVICE } from "./input_files.ts";
import { Findings } from "./findings.ts";
import { preflight } from "./preflight.ts";
import { removeIfThere } from "../files.ts";
import { InputSequence, plannedRows } from "./input_rows.ts";
import { VERSION } from "../version.ts";
import { rowParserOf } from "./resolve_options.ts";

/** One input of a run. Call `close` after use. */
export class Job {
  readonly files: OutputFiles;
  /** What the first pass found; empty before that pass. */
  findings: Findings;
  #earlierRun: RunFile | undefined;
  #retry: Retry | undefined;
  #parser: RowParser | undefined;
  readonly #jobOptions: JobOptions;
  readonly #ledger: FailureLedger;
  /** Planned answers and bad lines that are on disk. */
  #written = 0;
  /** By how much this run has increased the number of answers with a result. */
  #succeeded = 0;
  /** By how much this run has increased the number of failed answers. Negative if more failed rows
   * were answered than newly failed. */
  #failed = 0;
  #stdinCopy: string | undefined;
  #mode: number | undefined;
  /** The lock while the output is claimed. */
  lock: Lock | undefined;
  /** The output while it is open. */
  sink: Sink | undefined;

  constructor(files: OutputFiles, jobOptions: JobOptions) {
    this.files = files;
    this.findings = new Findings(files.input);
    this.#jobOptions = jobOptions;
    this.#ledger = new FailureLedger(files.failures);
  }

  /** Sets `findings.unreadable` if the input cannot be read twice. */
  async checkReadable(): Promise<void> {
    if (this.files.input === "-") return;
    const checks = this.#pieces.map(({ path }) => checkReadableTwice(path, STDIN_ADVICE));
    await this.#orUnreadable(Promise.all(checks));
  }

  get #pieces(): readonly InputPiece[] {
    const options = this.#jobOptions.context.generator;
    const pieces = this.files.pieces.map((piece) => ({ options, ...piece }));
    return this.#stdinCopy === undefined ? pieces : [{ ...pieces[0], path: this.#stdinCopy }];
  }

  /** If the input cannot be read, returns undefined, and keeps the error in `findings`: it is
   * reported together with the problems of other inputs. */
  async #orUnreadable<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.findings.unreadable = error;
      return undefined;
    }
  }

  async claim(shared?: SharedLock): Promise<void> {
    const options = { ...this.#jobOptions, shared };
    ({ lock: this.lock, mode: this.#mode } = await claimOutput(this.files, options));
    await this.checkIdentity();
  }

  /** Copies standard input to a file, which is then the input. */
  async spool(): Promise<void> {
    const { options: { stdin }, signal } = this.#jobOptions;
    if (stdin === undefined) throw new UsageError('Cannot read "-": no standard input was given');
    this.#stdinCopy = spoolPathOf(this.files, this.lock!.token);
    await spool(stdin, this.#stdinCopy, signal);
  }

  get replacementOptions(): ReplacementOptions {
    return { token: this.lock?.token, mode: this.#mode };
  }

  async checkIdentity(): Promise<void> {
    this.#earlierRun = await earlierRunOf(this.files, this.#jobOptions);
    this.#retry = retryOf(this.#jobOptions.retryIds, this.#earlierRun?.retry);
  }

  /** The first pass: reads the output files, then the input. Writes nothing. */
  async preflight(): Promise<void> {
    if (this.findings.unreadable !== undefined) return;
    const { options, identity, selection, limit, keepsRows, signal, context } = this.#jobOptions;
    const { duplicates, imagesRoot } = context.generator;
    this.#parser = rowParserOf(context.generator, { uidFieldLast: this.#uidFieldLast });
    const { results, pieces, mergedInputs } = this.files, kind = "results";
    // A merged output may hold rows of inputs that this run does not read.
    const readsAllInputs = (mergedInputs?.length ?? 0) <= pieces.length;
    const resultsPaths = [results, ...await rescuedFilesOf(results, kind)];
    let resultLines = 0;
    using table = new IdTable(Math.min(await estimateRows(this.#pieces), limit) * this.#samples);
    if (options.resume !== false) {
      const mark = (slot: number) => table.set(slot, HAS_RESULT);
      for (const path of resultsPaths) {
        resultLines += await readIndex({ path, kind }, table, mark, signal);
      }
      this.#retry = await this.#ledger.read(table, options.retry, this.#retry, signal);
    }
    const input = new InputSequence(this.#pieces, { imagesRoot, keepsRows });
    const findings = await this.#orUnreadable(preflight(input, {
      name: this.files.input,
      parser: this.#parser,
      samples: this.#samples,
      ...{ table, duplicates, limit, signal },
      changed: options.changed,
      onlyFailures: Boolean(options.retry),
      selection,
      // An interrupted retry has moved the old answers away. The answers in the results are its
      // own.
      reaskAnswered: options.reaskAnswered && this.#retry?.before === undefined,
      isOnDisk: (bad) => this.#ledger.keepBadRow(bad),
      uidFields: identity.uid_field,
      promptField: identity.template === null ? identity.prompt_field ?? undefined : undefined,
    }));
    if (findings === undefined) return;
    findings.failedAgain = this.#ledger.failedAgain;
    if (options.resume !== false && !options.retry) {
      const before = summaryOf(this.#earlierRun?.summary, this.files.results)?.succeeded ?? 0;
      // A lost result whose row is also gone from the input is not requested again.
      findings.lost = Math.max(0, Math.min(before - resultLines, findings.plan.toAsk));
    }
    if (readsAllInputs && this.#readsAllRows) await findings.countOrphans(table, resultsPaths);
    // The second pass needs only the ids that the plan keeps.
    findings.plan.keptUids.takeKeys(table.releaseKeys());
    this.findings = findings;
    if (readsAllInputs && options.limit === undefined) this.#ledger.dropRepairedRows();
  }

  /** Deletes or moves away what the run replaces. Called only once all checks have passed. */
  async makeRoom(): Promise<void> {
    await makeRoom(this.files, this.findings.outdatedUids, this.#jobOptions, this.lock?.token);
  }

  /** Writes the run file, whose name the caller must make durable. `runSummary` is null while the
   * run lasts; an idle run sends nothing. */
  async writeRunFile(runSummary: Summary | null, { isIdle }: { isIdle: boolean }): Promise<void> {
    const { options, identity, context: { generator } } = this.#jobOptions;
    const { input, runJson, pieces, mergedInputs } = this.files;
    const earlierRun = this.#earlierRun, { shard } = options;
    const names = shard === undefined ? pieces.map(({ name }) => name) : options.input;
    // A retry may have other parameters, but the original command must be able to continue.
    const keepsIdentity = Boolean(options.retry) && !options.allowMixed;
    const unchanged = isIdle ? unchangedSummary(earlierRun?.summary, this.summary()) : undefined;
    const { duplicates, mixedShapes = false, inputFormat, jsonColumns, binaryColumns } = generator;
    await writeRunFile(runJson, {
      retort: VERSION,
      input,
      inputs: mergedInputs ?? (shard || names.length > 1 ? names : undefined),
      identity: keepsIdentity ? earlierRun?.identity ?? identity : identity,
      rows: {
        ...{ duplicates, mixedShapes, samples: this.#samples, uidFieldFirst: !this.#uidFieldLast },
        ...{ inputFormat, jsonColumns, binaryColumns },
      },
      teacher: generator.address,
      params: { ...earlierRun?.params, [jsonId(identity.params)]: identity.params },
      summary: unchanged ?? runSummary,
      retry: unfinishedAfter(this.#retry, earlierRun?.retry, { isIdle, state: runSummary?.state }),
    }, { ...this.replacementOptions, syncsFolder: false });
  }

  /** Opens the output at once or, with `openFiles`, when its first line is written. */
  async open(sinkOptions: SinkOptions, openFiles?: OpenFiles): Promise<void> {
    this.sink = await Sink.open(this.files, { ...sinkOptions, mode: this.#mode }, openFiles);
  }

  /** Whether the run reads all rows of the input. False for standard input, which may hold
   * different rows than before. */
  get #readsAllRows(): boolean {
    const { limit, shard, retry } = this.#jobOptions.options;
    return !retry && (limit ?? shard) === undefined && this.files.input !== "-";
  }

  /** The number of samples, known only once the run file has been read. */
  get #samples(): number {
    return this.#jobOptions.context.generator.samples ?? this.#earlierRun?.rows.samples ?? 1;
  }

  /** Whether an earlier version began the output: it read `id` before `uidField`. */
  get #uidFieldLast(): boolean {
    return this.#earlierRun !== undefined && !this.#earlierRun.rows.uidFieldFirst;
  }

  /** Returns why the files or the lock can no longer be trusted; undefined if they can. */
  async check(): Promise<string | undefined> {
    const [file, lock] = await Promise.all([this.sink?.check(), this.lock?.check()]);
    return file ?? lock;
  }

  async moveAway(paths: string[]): Promise<void> {
    await this.sink?.moveAway(paths);
  }

  put(outcome: Outcome): Promise<void> {
    return this.sink!.put(this.#ledger.replacing(outcome));
  }

  /** Writes a rejected answer to the failures file, before its row is sent again. */
  keep(outcome: Outcome): Promise<void> {
    const writing = this.sink!.putPending(outcome);
    this.#ledger.keep(outcome.row.uid, this.sink!.failureLines);
    return writing;
  }

  /** Yields the planned rows, and writes bad lines to the failures file. */
  rows(inputIndex: number): AsyncGenerator<Row[]> {
    const { identity: { params }, signal } = this.#jobOptions, id = jsonId(params);
    return plannedRows({
      findings: this.findings,
      parser: this.#parser!,
      params,
      input: inputIndex,
      onRetry: (uid, failureLine) => this.#ledger.askAgain(uid, failureLine),
      earlierOf: (row) => this.#ledger.earlierOf(row, id),
      onBadRow: async (bad) => {
        await this.sink!.putBadRow(bad);
        this.#written++;
      },
      signal,
    });
  }

  /** Planned answers and bad lines that are not on disk yet. */
  get remaining(): number {
    const { toAsk, bad } = this.findings.plan;
    return toAsk + bad - this.#written;
  }

  settled(rows: readonly FinishedRow[]): void {
    this.#written += rows.length;
    for (const { uid, failure } of rows) {
      const hadFailed = this.#ledger.settle(uid);
      if (failure === undefined) {
        this.#succeeded++;
        if (hadFailed) this.#failed--;
      } else if (!hadFailed) this.#failed++;
    }
  }

  /** Closes the output, and removes outdated lines from the failures file. */
  async tidy(): Promise<void> {
    const { failureLines } = this.sink!;
    await this.sink!.close();
    this.sink = undefined;
    const problem = await this.#ledger.tidy(failureLines, this.lock?.token);
    if (problem !== undefined) this.#jobOptions.notices.add("warning", problem);
  }

  async close({ abandon = false } = {}): Promise<void> {
    if (abandon) this.sink?.abandon();
    // The error was reported before: it has ended the run, or `tidy` has thrown it.
    await this.sink?.close().catch(() => {});
    this.sink = undefined;
    // Without the lock, the files belong to another run.
    if (this.lock === undefined) return;
    if (this.#stdinCopy !== undefined) await removeIfThere(this.#stdinCopy).catch(() => {});
    this.lock.release();
    this.lock = undefined;
  }

  summary(): SummaryFile {
    const { files: { input, results, failures }, findings: { total } } = this;
    const succeeded = this.findings.succeeded + this.#succeeded;
    const failed = this.findings.failed + this.#failed;
    return {
      ...{ input, results, failures },
      ...{ total, succeeded, failed, pending: total - succeeded - failed },
    };
  }
}
