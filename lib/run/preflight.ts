/**
 * The first pass over an input: counts its rows, finds its problems, and decides for each answer
 * what the run must do. Nothing is paid for before this pass has ended.
 *
 * @module
 */

import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, type IdTable } from "../index/mod.ts";
import { foreignFormatError, foreignText, type Line } from "../formats/mod.ts";
import {
  differenceOf,
  type ParsedRow,
  requestHash,
  type RowParser,
  type RowRequest,
} from "../source/mod.ts";
import { Admission, fileProblem, type OnAnswer } from "./admission.ts";
import { Findings } from "./findings.ts";
import type { InputSequence, RowPlace } from "./input_sequence.ts";
import { Todo } from "./plan.ts";
import type { UidSelection } from "./admission.ts";

export interface PreflightOptions {
  readonly parser: RowParser;
  /** The ids of the output files. The pass adds those of the input. */
  readonly table: IdTable;
  /** Reads at most this many lines, from the start of the file; blank ones do not count. */
  readonly limit: number;
  /** Rows with the same id: see `RowOptions`. */
  readonly duplicates: "merge" | "keep";
  /** Answers for each row. */
  readonly samples: number;
  /**
   * What to do with rows that were edited after they were answered or failed; undefined only counts
   * them.
   */
  readonly changed: "reask" | "keep" | undefined;
  /** Whether rows without an outcome are skipped, as in a retry. */
  readonly onlyFailures: boolean;
  /** The answers that may be requested again in a retry. @default all */
  readonly selection?: UidSelection;
  /** Whether answers of `selection` that have a result are requested again. @default false */
  readonly reaskAnswered?: boolean;
  /** Whether the failures file already has a line for the bad row at this place. */
  readonly isOnDisk: (place: RowPlace) => boolean;
  /** The fields of `uidField`. @default [] */
  readonly uidFields?: readonly string[];
  /** The field of `promptField`. @default none */
  readonly promptField?: string;
  /** Makes the pass throw its reason. */
  readonly signal?: AbortSignal;
}

/** Maximum number of names of unsent fields that are kept: each row of a file may have others. */
const MAX_UNSENT = 100;

/**
 * Makes the first pass.
 *
 * @throws {SourceError} if the input cannot be read, or has another format
 */
export async function preflight(
  input: InputSequence,
  options: PreflightOptions,
): Promise<Findings> {
  const findings = new Findings(options.samples);
  await input.open();
  findings.missingUidFields = options.uidFields ?? [];
  findings.missingPromptField = options.promptField;
  const pass = new FirstPass(findings, options, input);
  findings.input = input;
  for await (const batch of input.rows()) {
    input.keptRows?.addLines(batch);
    for (const line of batch) {
      if (findings.plan.length >= options.limit) return findings;
      pass.take(line);
    }
    if (findings.rows === 0) pass.refuseForeign(FOREIGN_CHECK_LINES);
    options.signal?.throwIfAborted();
  }
  pass.refuseForeign(1);
  return findings;
}

/** Bad lines without a row after which a file is suspected to have another format. */
const FOREIGN_CHECK_LINES = 1_000;

/** Why a line is not a row. */
interface Problem {
  readonly problem: string;
  /** Returns what fixes it; "" if unknown. */
  readonly hint?: () => string;
}

const NO_HINT = () => "";
/** Characters of a line that are enough to recognize another format. */
const START_CHARS = 4_096;

function startOf({ text, bytes }: Line): string {
  return text?.slice(0, START_CHARS) ??
    new TextDecoder().decode(bytes?.subarray(0, START_CHARS) ?? new Uint8Array());
}

/** Decides on lines in order, and counts what it finds. */
class FirstPass {
  readonly #findings: Findings;
  readonly #options: PreflightOptions;
  readonly #admission: Admission;
  readonly #input: InputSequence;
  /**
   * Whether an answer to the current row was finished for another prompt than would be sent now.
   */
  #isChanged = false;
  /** Number of answers to the current row to request. */
  #requests = 0;
  /** The slot in the table of the current row's first answer. */
  #slot = -1;
  /**
   * For a current row that an earlier version has answered: what this version sends differently.
   */
  #difference: string | undefined;
  /**
   * The prompt hash of the current row, which its answers share; computed when the first one needs
   * it.
   */
  #promptHash: string | undefined;
  /** The beginning of the first line; set if that is not a row. */
  #firstLine: string | undefined;

  constructor(findings: Findings, options: PreflightOptions, input: InputSequence) {
    this.#input = input;
    this.#findings = findings;
    this.#options = options;
    this.#admission = new Admission(options);
  }

  take(line: Line): void {
    const findings = this.#findings;
    const parsed = line.text === undefined
      ? { problem: line.problem ?? "unreadable" }
      : this.#options.parser.parse(line.text);
    this.#input.keptRows?.addRow(line, "problem" in parsed ? undefined : parsed);
    if ("problem" in parsed) return this.#bad(line, parsed);
    const problem = parsed.files.length === 0 ? undefined : this.#fileProblem(parsed);
    if (problem !== undefined) return this.#bad(line, { problem });
    this.#isChanged = false;
    this.#requests = 0;
    this.#difference = this.#promptHash = undefined;
    const admitted = this.#admission.admit(parsed, this.#decide);
    if (admitted === undefined) {
      findings.merged++;
      return findings.plan.push(Todo.Skip);
    }
    if (typeof admitted === "string") this.#count(parsed, line.number);
    else this.#bad(line, admitted, admitted.sample);
    const uid = typeof admitted === "string" ? admitted : admitted.uid;
    if (uid !== parsed.uid) findings.plan.markCopy(Number(uid.slice(parsed.uid.length + 1)));
    else if (this.#requests > 0 && parsed.isUidDerived) findings.plan.keepUid(this.#slot);
  }

  /**
   * Returns the problem with the files that a row names. Those of a finished row need not exist any
   * more.
   */
  #fileProblem(row: ParsedRow): string | undefined {
    const { table } = this.#options;
    const slot = table.find(row.uid);
    const isDone = slot !== -1 && (table.has(slot, HAS_RESULT) ||
      (table.has(slot, HAS_FAILURE) && !table.has(slot, ASK_AGAIN)));
    return isDone ? undefined : fileProblem(row, this.#input.images);
  }

  /**
   * Rejects a file of another format: its first line looks like that, and more lines are bad than
   * are rows. Single lines of such a file may be rows, such as the last element of an array.
   *
   * @throws {SourceError} with the format and the command that converts it
   */
  refuseForeign(minBadLines: number): void {
    const { bad, rows } = this.#findings;
    if (this.#firstLine === undefined || bad.count < minBadLines || bad.count <= rows) return;
    const { name, format } = this.#input.current!;
    if (format !== "jsonl") return;
    const foreign = foreignText(this.#firstLine, name, bad.count === 1);
    if (foreign !== undefined) throw foreignFormatError(name, foreign);
  }

  #bad(line: Line, { problem, hint = NO_HINT }: Problem, sample = 0): void {
    const findings = this.#findings;
    if (findings.bad.count === 0 && findings.rows === 0) this.#firstLine = startOf(line);
    findings.bad.add(line.number, problem, hint);
    const isOnDisk = this.#options.isOnDisk(this.#input.placeOf(line.number));
    findings.plan.push(isOnDisk ? Todo.Skip : Todo.Bad, sample);
  }

  /** Counts a row that is sent or finished. */
  #count(row: ParsedRow, line: number): void {
    const findings = this.#findings;
    findings.addRow(row, line, this.#requests);
    this.#options.parser.addUnsent(row, findings.unsent, MAX_UNSENT);
    if (!this.#isChanged) return;
    if (this.#difference === undefined) findings.changed++;
    else findings.addResent(this.#difference);
  }

  /** Decides what to do for one answer, from the flags and the fingerprint of its id in the table. */
  readonly #decide: OnAnswer = (slot, uid, sample, row) => {
    const { table, changed } = this.#options;
    const { plan } = this.#findings;
    const isSettled = table.has(slot, HAS_RESULT) || table.has(slot, HAS_FAILURE);
    const isChanged = isSettled && table.hasFingerprint(slot) && !this.#isAsSent(slot, row);
    this.#isChanged ||= isChanged;
    const todo = this.#todoOf(slot, uid, isChanged && changed === "reask");
    if (todo !== Todo.Skip) this.#requests++;
    if (sample === 0) {
      this.#slot = slot;
      plan.push(todo);
    } else plan.decide(sample, todo);
  };

  /**
   * Whether what would be sent for a row is what was answered. If only null values are left out
   * now, it is the same request.
   */
  #isAsSent(slot: number, row: ParsedRow): boolean {
    const { table, parser } = this.#options;
    if (table.fingerprintEquals(slot, this.#promptHash ??= row.promptHash)) return true;
    const earlier: RowRequest | undefined = parser.earlierRequests(
      row.text,
      Array.isArray(row.json),
    )
      .find((request) => table.fingerprintEquals(slot, requestHash(request)));
    if (earlier === undefined) return false;
    const difference = differenceOf(earlier, row);
    if (difference !== "") this.#difference = difference;
    return difference === "";
  }

  #todoOf(slot: number, uid: string, askChanged: boolean): Todo {
    const { table, onlyFailures, selection, reaskAnswered } = this.#options;
    const findings = this.#findings;
    const isChosen = selection?.has(uid) ?? true;
    if (table.has(slot, HAS_RESULT)) {
      const isReasked = isChosen && reaskAnswered === true;
      if (isReasked) findings.reasked++;
      else if (isChosen && selection?.isAll === false) findings.leftAnswered++;
      if (askChanged || isReasked) findings.outdated.add(uid);
      else findings.succeeded++;
      return askChanged || isReasked ? Todo.Ask : Todo.Skip;
    }
    if (table.has(slot, HAS_FAILURE)) {
      findings.failed++;
      if (!isChosen) return Todo.Skip;
      if (!askChanged && !table.has(slot, ASK_AGAIN)) return Todo.Skip;
      findings.plan.keepFailureLine(table.lineOf(slot));
      return Todo.AskAgain;
    }
    return onlyFailures ? Todo.Skip : Todo.Ask;
  }
}
