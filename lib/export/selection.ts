/**
 * Selects examples by condition and uid, without duplicates, and pairs answers for formats of
 * pairs.
 *
 * @module
 */

import {
  checkComputable,
  DerivedFields,
  distillOf,
  needsDerived,
  withBigInts,
} from "../data/mod.ts";
import { UsageError } from "../errors.ts";
import { formatCountOf } from "../figures.js";
import { xxHash64Hex } from "../hash.ts";
import { isObject, jsonOf } from "../json.ts";
import { missingUidsNotices, UidSelection } from "../run/mod.ts";
import { FieldNotes, parsePath, parseWhere, valueAt, type Where } from "../where/mod.ts";
import type { Example } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { type LogprobsProblem, readLogprobs } from "./logprobs.ts";

export class Selection {
  readonly #where: Where | undefined;
  readonly #fieldNotes: FieldNotes | undefined;
  readonly #derivedFields: DerivedFields | undefined;
  readonly #uids: UidSelection;
  readonly #seenHashes: HashSet | undefined;
  readonly #needsLogprobs: boolean;
  readonly #isRaw: boolean;
  readonly #withoutTokens: Record<LogprobsProblem, number> = { missing: 0, different: 0 };

  constructor({ where, dedupe, uids, excludeUids, format, paths }: ResolvedExport) {
    this.#where = where === undefined ? undefined : parseWhere(where);
    this.#fieldNotes = this.#where && new FieldNotes(this.#where);
    this.#seenHashes = dedupe ? new HashSet() : undefined;
    this.#uids = new UidSelection(uids, excludeUids);
    this.#needsLogprobs = format === "logprobs";
    this.#isRaw = format === "raw";
    const fields = this.#where?.paths ?? [];
    checkComputable(fields, () => true);
    if (needsDerived(fields)) this.#derivedFields = new DerivedFields(paths);
  }

  /** Whether a row is selected. With `dedupe`, a second call for the same row returns false. */
  selects(example: Example): boolean {
    const { result } = example;
    // Derived fields are computed for every row, because the flag `duplicate` depends on earlier
    // rows.
    const derived = this.#derivedFields?.compute(example.text, promptTextOf(example));
    if (!this.#uids.has(String(result.uid))) return false;
    if (this.#where) {
      const exact = withBigInts(example.text, result);
      // In the text, `tool_calls` may be JSON text instead of a list.
      const fields = result.tool_calls === undefined
        ? exact
        : { ...exact, tool_calls: result.tool_calls };
      const distill = isObject(fields.distill) ? distillOf(fields) : undefined;
      // The derived fields are in `distill`, too, because rows may have fields of the same names.
      const row = derived ? { ...fields, distill: { ...derived, ...distill } } : fields;
      this.#fieldNotes?.add([row, distill, derived]);
      if (!this.#where.matches(row, distill, derived)) return false;
    }
    if (this.#needsLogprobs && !this.#hasLogprobs(example)) return false;
    if (this.#seenHashes === undefined) return true;
    const { response, reasoning, toolCalls = [], rejected } = example;
    // For raw rows, `prompt_hash` stands for messages and tools, which may not be restorable.
    const prompt = this.#isRaw && typeof result.prompt_hash === "string"
      ? [result.prompt_hash]
      : [example.messages, example.tools ?? []];
    const content = [...prompt, response, reasoning, toolCalls, rejected];
    return this.#seenHashes.add(xxHash64Hex(jsonOf(content)));
  }

  /**
   * Checks the fields of the condition, once all rows have been tested.
   *
   * @throws {UsageError} If the condition names a field that only the page of `retort view`
   * computes, and no row has a field of that name.
   */
  checkCondition(): void {
    checkComputable(this.#where?.paths ?? [], (name) => !this.#fieldNotes?.isAbsent(name));
  }

  /** Returns why no row was selected, if log probabilities are the reason. */
  emptyReason(): string | undefined {
    const { missing, different } = this.#withoutTokens;
    if (different > 0) return "no answer equals the text of its tokens";
    if (missing === 0) return undefined;
    return "no result holds log probabilities. Run with --keep logprobs -p logprobs=true -p top_logprobs=20";
  }

  /** Returns notes about likely mistakes in the condition, complete after all rows. */
  conditionNotes(): string[] {
    return this.#fieldNotes?.notes() ?? [];
  }

  notes(): string[] {
    const { missing, different } = this.#withoutTokens;
    return [
      ...this.conditionNotes(),
      ...missingUidsNotices(this.#uids.missing),
      ...leftOutNotes(missing, "row", "without log probabilities: run with --keep logprobs"),
      ...leftOutNotes(different, "row", "whose tokens are not the text of the answer"),
    ];
  }

  #hasLogprobs(example: Example): boolean {
    const tokens = readLogprobs(example);
    if (typeof tokens === "string") this.#withoutTokens[tokens]++;
    return typeof tokens !== "string";
  }
}

export type Pair = readonly [chosen: Example, rejected: Example];

/** Pairs the best answer to each prompt with the worst. Answers to the same line of the same input
 * must be added one after another. */
export class Pairs {
  /**
   * The number of rows left out because their best and worst answers are the same text in the
   * output.
   */
  equalRows = 0;
  readonly #scoreOf: (example: Example) => number;
  readonly #answers: Example[] = [];
  #singleRows = 0;
  #tiedRows = 0;
  #unscoredAnswers = 0;

  constructor(prefer: string) {
    this.#scoreOf = scoreOf(prefer);
  }

  /** Adds an answer. If its row is on another line than the row of the previous answer, returns the
   * pairs of the previous line. */
  add(example: Example): readonly Pair[] {
    const [first] = this.#answers;
    const isSameLine = first?.line === example.line && first.file === example.file;
    const pairs = isSameLine ? [] : this.end();
    this.#answers.push(example);
    return pairs;
  }

  /** Returns the pairs of the last line that was added. */
  end(): readonly Pair[] {
    const promptOf = ({ messages, tools }: Example) => jsonOf([messages, tools]);
    // A line may have several prompts: its row was edited, or two inputs have the same name.
    const answersByPrompt = Map.groupBy(this.#answers.splice(0), promptOf);
    return [...answersByPrompt.values()].map((answers) => this.#pairOf(answers))
      .filter((pair) => pair !== undefined);
  }

  #pairOf(answers: readonly Example[]): Pair | undefined {
    const scoredAnswers = answers.map((example) => ({ example, score: this.#scoreOf(example) }))
      .filter(({ score }) => !Number.isNaN(score));
    this.#unscoredAnswers += answers.length - scoredAnswers.length;
    if (scoredAnswers.length < 2) {
      this.#singleRows += scoredAnswers.length;
      return undefined;
    }
    scoredAnswers.sort((a, b) => b.score - a.score);
    const [best, worst] = [scoredAnswers[0], scoredAnswers.at(-1)!];
    if (best.score !== worst.score) return [best.example, worst.example];
    this.#tiedRows++;
    return undefined;
  }

  notes(): string[] {
    return [
      ...leftOutNotes(this.#singleRows, "row", "with one answer: a pair needs two"),
      ...leftOutNotes(this.#tiedRows, "row", "whose answers --prefer ranks as equal"),
      ...leftOutNotes(this.equalRows, "row", "whose best and worst answers are the same"),
      ...leftOutNotes(this.#unscoredAnswers, "answer", "without a number in the field of --prefer"),
    ];
  }
}

/** Returns a function that scores answers. Larger scores are better; NaN means no score. */
function scoreOf(prefer: string): (example: Example) => number {
  if (prefer === "shortest") return ({ response }) => -response.length;
  if (prefer === "longest") return ({ response }) => response.length;
  let path: readonly string[];
  try {
    path = parsePath(prefer);
  } catch (cause) {
    throw new UsageError(
      `Cannot use --prefer "${prefer}": it must be shortest, longest, or a numeric field`,
      { cause },
    );
  }
  return ({ result }) => {
    const value = valueAt([result, result.distill as object], path);
    return typeof value === "number" ? value : NaN;
  };
}

export function countNotes(count: number, noun: string, what: string): string[] {
  return count === 0 ? [] : [`${formatCountOf(count, noun)} ${what}`];
}

export function leftOutNotes(count: number, noun: string, what: string): string[] {
  return countNotes(count, noun, what).map((note) => `Left out ${note}`);
}

function promptTextOf({ messages }: Example): string {
  return messages.filter(({ role }) => role === "user" || role === "tool").map(({ content }) =>
    typeof content === "string" ? content : JSON.stringify(content ?? "")
  ).join("\n");
}

const SEGMENTS = 256;
const START_SLOTS = 8;
/** The share of used slots above which a segment grows. */
const MAX_FULL = 0.85;
/** The factor by which a segment grows. With it, a hash takes 9.4 to 11.8 bytes. */
const GROWTH = 1.25;

/** A set of 64-bit hashes. Ten million take 120 MB; a `Set` takes over a gigabyte and holds at most
 * 16 million. Segments grow one by one, so little is copied at a time. The chance that any two of
 * ten million rows share a hash is 3 in a million. */
export class HashSet {
  readonly #segments = Array.from({ length: SEGMENTS }, () => new Segment());

  /** Adds a hash of 16 hex digits. Returns whether it is new. */
  add(hex: string): boolean {
    const high = Number.parseInt(hex.slice(0, 8), 16), low = Number.parseInt(hex.slice(8), 16);
    // Two zeros mark an empty slot, so the hash 0 gets another low half.
    return this.#segments[low % SEGMENTS].add(high, high === 0 && low === 0 ? SEGMENTS : low);
  }
}

class Segment {
  /** Alternating high and low halves; two zeros are an empty slot. */
  #slots = new Uint32Array(2 * START_SLOTS);
  #size = 0;

  add(high: number, low: number): boolean {
    if (!this.#insert(high, low)) return false;
    if (++this.#size > this.#slots.length / 2 * MAX_FULL) this.#grow();
    return true;
  }

  #insert(high: number, low: number): boolean {
    const slots = this.#slots, { length } = slots;
    let slot = 2 * Math.floor(high / 2 ** 32 * (length / 2));
    while (slots[slot] !== 0 || slots[slot + 1] !== 0) {
      if (slots[slot] === high && slots[slot + 1] === low) return false;
      slot = slot + 2 === length ? 0 : slot + 2;
    }
    slots[slot] = high;
    slots[slot + 1] = low;
    return true;
  }

  #grow(): void {
    const oldSlots = this.#slots;
    this.#slots = new Uint32Array(2 * Math.ceil(oldSlots.length / 2 * GROWTH));
    for (let slot = 0; slot < oldSlots.length; slot += 2) {
      const high = oldSlots[slot], low = oldSlots[slot + 1];
      if (high !== 0 || low !== 0) this.#insert(high, low);
    }
  }
}
