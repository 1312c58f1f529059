/**
 * Samples: the latest answers, a random choice of all answers, and the latest failures.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Outcome } from "../lib/row.ts";
import type { Sample, Samples as WireSamples } from "./monitor_state.ts";
import { MAX_TEXT, sampleOf, shortened, weightOf } from "./sample.ts";

/** Number of samples in each of the three lists. */
export const SAMPLES_PER_LIST = 20;

/**
 * Rows above this size, in UTF-16 units, are reduced to the texts that are shown, so that 60 of
 * them stay below 32 MB.
 */
const MAX_WEIGHT = 128 * 1024;

/** Longest text of a reduced row, in UTF-16 units. */
const MAX_WHOLE_TEXT = 64 * 1024;

/** Limits for the length of texts, in UTF-16 units: tried in this order until all samples fit. */
const TEXT_LENGTHS = [Infinity, 64_000, 16_000, MAX_TEXT, 2_000, 1_000, 500, 250];

/** Limit of a message with samples, in bytes, so that a page on a slow connection keeps up. */
export const MAX_SAMPLES_BYTES = 400_000;

/** A finished row, and its sample once a page was sent it. */
interface Entry {
  readonly id: number;
  readonly content: Outcome | Sample;
  shown?: Sample;
}

/**
 * Keeps at most 60 finished rows. Usually no page is open, so a row costs one small object and a
 * random number; texts are cut when they are sent.
 */
export class Samples {
  readonly #random: () => number;
  readonly #latest: Entry[] = [];
  readonly #failures: Entry[] = [];
  readonly #reservoir: Entry[] = [];
  #answers = 0;
  #lastId = 0;

  /** @param random Numbers in [0, 1). @default Math.random */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Id of the last row that was added; 0 before the first. */
  get version(): number {
    return this.#lastId;
  }

  /** Adds finished rows, in the order in which they finished. */
  add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const id = ++this.#lastId;
      const isHeavy = weightOf(outcome) > MAX_WEIGHT;
      const entry: Entry = {
        id,
        content: isHeavy ? sampleOf(outcome, id, MAX_WHOLE_TEXT) : outcome,
      };
      if (outcome.failure !== undefined) {
        push(this.#failures, entry);
      } else {
        push(this.#latest, entry);
        this.#offerToReservoir(entry);
      }
    }
  }

  /** Drops the failures: their rows are sent again. */
  forgetFailures(): void {
    this.#failures.length = 0;
  }

  /** Returns all lists of ids, and the listed samples that were added after `version`. */
  since(version = 0): WireSamples {
    const lists = [this.#latest.toReversed(), this.#reservoir, this.#failures.toReversed()];
    const entries = new Map(lists.flat().map((listed) => [listed.id, listed]));
    const [latest, reservoir, failures] = lists.map((list) => list.map(({ id }) => id));
    const added = [...entries.values()].filter(({ id }) => id > version).map(shownSample);
    return { latest, reservoir, failures, added };
  }

  /** Returns a sample with its whole texts; undefined if it is no longer kept. */
  wholeSample(id: number): Sample | undefined {
    const entry = [...this.#latest, ...this.#reservoir, ...this.#failures]
      .find((listed) => listed.id === id);
    return entry && wholeOf(entry);
  }

  /** Returns all samples with their whole texts. */
  wholeSamples(): WireSamples {
    const samples = this.since();
    return {
      ...samples,
      added: samples.added.map((sample) => this.wholeSample(sample.id) ?? sample),
    };
  }

  /** Algorithm R (Vitter, 1985): every answer so far has the same chance to be in the reservoir. */
  #offerToReservoir(entry: Entry): void {
    this.#answers++;
    if (this.#reservoir.length < SAMPLES_PER_LIST) {
      this.#reservoir.push(entry);
      return;
    }
    const place = Math.floor(this.#random() * this.#answers);
    if (place < SAMPLES_PER_LIST) this.#reservoir[place] = entry;
  }
}

/**
 * Shortens the texts of all samples to the same length, so that the samples fit into `maxBytes`. At
 * the shortest length they are returned even if they do not fit.
 */
export function shortenedToFit(
  samples: WireSamples,
  maxBytes: number = MAX_SAMPLES_BYTES,
): WireSamples {
  let { added } = samples;
  for (const length of TEXT_LENGTHS) {
    added = samples.added.map((sample) => shortened(sample, length));
    if (Buffer.byteLength(JSON.stringify(added)) <= maxBytes) break;
  }
  return { ...samples, added };
}

function shownSample(entry: Entry): Sample {
  return entry.shown ??= "row" in entry.content
    ? sampleOf(entry.content, entry.id)
    : shortened(entry.content, MAX_TEXT);
}

function wholeOf({ content, id }: Entry): Sample {
  return "row" in content ? sampleOf(content, id, Infinity) : content;
}

function push(list: Entry[], entry: Entry): void {
  list.push(entry);
  if (list.length > SAMPLES_PER_LIST) list.shift();
}
