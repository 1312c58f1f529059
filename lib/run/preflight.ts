/**
 * The first pass over an input: counts its rows, finds its problems, and decides for each answer
 * what the run must do. Nothing is paid for before it ends.
 *
 * @module
 */

import { sampleUid } from "../answer.ts";
import { foreignTextError, type Line } from "../formats/mod.ts";
import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, type IdTable, SEEN } from "../index/mod.ts";
import { differenceOf, type ParsedRow, requestHash, type RowParser } from "../source/mod.ts";
import { clashProblem, fileProblem, Todo } from "./plan.ts";
import type { BadRow } from "../sink/mod.ts";
import { Findings } from "./findings.ts";
import type { InputSequence } from "./input_rows.ts";
import type { RunOptions } from "./options.ts";
import type { UidSelection } from "./retry.ts";

export interface PreflightOptions
  extends AdmissionOptions, Pick<RunOptions, "changed" | "reaskAnswered"> {
  /** The input, as the user named it. */
  readonly name: string;
  readonly parser: RowParser;
  /** Maximum number of lines to read. Blank lines do not count. */
  readonly limit: number;
  /** Whether to skip rows without an outcome, as in a retry, unless `selection` names them. */
  readonly onlyFailures: boolean;
  /** The answers that a retry may request. @default all */
  readonly selection?: UidSelection;
  /** Whether the failures file already has a line for this bad row. */
  readonly isOnDisk: (bad: BadRow) => boolean;
  readonly uidFields?: readonly string[];
  /** The `promptField` of the run, unless it has a template. @default none */
  readonly promptField?: string;
  readonly signal?: AbortSignal;
}

/** Limits memory, because each row may have different fields. */
const MAX_UNSENT = 100;
/** Limits memory. The first rows suffice, because a program that rewrites a file also changes
 * them. */
const MAX_NEW_PROMPTS = 1_000;

/** Reads an input for the first time.
 *
 * @throws {SourceError} if the input cannot be read, or has another format */
export async function preflight(
  input: InputSequence,
  options: PreflightOptions,
): Promise<Findings> {
  const findings = new Findings(options.name, options.samples);
  await input.open();
  findings.missingUidFields = options.uidFields ?? [];
  findings.missingPromptField = options.promptField;
  const pass = new FirstPass(findings, options, input);
  findings.sequence = input;
  for await (const batch of input.rows()) {
    input.keptRows?.addLines(batch);
    for (const line of batch) {
      if (findings.plan.length >= options.limit) {
        if (findings.rows === 0) await pass.refuseForeign(1);
        return findings;
      }
      pass.add(line);
    }
    if (findings.rows === 0) await pass.refuseForeign(FOREIGN_CHECK_LINES);
    options.signal?.throwIfAborted();
  }
  await pass.refuseForeign(1, { isAtEnd: true });
  return findings;
}

/** If the input begins with this many bad lines, it may have another format. */
const FOREIGN_CHECK_LINES = 1_000;

interface Problem {
  readonly problem: string;
  readonly hint?: () => string;
}

class FirstPass {
  readonly #findings: Findings;
  readonly #options: PreflightOptions;
  readonly #input: InputSequence;
  /** Whether the current row would be sent differently than when it was answered or failed. */
  #isChanged = false;
  /** The number of answers of the current row that are requested. */
  #requests = 0;
  /** The slot of the current row's first answer in the table of ids. */
  #slot = -1;
  /** What this version sends differently, if an earlier version has answered the current row. */
  #difference: string | undefined;
  /** The prompt hash of the current row, computed when an answer first needs it. */
  #promptHash: string | undefined;
  /** The file of the first line, if that line is not a row. */
  #maybeForeign: InputSequence["current"] | undefined;

  constructor(findings: Findings, options: PreflightOptions, input: InputSequence) {
    this.#input = input;
    this.#findings = findings;
    this.#options = options;
  }

  add(line: Line): void {
    const findings = this.#findings;
    findings.plan.addLine();
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
    const uid = admit(parsed, this.#options, this.#decide);
    if (uid === undefined) {
      findings.merged++;
      return;
    }
    if (typeof uid !== "string") return this.#bad(line, uid, uid.sample);
    this.#count(parsed, line.number);
    if (this.#requests === 0) return;
    if (uid !== parsed.uid) findings.plan.keepCopy(Number(uid.slice(parsed.uid.length + 1)));
    else if (parsed.isUidDerived) findings.plan.keepUid(this.#slot);
  }

  /** Returns the problem of the row's image files. Those of a finished row are not checked, because
   * they may be gone. */
  #fileProblem(row: ParsedRow): string | undefined {
    const { table } = this.#options;
    const slot = table.find(row.uid);
    const isDone = slot !== -1 && (table.has(slot, HAS_RESULT) ||
      (table.has(slot, HAS_FAILURE) && !table.has(slot, ASK_AGAIN)));
    return isDone ? undefined : fileProblem(row, this.#input.images);
  }

  /** Throws if the first line looks like another format and most lines, at least `minBadLines`, are
   * bad. Some lines may still be rows, such as the last element of a JSON array. */
  async refuseForeign(minBadLines: number, { isAtEnd = false } = {}): Promise<void> {
    const { bad, rows } = this.#findings;
    if (this.#maybeForeign === undefined || bad.count < minBadLines || bad.count <= rows) return;
    const { path, name, format } = this.#maybeForeign;
    if (format !== "jsonl") return;
    // The start of the file need not be checked again, because further bad lines do not change it.
    if (bad.count > 1) this.#maybeForeign = undefined;
    const foreign = await foreignTextError(path, name, isAtEnd && bad.count === 1);
    if (foreign !== undefined) throw foreign;
  }

  #bad(line: Line, { problem, hint }: Problem, sample = 0): void {
    const findings = this.#findings;
    if (findings.bad.count === 0 && findings.rows === 0) this.#maybeForeign = this.#input.current;
    findings.bad.add(line.number, problem, hint);
    const { text, bytes } = line;
    const bad = { ...this.#input.placeOf(line.number), problem, text, bytes };
    if (!this.#options.isOnDisk(bad)) findings.plan.decide(sample, Todo.Bad);
  }

  #count(row: ParsedRow, line: number): void {
    const findings = this.#findings;
    findings.addRow(row, line, this.#requests);
    this.#options.parser.addUnsent(row, findings.unsent, MAX_UNSENT);
    if (!this.#isChanged) return;
    if (this.#difference === undefined) findings.changed++;
    else findings.addSentDifferently(this.#difference);
  }

  readonly #decide: OnAnswer = (slot, uid, sample, row) => {
    const { table, changed } = this.#options;
    const { plan, newPrompts } = this.#findings;
    const isSettled = table.has(slot, HAS_RESULT) || table.has(slot, HAS_FAILURE);
    // A row to retry is sent as it is now: there is no answer to keep.
    const isKept = isSettled && !table.has(slot, ASK_AGAIN);
    const isChanged = isKept && table.hasFingerprint(slot) && !this.#isAsSent(slot, row);
    this.#isChanged ||= isChanged;
    const todo = this.#todoOf(slot, uid, isChanged && changed === "reask");
    plan.decide(sample, todo);
    if (todo !== Todo.Skip) this.#requests++;
    if (sample > 0) return;
    this.#slot = slot;
    const isNew = !isSettled && todo !== Todo.Skip;
    if (isNew && newPrompts.size < MAX_NEW_PROMPTS) newPrompts.add(row.promptHash);
  };

  /** Whether the row's request is the same as when it was answered or failed. Omitted null values
   * make no difference. */
  #isAsSent(slot: number, row: ParsedRow): boolean {
    const { table, parser } = this.#options;
    if (table.fingerprintEquals(slot, this.#promptHash ??= row.promptHash)) return true;
    const earlier = parser.earlierRequests(row.text, Array.isArray(row.json))
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
      if (isChosen && (askChanged || reaskAnswered === true)) {
        if (reaskAnswered === true) findings.reasked++;
        findings.outdatedUids.add(uid);
        return Todo.Ask;
      }
      if (isChosen && selection?.isAll === false) findings.leftAnswered++;
      findings.succeeded++;
      return Todo.Skip;
    }
    if (table.has(slot, HAS_FAILURE)) {
      findings.failed++;
      if (!isChosen) return Todo.Skip;
      if (!askChanged && !table.has(slot, ASK_AGAIN)) return Todo.Skip;
      findings.plan.failureLines.push(table.lineOf(slot));
      return Todo.AskAgain;
    }
    // A named row is sent even if it has not failed: an interrupted `--reask-answered` may have
    // moved its answer away.
    const isNamed = isChosen && selection?.namesRows === true;
    return onlyFailures && !isNamed ? Todo.Skip : Todo.Ask;
  }
}

export interface AdmissionOptions {
  /** The ids of the outputs and of earlier rows. Ids with the flag `SEEN` are taken. */
  readonly table: IdTable;
  /** How to handle rows with the same id. `merge`: identical rows become one, and a later row that
   * differs is bad. `keep`: the second row is `<uid>~2`. */
  readonly duplicates: "merge" | "keep";
  readonly samples: number;
}

export interface Clash {
  readonly sample: number;
  /** The message. The caller puts `file:line: ` before it. */
  readonly problem: string;
}

/** Called before the id of a sample is taken. */
export type OnAnswer = (slot: number, uid: string, sample: number, row: ParsedRow) => void;

/** Takes the ids of all samples of a row, and returns the row's id. Takes none if the row is a
 * duplicate (returns undefined) or if an id belongs to another row (returns the clash). */
export function admit(
  row: ParsedRow,
  options: AdmissionOptions,
  onAnswer?: OnAnswer,
): string | undefined | Clash {
  const { table, duplicates, samples } = options;
  const { contentHash } = row;
  let uid = row.uid;
  let slot = table.insert(uid);
  let sampleInUse = firstSampleInUse(uid, slot, options);
  if (sampleInUse !== undefined && duplicates === "merge") {
    return sampleInUse === 0 && table.fingerprintEquals(slot, contentHash)
      ? undefined
      : { sample: sampleInUse, problem: clashProblem(uid, sampleInUse, samples) };
  }
  while (sampleInUse !== undefined) {
    // Copies are counted under an id that no row has: a map would take 100 bytes for each id.
    uid = `${row.uid}~${1 + table.countUp(table.insert(`${row.uid}\0~`))}`;
    slot = table.insert(uid);
    sampleInUse = firstSampleInUse(uid, slot, options);
  }
  for (let sample = 0; sample < samples; sample++) {
    const answerUid = sampleUid(uid, sample);
    if (sample > 0) slot = table.insert(answerUid);
    onAnswer?.(slot, answerUid, sample, row);
    table.set(slot, SEEN);
    table.setFingerprint(slot, contentHash);
  }
  return uid;
}

/** Returns the first sample whose id is taken, if any. `slot` is that of `uid`, the id of sample
 * 0. */
function firstSampleInUse(
  uid: string,
  slot: number,
  { table, samples }: AdmissionOptions,
): number | undefined {
  if (table.has(slot, SEEN)) return 0;
  for (let sample = 1; sample < samples; sample++) {
    const slot = table.find(sampleUid(uid, sample));
    if (slot !== -1 && table.has(slot, SEEN)) return sample;
  }
  return undefined;
}
