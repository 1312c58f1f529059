/**
 * Which rows enter a run, and under which ids: no two answers share an id. Also the selection of
 * ids that a retry may send.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { type IdTable, SEEN } from "../index/mod.ts";
import type { Row } from "../row.ts";
import { parseSampleUid, sampleUid } from "../answer.ts";
import { reseeded } from "../params.ts";
import { NO_IMAGES, type ParsedRow, type RowImages } from "../source/mod.ts";
import type { Params } from "../teacher/mod.ts";
import { formatCountOf } from "../figures.ts";

export interface AdmissionOptions {
  /** The ids of the outputs and of the rows so far. Those with the flag `SEEN` are taken. */
  readonly table: IdTable;
  /**
   * How rows with the same id are handled. `merge`: they are one row, or the later one is bad if it
   * differs. `keep`: the second row is `<uid>~2`.
   */
  readonly duplicates: "merge" | "keep";
  readonly samples: number;
}

/** An id that a row needs is taken. */
export interface Clash {
  /** The id that the row would have had. */
  readonly uid: string;
  /** The sample whose id is taken. */
  readonly sample: number;
  /** The message, to follow `file:line: `. */
  readonly problem: string;
}

/** Called before the id of a sample is taken. The slot is valid until the table is written to. */
export type OnAnswer = (slot: number, uid: string, sample: number, row: ParsedRow) => void;

/** Gives each row its id. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Takes the ids of all samples of a row, and returns the row's id; undefined for a duplicate. If
   * an id is taken already, takes none of them.
   */
  admit(row: ParsedRow, onAnswer?: OnAnswer): string | undefined | Clash {
    const { table, duplicates, samples } = this.#options;
    let uid = row.uid;
    let slot = table.insert(uid);
    let sampleInUse = table.has(slot, SEEN) ? 0 : this.#laterSampleInUse(uid);
    if (sampleInUse !== undefined && duplicates === "merge") {
      return sampleInUse === 0 && table.fingerprintEquals(slot, row.contentHash)
        ? undefined
        : { uid, sample: sampleInUse, problem: clashProblem(uid, sampleInUse, samples) };
    }
    while (sampleInUse !== undefined) {
      uid = this.#nextCopyOf(row.uid);
      slot = table.insert(uid);
      sampleInUse = table.has(slot, SEEN) ? 0 : this.#laterSampleInUse(uid);
    }
    const { contentHash } = row;
    for (let sample = 0; sample < samples; sample++) {
      const answerUid = sampleUid(uid, sample);
      if (sample > 0) slot = table.insert(answerUid);
      onAnswer?.(slot, answerUid, sample, row);
      table.set(slot, SEEN);
      table.setFingerprint(slot, contentHash);
    }
    return uid;
  }

  /** Copies are counted under an id that no row has: a map would take 100 bytes for each id. */
  #nextCopyOf(uid: string): string {
    const { table } = this.#options;
    return `${uid}~${1 + table.countUp(table.insert(`${uid}\0~`))}`;
  }

  /** The first sample after the row's own (0) whose id is taken; undefined if none is. */
  #laterSampleInUse(uid: string): number | undefined {
    const { table, samples } = this.#options;
    for (let sample = 1; sample < samples; sample++) {
      const slot = table.find(sampleUid(uid, sample));
      if (slot !== -1 && table.has(slot, SEEN)) return sample;
    }
    return undefined;
  }
}

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
 * The row to send for one of its samples. A seed, the row's own or that of `runParams`, is raised
 * by `sample`: the same seed would give the same answer. The prompt hash stays that of the row, so
 * that a later sample does not look like an edit.
 */
export function sampleRow(first: Row, sample: number, runParams: Params): Row {
  if (sample === 0) return first;
  const merged = first.params === undefined ? runParams : { ...runParams, ...first.params };
  const seeded = reseeded(merged, sample);
  const params = seeded === merged ? first.params : seeded;
  return { ...first, uid: sampleUid(first.uid, sample), sample, params };
}

/** The problem of the first file that cannot be sent; undefined if all can. */
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
  /** Whether there is no list, so that all rows are chosen. */
  readonly isAll: boolean;
  /** Whether a list says which rows are chosen, not only which are not. */
  readonly namesRows: boolean;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #except: ReadonlySet<string>;
  readonly #found = new Set<string>();

  /** `except` are not chosen, even if `only` has them. */
  constructor(only?: readonly string[], except: readonly string[] = []) {
    this.#only = only === undefined ? undefined : new Set(only);
    this.#except = new Set(except);
    this.isAll = only === undefined && except.length === 0;
    this.namesRows = only !== undefined;
  }

  /** Once an id was asked for, it is no longer `missing`. */
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
 * Parses a list of ids: one a line, as text or JSON. A results or failures line stands for its
 * `uid`.
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
