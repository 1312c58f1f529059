/** Samples: the latest answers, a random choice of all answers, and the latest failures. @module */

import { cut } from "../lib/printable.ts";
import type { Outcome, Row } from "../lib/row.ts";
import { Buffer } from "node:buffer";
import type { Sample, Samples as WireSamples } from "./monitor_state.ts";

const SAMPLES_PER_LIST = 20;

/**
 * Maximum weight of a kept row, in UTF-16 units. Heavier rows are reduced to the texts that the
 * page shows, so that 60 rows stay below 32 MB. Tool calls do not count.
 */
const MAX_WEIGHT = 128 * 1024;

/** Longest text of a reduced row, in UTF-16 units. */
const MAX_WHOLE_TEXT = 64 * 1024;

/** Longest text of a sample in a list, in UTF-16 units. */
export const MAX_TEXT = 4_000;
/** Lengths of texts, tried in this order until all samples fit. */
const TEXT_LENGTHS = [Infinity, 64_000, 16_000, MAX_TEXT, 2_000, 1_000, 500, 250];

/** Limit of a message, so that a page on a slow connection keeps up. */
export const MAX_SAMPLES_BYTES = 400_000;

interface Entry {
  readonly id: number;
  /** A `Sample` if the whole outcome is too heavy to keep. */
  readonly content: Outcome | Sample;
}

/**
 * Keeps at most 60 finished rows. Adding a row costs one small object and a random number. A row
 * with tool calls also costs their JSON. Other texts are truncated only when they are sent, because
 * usually no page is open.
 */
export class Samples {
  readonly #random: () => number;
  readonly #latest: Entry[] = [];
  readonly #failures: Entry[] = [];
  readonly #reservoir: Entry[] = [];
  #answers = 0;
  #lastId = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Id of the last row that was added. */
  get version(): number {
    return this.#lastId;
  }

  add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const id = ++this.#lastId;
      const isHeavy = weightOf(outcome) > MAX_WEIGHT;
      const entry: Entry = {
        id,
        content: isHeavy ? sampleOf(outcome, id, MAX_WHOLE_TEXT) : withoutUnshown(outcome),
      };
      if (outcome.failure !== undefined) {
        pushBounded(this.#failures, entry);
      } else {
        pushBounded(this.#latest, entry);
        this.#offerToReservoir(entry);
      }
    }
  }

  /** Prepares for the next run, which sends the failed rows again. */
  forgetFailures(): void {
    this.#failures.length = 0;
  }

  /**
   * Returns all lists, and the samples that were added after `version`, with texts truncated to
   * `maxText` UTF-16 units.
   */
  since(version = 0, maxText = MAX_TEXT): WireSamples {
    const lists = [this.#latest.toReversed(), this.#reservoir, this.#failures.toReversed()];
    const entries = new Map(lists.flat().map((listed) => [listed.id, listed]));
    const [latest, reservoir, failures] = lists.map((list) => list.map(({ id }) => id));
    const added = [...entries.values()].filter(({ id }) => id > version)
      .map((entry) => sampleIn(entry, maxText));
    return { latest, reservoir, failures, added };
  }

  /** Returns a sample with its full texts; undefined if it is no longer kept. */
  wholeSample(id: number): Sample | undefined {
    const entry = [...this.#latest, ...this.#reservoir, ...this.#failures]
      .find((listed) => listed.id === id);
    return entry && sampleIn(entry, Infinity);
  }

  wholeSamples(): WireSamples {
    return this.since(0, Infinity);
  }

  /**
   * Adds an answer by Algorithm R (Vitter, 1985), so that every answer so far has the same chance.
   */
  #offerToReservoir(entry: Entry): void {
    this.#answers++;
    if (this.#reservoir.length < SAMPLES_PER_LIST) {
      this.#reservoir.push(entry);
      return;
    }
    const index = Math.floor(this.#random() * this.#answers);
    if (index < SAMPLES_PER_LIST) this.#reservoir[index] = entry;
  }
}

/** Shortens all texts to the same length. If even the shortest do not fit, returns them. */
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

function sampleIn({ content, id }: Entry, maxText: number): Sample {
  return "row" in content ? sampleOf(content, id, maxText) : shortened(content, maxText);
}

/** Drops what no page shows: with `--keep logprobs`, 60 answers took 380 MB. */
function withoutUnshown(outcome: Outcome): Outcome {
  const { row, completion } = outcome;
  if (completion?.kept === undefined && row.earlier === undefined) return outcome;
  return {
    ...outcome,
    row: { ...row, earlier: undefined },
    completion: completion && { ...completion, kept: undefined },
  };
}

function pushBounded(list: Entry[], entry: Entry): void {
  list.push(entry);
  if (list.length > SAMPLES_PER_LIST) list.shift();
}

/** Longest uid, address or name, in UTF-16 units. */
const MAX_NAME = 200;

const MAX_MESSAGE = 1_000;

export function sampleOf(outcome: Outcome, id: number, maxText: number = MAX_TEXT): Sample {
  const { row, completion, failure } = outcome;
  return shortened({
    id,
    time: outcome.settledAt,
    uid: cut(row.uid, MAX_NAME),
    prompt: promptOf(row),
    reasoning: completion?.reasoning ?? "",
    response: completion?.response ?? "",
    tool_calls: asJson(completion?.toolCalls),
    finish_reason: cut(completion?.finishReason ?? "", MAX_NAME),
    prompt_tokens: completion?.usage?.promptTokens ?? null,
    completion_tokens: completion?.usage?.completionTokens ?? null,
    reasoning_tokens: completion?.usage?.reasoningTokens ?? null,
    latency_ms: Math.round(outcome.latencyMs),
    attempts: outcome.attempts,
    cost_usd: outcome.costUsd ?? 0,
    teacher: cut(completion?.teacher ?? outcome.teacher?.address ?? "", MAX_NAME),
    model: cut(completion?.model ?? outcome.teacher?.model ?? "", MAX_NAME),
    failure: failure === undefined ? null : {
      type: failure.type,
      message: cut(failure.message, MAX_MESSAGE),
      status: failure.status,
    },
    is_cut: false,
  }, maxText);
}

function shortened(sample: Sample, maxText: number): Sample {
  const { prompt, reasoning, response, tool_calls } = sample;
  const texts = [prompt, reasoning, response, tool_calls];
  return {
    ...sample,
    prompt: cut(prompt, maxText),
    reasoning: cut(reasoning, maxText),
    response: cut(response, maxText),
    tool_calls: cut(tool_calls, maxText),
    is_cut: sample.is_cut || texts.some((text) => text.length > maxText),
  };
}

function weightOf({ row, completion }: Outcome): number {
  return row.text.length + (completion?.response.length ?? 0) +
    (completion?.reasoning?.length ?? 0) + asJson(completion?.toolCalls).length;
}

/**
 * Returns the last user message, or else the last message. Parts other than text are replaced with
 * their type, such as `[image_url]`.
 */
function promptOf(row: Row): string {
  const message = row.messages.findLast(({ role }) => role === "user") ?? row.messages.at(-1);
  const content = message?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return asJson(content);
  return content.map(partText).join("\n");
}

function partText(part: unknown): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null) return String(part);
  if ("text" in part && typeof part.text === "string") return part.text;
  return `[${"type" in part && typeof part.type === "string" ? cut(part.type, MAX_NAME) : "?"}]`;
}

/**
 * Returns the value as JSON or, if a custom teacher returned what JSON cannot represent, as a
 * string.
 */
function asJson(value: unknown): string {
  if (value === undefined || value === null) return "";
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return String(value);
  }
}
