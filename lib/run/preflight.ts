/**
 * The first pass over an input: counts its rows, finds what is wrong with it, and decides for each
 * answer what the run has to do. Nothing has been paid for when it reports.
 *
 * @module
 */

import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, type IdTable } from "../index/mod.ts";
import {
  foreignFormatError,
  foreignText,
  type Line,
  openLines,
  type ParsedRow,
  type RowParser,
} from "../source/mod.ts";
import { BadLines } from "./bad_lines.ts";
import type { Params } from "../teacher/mod.ts";
import { Admission, type OnAnswer } from "./admission.ts";
import { stampOf } from "./input_file.ts";
import { Plan, Todo } from "./plan.ts";

/** What decides about rows. */
export interface PreflightOptions {
  /** Reads a row. */
  readonly parser: RowParser;
  /** What the output files hold already. */
  readonly table: IdTable;
  /** At most this many rows, from the start of the file. */
  readonly limit: number;
  /** Two identical rows: one row, or two. */
  readonly duplicates: "merge" | "keep";
  /** Answers for each row. */
  readonly samples: number;
  /** Rows that were edited after they were settled: ask again, keep, or only count them. */
  readonly changed: "reask" | "keep" | undefined;
  /** Whether this run asks failed rows only. */
  readonly onlyFailures: boolean;
  /** Whether a line that is no row stands in the failures file already. */
  readonly isOnDisk: (line: number) => boolean;
  /** What an error calls the input. @default its path */
  readonly name?: string;
  /** The fields that the user has named for the ids of rows. @default [] */
  readonly uidFields?: readonly string[];
  /** The field that the user has named for the prompt. @default none */
  readonly promptField?: string;
  /** Ends the pass early. */
  readonly signal?: AbortSignal;
}

/** What the first pass found. Lines and rows are counted as such; what is settled is counted in
 * answers. */
export class Preflight {
  /** Answers for each row. */
  readonly samples: number;
  /** What to do, row by row. */
  readonly plan: Plan;
  /** Rows by shape. */
  readonly shapes = new Map<string, number>();
  /** The line of the first row of each shape. */
  readonly shapeStarts = new Map<string, number>();
  /** The lines that are no rows. */
  readonly bad = new BadLines();
  /** Why the input cannot be read; undefined where it can. */
  unreadable: string | undefined;
  /** Rows, duplicates merged. */
  rows = 0;
  /** Answers that are results. */
  succeeded = 0;
  /** Answers that have failed for good. */
  failed = 0;
  /** Identical rows that were merged into one. */
  merged = 0;
  /** Rows whose id is a hash of themselves. */
  hashed = 0;
  /** The fields that a person has named for the ids of rows, as long as no row has any of them. */
  unmetUidFields: readonly string[] = [];
  /** The field that the user has named for the prompt, as long as no row has it. */
  unmetPromptField: string | undefined;
  /** Rows that are lines which an earlier run has written. */
  fromRuns = 0;
  /** Rows that were edited after an answer was settled. */
  changed = 0;
  /** Ids of answers to an older prompt, which are to be made again. */
  readonly outdated = new Set<string>();
  /** Models that rows name for themselves, at most `MODELS_SHOWN` and one. */
  readonly models = new Set<string>();
  /** Parameters that rows set for themselves, at most `PARAMS_NOTED`. */
  readonly paramNames = new Set<string>();
  /** The first row that can be sent, for `--dry-run`. */
  first: ParsedRow | undefined;
  /** When the input was last written, and its size: the second pass compares. */
  stamp = "";

  /** Nothing was found yet. */
  constructor(samples = 1) {
    this.samples = samples;
    this.plan = new Plan(samples);
  }

  /** Answers that there are to be. */
  get total(): number {
    return this.rows * this.samples;
  }
}

/** How many names of parameters of rows are noted. */
const PARAMS_NOTED = 100;

/** How many of the models that rows name are told. */
export const MODELS_SHOWN = 3;

/** Makes the first pass. */
export async function preflight(path: string, options: PreflightOptions): Promise<Preflight> {
  const found = new Preflight(options.samples);
  found.stamp = await stampOf(path);
  found.unmetUidFields = options.uidFields ?? [];
  found.unmetPromptField = options.promptField;
  const judge = new RowJudge(found, options, options.name ?? path);
  for await (const batch of openLines(path, { name: options.name })) {
    for (const line of batch) {
      if (found.plan.length >= options.limit) return found;
      judge.take(line);
    }
    if (found.rows === 0) judge.refuseForeign(FEW_LINES);
    options.signal?.throwIfAborted();
  }
  judge.refuseForeign(1);
  return found;
}

/** Bad lines without a good one after which a file of another format is not read on. */
const FEW_LINES = 1_000;

/** What is wrong with a line. */
interface Problem {
  readonly problem: string;
  readonly hint?: () => string;
}

const NO_HINT = () => "";
const START_CHARS = 4_096;

function startOf({ text, bytes }: Line): string {
  return text?.slice(0, START_CHARS) ??
    new TextDecoder().decode(bytes?.subarray(0, START_CHARS) ?? new Uint8Array());
}

class RowJudge {
  readonly #found: Preflight;
  readonly #options: PreflightOptions;
  readonly #admission: Admission;
  readonly #name: string;
  /** Whether an answer to the row at hand was settled before the row was edited. */
  #isChanged = false;
  /** Whether an answer to the row at hand is to be asked for. */
  #isAsked = false;
  /** The prompt hash of the row at hand, once it was needed: its answers share it. */
  #promptHash: string | undefined;
  /** How the first line begins, where it is no row. */
  #firstLine: string | undefined;

  constructor(found: Preflight, options: PreflightOptions, name: string) {
    this.#name = name;
    this.#found = found;
    this.#options = options;
    this.#admission = new Admission(options);
  }

  take(line: Line): void {
    const found = this.#found;
    const parsed = line.text === undefined
      ? { problem: line.problem ?? "unreadable" }
      : this.#options.parser.parse(line.text);
    if ("problem" in parsed) return this.#bad(line, parsed);
    this.#isChanged = this.#isAsked = false;
    this.#promptHash = undefined;
    const admitted = this.#admission.admit(parsed, this.#decide);
    if (admitted === undefined) {
      found.merged++;
      return found.plan.push(Todo.Skip);
    }
    if (typeof admitted === "string") this.#count(parsed, line.number);
    else this.#bad(line, admitted, admitted.sample);
    const uid = typeof admitted === "string" ? admitted : admitted.uid;
    if (uid !== parsed.uid) found.plan.rename(uid);
    else if (this.#isAsked && parsed.isUidDerived) found.plan.keepUid(uid);
  }

  /**
   * Stops at a file of another format: it begins like one, and most of its lines are no rows. The last
   * element of an array may be one.
   *
   * @throws {SourceError} with the format and what converts it
   */
  refuseForeign(leastLines: number): void {
    const { bad, rows } = this.#found;
    if (this.#firstLine === undefined || bad.count < leastLines || bad.count <= rows) return;
    const format = foreignText(this.#firstLine, this.#name);
    if (format !== undefined) throw foreignFormatError(this.#name, format);
  }

  #bad(line: Line, { problem, hint = NO_HINT }: Problem, sample = 0): void {
    const found = this.#found;
    if (found.bad.count === 0 && found.rows === 0) this.#firstLine = startOf(line);
    found.bad.add(line.number, problem, hint);
    found.plan.push(this.#options.isOnDisk(line.number) ? Todo.Skip : Todo.Bad, sample);
  }

  #count(row: ParsedRow, line: number): void {
    const found = this.#found;
    found.rows++;
    found.first ??= row;
    if (row.params !== undefined) this.#noteParams(row.params);
    const model = row.params?.model;
    if (typeof model === "string" && found.models.size <= MODELS_SHOWN) found.models.add(model);
    const ofShape = found.shapes.get(row.shape) ?? 0;
    if (ofShape === 0) found.shapeStarts.set(row.shape, line);
    found.shapes.set(row.shape, ofShape + 1);
    if (row.shape === "prompt-field") found.unmetPromptField = undefined;
    if (row.clashes.length > 0 && row.has("distill") && row.has("prompt_hash")) found.fromRuns++;
    if (row.isUidDerived) found.hashed++;
    else if (found.unmetUidFields.length > 0) this.#lookForUidField(row);
    if (this.#isChanged) found.changed++;
  }

  #noteParams(params: Params): void {
    const { paramNames } = this.#found;
    for (const name in params) if (paramNames.size < PARAMS_NOTED) paramNames.add(name);
  }

  /** Of a row that is named by a hash it is known that it has none of them. */
  #lookForUidField(row: ParsedRow): void {
    const found = this.#found;
    if (found.unmetUidFields.some((field) => row.has(field))) found.unmetUidFields = [];
  }

  /** Decides on one answer, from what the table knows of it. */
  readonly #decide: OnAnswer = (slot, uid, sample, row) => {
    const { table, changed } = this.#options;
    const { plan } = this.#found;
    const isSettled = table.has(slot, HAS_RESULT) || table.has(slot, HAS_FAILURE);
    const isChanged = isSettled && !table.isCheckEmpty(slot) &&
      !table.checkEquals(slot, this.#promptHash ??= row.promptHash);
    this.#isChanged ||= isChanged;
    const todo = this.#todoOf(slot, uid, isChanged && changed === "reask");
    this.#isAsked ||= todo !== Todo.Skip;
    if (sample === 0) plan.push(todo);
    else plan.decide(sample, todo);
  };

  #todoOf(slot: number, uid: string, askChanged: boolean): Todo {
    const { table, onlyFailures } = this.#options;
    const found = this.#found;
    if (table.has(slot, HAS_RESULT)) {
      if (askChanged) found.outdated.add(uid);
      else found.succeeded++;
      return askChanged ? Todo.Ask : Todo.Skip;
    }
    if (table.has(slot, HAS_FAILURE)) {
      found.failed++;
      if (!askChanged && !table.has(slot, ASK_AGAIN)) return Todo.Skip;
      found.plan.keepFailureLine(table.lineOf(slot));
      return Todo.AskAgain;
    }
    return onlyFailures ? Todo.Skip : Todo.Ask;
  }
}
