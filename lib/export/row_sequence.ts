/**
 * In which order rows are written, and which of them are for validation.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";

/** Whether the rows of an id are for validation: the hash of the id decides, so that they are the same in
 * each export, whatever else is in it. */
export function isForValidation(rowUid: string, share: number): boolean {
  return share > 0 && Number.parseInt(xxHash64Hex(rowUid).slice(0, 8), 16) < share * 2 ** 32;
}

/** Shuffles in place (Fisher and Yates). */
export function shuffleIn(places: Uint32Array, random: () => number): void {
  for (let i = places.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [places[i], places[j]] = [places[j], places[i]];
  }
}

/** Mulberry32: 32 bits of state, the same numbers on every machine. */
export function randomOf(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
