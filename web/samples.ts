/**
 * Samples: the latest answers, a random choice of all answers, and the latest failures.
 *
 * @module
 */

import type { Outcome } from "../lib/row.ts";
import { byteLength } from "./cut.ts";
import type { Sample, Samples as WireSamples } from "./monitor_state.ts";
import { MAX_TEXT, sampleOf, shortened, weightOf } from "./sample.ts";

/** Number of samples in each of the three lists. */
export const SAMPLES_OF_A_KIND = 20;

/**
 * Rows above this size are reduced to the texts that are shown, so that 60 of them stay below 32
 * MB. In UTF-16 units.
 */
const MAX_WEIGHT = 128 * 1024;

/** Longest text of a reduced row, in UTF-16 units. */
const MAX_WHOLE = 64 * 1024;

/** Limits of the texts, tried in this order until all samples fit. */
const TEXT_LENGTHS = [Infinity, 64_000, 16_000, MAX_TEXT, 2_000, 1_000, 500, 250];

/** Limit of a message with samples, in bytes, so that a page on a slow connection keeps up. */
export const MAX_SAMPLES_BYTES = 400_000;

/** A row, and its sample once a list was sent with it. */
interface Held {
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
  readonly #latest: Held[] = [];
  readonly #failures: Held[] = [];
  readonly #reservoir: Held[] = [];
  #answers = 0;
  #lastId = 0;

  /** @param random Numbers in [0, 1). @default Math.random */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Grows with every row that is added, from 0. */
  get version(): number {
    return this.#lastId;
  }

  /** Adds rows in the order in which they finished. */
  add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const id = ++this.#lastId;
      const isHeavy = weightOf(outcome) > MAX_WEIGHT;
      const held: Held = { id, content: isHeavy ? sampleOf(outcome, id, MAX_WHOLE) : outcome };
      if (outcome.failure !== undefined) {
        push(this.#failures, held);
      } else {
        push(this.#latest, held);
        this.#consider(held);
      }
    }
  }

  /** Drops the failures: their rows are sent again. */
  forgetFailures(): void {
    this.#failures.length = 0;
  }

  /** Returns all lists of ids, and the samples that came after `version`. @default all samples */
  since(version = 0): WireSamples {
    const lists = [this.#latest.toReversed(), this.#reservoir, this.#failures.toReversed()];
    const held = new Map(lists.flat().map((one) => [one.id, one]));
    const [latest, reservoir, failures] = lists.map((list) => list.map(({ id }) => id));
    const added = [...held.values()].filter(({ id }) => id > version).map(look);
    return { latest, reservoir, failures, added };
  }

  /** Returns a sample with its whole texts; undefined if it is no longer kept. */
  whole(id: number): Sample | undefined {
    const held = [...this.#latest, ...this.#reservoir, ...this.#failures]
      .find((one) => one.id === id);
    return held && wholeOf(held);
  }

  /** Returns all samples with their whole texts. */
  wholes(): WireSamples {
    const samples = this.since();
    return { ...samples, added: samples.added.map((one) => this.whole(one.id) ?? one) };
  }

  /** Algorithm R (Vitter, 1985): every answer so far has the same chance to be in the reservoir. */
  #consider(held: Held): void {
    this.#answers++;
    if (this.#reservoir.length < SAMPLES_OF_A_KIND) {
      this.#reservoir.push(held);
      return;
    }
    const place = Math.floor(this.#random() * this.#answers);
    if (place < SAMPLES_OF_A_KIND) this.#reservoir[place] = held;
  }
}

/**
 * Shortens the texts of all samples to the same length until they fit. @default MAX_SAMPLES_BYTES
 */
export function fitted(samples: WireSamples, maxBytes: number = MAX_SAMPLES_BYTES): WireSamples {
  for (const length of TEXT_LENGTHS) {
    const added = samples.added.map((sample) => shortened(sample, length));
    const fits = byteLength(JSON.stringify(added)) <= maxBytes;
    if (fits || length === TEXT_LENGTHS.at(-1)) return { ...samples, added };
  }
  return samples;
}

function look(held: Held): Sample {
  return held.shown ??= "row" in held.content
    ? sampleOf(held.content, held.id)
    : shortened(held.content, MAX_TEXT);
}

function wholeOf({ content, id }: Held): Sample {
  return "row" in content ? sampleOf(content, id, Infinity) : content;
}

function push(list: Held[], held: Held): void {
  list.push(held);
  if (list.length > SAMPLES_OF_A_KIND) list.shift();
}
