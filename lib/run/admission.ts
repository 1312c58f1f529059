/**
 * Which rows enter a run, and under which ids: no two answers share an id, and each sample of a row
 * has its own. Also the selection of ids that a retry may send.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { type IdTable, SEEN } from "../index/mod.ts";
import type { Row } from "../row.ts";
import { MAX_SAMPLES, reseeded } from "../params.ts";
import { NO_IMAGES, type ParsedRow, type RowImages } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import { formatCountOf } from "../figures.ts";

export interface AdmissionOptions {
  /** The ids of the outputs and of the rows so far. Those with the flag `SEEN` are taken. */
  readonly table: IdTable;
  /**
   * Rows with the same id. `merge`: identical ones are one row, others bad rows. `keep`: the second
   * is `<uid>~2`.
   */
  readonly duplicates: "merge" | "keep";
  /** Answers for each row. */
  readonly samples: number;
}

/** Why a row cannot enter a run: an id that it needs is taken. */
export interface Clash {
  /** The id that the row would have had. */
  readonly uid: string;
  /** The sample whose id is taken, from 0. */
  readonly sample: number;
  /** The message, to follow `file:line: `. */
  readonly problem: string;
}

/**
 * Called with each sample of an admitted row, before its id is taken. The slot is valid until the
 * table is written to.
 */
export type OnAnswer = (slot: number, uid: string, sample: number, row: ParsedRow) => void;

/** Gives each row its id. */
export class Admission {
  readonly #table: IdTable;
  readonly #duplicates: "merge" | "keep";
  readonly #samples: number;

  constructor(options: AdmissionOptions) {
    this.#table = options.table;
    this.#duplicates = options.duplicates;
    this.#samples = options.samples;
  }

  /**
   * Takes the ids of all samples of the next row and returns the first one, which becomes the id of
   * the row. Returns undefined for a duplicate, and a `Clash` without taking any id if one of them
   * is taken.
   */
  admit(row: ParsedRow, onAnswer?: OnAnswer): string | undefined | Clash {
    const table = this.#table;
    let uid = row.uid;
    let slot = table.insert(uid);
    let sampleInUse = table.has(slot, SEEN) ? 0 : this.#laterSampleInUse(uid);
    if (sampleInUse !== undefined && this.#duplicates === "merge") {
      return sampleInUse === 0 && table.fingerprintEquals(slot, row.contentHash)
        ? undefined
        : this.#clash(uid, sampleInUse);
    }
    while (sampleInUse !== undefined) {
      uid = this.#nextCopyOf(row.uid);
      slot = table.insert(uid);
      sampleInUse = table.has(slot, SEEN) ? 0 : this.#laterSampleInUse(uid);
    }
    const { contentHash } = row;
    for (let sample = 0; sample < this.#samples; sample++) {
      const answerUid = sampleUid(uid, sample);
      if (sample > 0) slot = table.insert(answerUid);
      onAnswer?.(slot, answerUid, sample, row);
      table.set(slot, SEEN);
      table.setFingerprint(slot, contentHash);
    }
    return uid;
  }

  /**
   * The next id for a further row with the same id. The table counts these rows under an id that no
   * row has: a map of all repeated ids would take 100 bytes for each.
   */
  #nextCopyOf(uid: string): string {
    const table = this.#table;
    return `${uid}~${1 + table.countUp(table.insert(`${uid}\0~`))}`;
  }

  /** The first sample after the row's own (0) whose id is taken; undefined if none is. */
  #laterSampleInUse(uid: string): number | undefined {
    for (let sample = 1; sample < this.#samples; sample++) {
      const slot = this.#table.find(sampleUid(uid, sample));
      if (slot !== -1 && this.#table.has(slot, SEEN)) return sample;
    }
    return undefined;
  }

  #clash(uid: string, sample: number): Clash {
    return { uid, sample, problem: clashProblem(uid, sample, this.#samples) };
  }
}

/** The message for a row whose id, or the id of one of its samples, is taken. */
export function clashProblem(uid: string, sample: number, samples: number): string {
  const taken = JSON.stringify(sampleUid(uid, sample));
  if (sample > 0) {
    return `uid ${JSON.stringify(uid)} needs ${taken} for one of its ${samples} samples, ` +
      "which belongs to an earlier row already";
  }
  const problem = `uid ${taken} belongs to an earlier row already, with other content`;
  const parent = parseSampleUid(uid);
  if (parent === undefined || parent.sample >= samples) return problem;
  return `uid ${taken} belongs to an earlier row already, or to one of the ${samples} samples of ${
    JSON.stringify(parent.uid)
  }`;
}

/**
 * Checks the number of answers for each row, and returns it.
 *
 * @throws {RangeError} when it is not a whole number from 1 to 1,000
 */
export function checkSamples(samples: number): number {
  if (Number.isInteger(samples) && samples >= 1 && samples <= MAX_SAMPLES) return samples;
  throw new RangeError(
    `Cannot use samples ${samples}: it must be a whole number from 1 to ${MAX_SAMPLES}`,
  );
}

/** The id of a sample: the row's own for the first (0), then `<uid>#1`, `<uid>#2`, … */
export function sampleUid(uid: string, sample: number): string {
  return sample === 0 ? uid : `${uid}#${sample}`;
}

/**
 * Splits an id such as `<uid>#1` into the row's id and the sample; undefined for other ids. A row
 * may also have such an id of its own: where there is a line, `originOf` tells.
 */
export function parseSampleUid(uid: string): { uid: string; sample: number } | undefined {
  const mark = uid.lastIndexOf("#"), number = uid.slice(mark + 1);
  if (mark < 1 || !SAMPLE_NUMBER.test(number)) return undefined;
  return { uid: uid.slice(0, mark), sample: Number(number) };
}

const SAMPLE_NUMBER = /^[1-9]\d{0,2}$/;

/**
 * The row to send for one of its samples.
 *
 * A seed, the row's own or that of `runParams`, is raised by `sample`: the same seed would give the
 * same answer. The prompt hash stays that of the row, so that a later sample does not look like an
 * edit.
 *
 * @param first The row of the first sample.
 * @param sample From 0.
 */
export function sampleRow(first: Row, sample: number, runParams: Params): Row {
  if (sample === 0) return first;
  const merged = first.params === undefined ? runParams : { ...runParams, ...first.params };
  const seeded = reseeded(merged, sample);
  const params = seeded === merged ? first.params : seeded;
  return { ...first, uid: sampleUid(first.uid, sample), sample, params };
}

/** Why a row's first unusable file cannot be sent; undefined if all its files can. */
export function fileProblem(
  { files }: ParsedRow,
  images: RowImages = NO_IMAGES,
): string | undefined {
  for (const path of files) {
    const problem = images.problemOf(path);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Which answers a retry may request: all, those of a list, or all but those of a list. */
export class UidSelection {
  /** Whether all ids are chosen, without any list. */
  readonly isAll: boolean;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #except: ReadonlySet<string>;
  readonly #found = new Set<string>();

  /**
   * @param only The chosen ids. @default all
   * @param except Ids that are not chosen, even if `only` has them.
   */
  constructor(only?: readonly string[], except: readonly string[] = []) {
    this.#only = only === undefined ? undefined : new Set(only);
    this.#except = new Set(except);
    this.isAll = only === undefined && except.length === 0;
  }

  /** Whether an answer is chosen. Its id is no longer `missing` then. */
  has(uid: string): boolean {
    if (this.isAll) return true;
    if (this.#except.has(uid)) return false;
    if (this.#only === undefined) return true;
    if (!this.#only.has(uid)) return false;
    this.#found.add(uid);
    return true;
  }

  /** Chosen ids that `has` was never called with: no row has them. */
  get missing(): string[] {
    return [...this.#only ?? []].filter((uid) => !this.#found.has(uid) && !this.#except.has(uid));
  }
}

/**
 * Parses a list of ids: one a line, as it is or as a JSON string. A line of a results or failures
 * file stands for its `uid`, so a file of selected lines works, too.
 *
 * @throws {UsageError} with the line that is not an id; the message lacks the name of the list
 */
export function parseUids(text: string): string[] {
  return text.replace(/^\ufeff/, "").split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    if (!/^\s*["{]/.test(line)) return [line];
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new UsageError(
        `line ${index + 1} is not an id: a line that begins with " or { must be JSON`,
      );
    }
    const uid = typeof value === "object" && value !== null ? Reflect.get(value, "uid") : value;
    if (typeof uid === "string") return [uid];
    throw new UsageError(`line ${index + 1} holds no "uid"`);
  });
}

/** The warning about ids of `--uids` that are in no input. */
export function missingUidsMessage(missing: readonly string[]): string {
  const shown = missing.slice(0, 3).map((uid) => JSON.stringify(uid)).join(", ");
  const ids = formatCountOf(missing.length, "id");
  return `--uids has ${ids} that no row has: ${shown}${missing.length > 3 ? ", …" : ""}`;
}
