/**
 * Several answers to one row: their ids, and what each is asked with.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Params } from "../teacher/mod.ts";
import { reseeded } from "../seed.ts";

/** The most answers that a row may have. */
export const MOST_SAMPLES = 1_000;

/**
 * Checks how many answers each row is to have, and gives the number back.
 *
 * @throws {RangeError} when it is no whole number from 1 to 1,000
 */
export function checkSamples(samples: number): number {
  if (Number.isInteger(samples) && samples >= 1 && samples <= MOST_SAMPLES) return samples;
  throw new RangeError(
    `Cannot use samples ${samples}: it must be a whole number from 1 to ${MOST_SAMPLES}`,
  );
}

/** The id of an answer: the row's own for the first (0), then `<uid>#1`, `<uid>#2`, … */
export function sampleUid(uid: string, sample: number): string {
  return sample === 0 ? uid : `${uid}#${sample}`;
}

/** The row of an id that `sampleUid` gives to an answer after the first, and which answer it is; else
 * undefined. A row may have such an id of its own, too. */
export function parseSampleUid(uid: string): { uid: string; sample: number } | undefined {
  const at = uid.lastIndexOf("#");
  if (at < 1 || !SAMPLE_NUMBER.test(uid.slice(at + 1))) return undefined;
  return { uid: uid.slice(0, at), sample: Number(uid.slice(at + 1)) };
}

const SAMPLE_NUMBER = /^[1-9]\d{0,2}$/;

/**
 * What is sent for one answer to a row.
 *
 * A seed, be it the row's own or one of `runParams`, is raised by the number of the answer: the same
 * seed would give the same answer. The prompt hash stays that of the row, so that an answer that is
 * asked for later does not look like an edit.
 *
 * @param first What is sent for the first answer.
 * @param sample Which answer it is, from 0.
 * @param runParams The parameters of the run.
 */
export function sampleRow(first: Row, sample: number, runParams: Params): Row {
  if (sample === 0) return first;
  const together = first.params === undefined ? runParams : { ...runParams, ...first.params };
  const seeded = reseeded(together, sample);
  const params = seeded === together ? first.params : seeded;
  return { ...first, uid: sampleUid(first.uid, sample), sample, params };
}
