/**
 * Fields that no line has and conditions may name all the same: `status`, `flags`, `prompt`, `source_file`.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import { FLAG_BIT, flagNames, flagsOf } from "./flags.ts";
import {
  DamagedLine,
  factsOf,
  type LineFacts,
  objectOf,
  promptOf,
  requestsJson,
  type RunHints,
} from "./line_facts.ts";

/** The objects in which a condition looks for a name, in their order: the line, what Retort wrote about
 * it, and what follows from both. */
export function placesOf(
  facts: LineFacts,
  hints: RunHints,
  flags: () => readonly string[],
): object[] {
  const { line, status } = facts;
  const derived = {
    status,
    get flags() {
      return flags();
    },
    get prompt() {
      return promptOf(line, hints);
    },
    source_file: facts.source,
    model: facts.model,
    teacher: facts.teacher,
    finish_reason: facts.finishReason,
    prompt_tokens: facts.promptTokens,
    completion_tokens: facts.completionTokens,
    reasoning_tokens: facts.reasoningTokens,
    cached_tokens: facts.cachedTokens,
    latency_ms: facts.latencyMs,
    attempts: facts.attempts,
    cost_usd: facts.costUsd,
    // That of a failure stands in its `partial`.
    response: facts.response,
    reasoning: facts.reasoning,
  };
  return [line, objectOf(line.distill), derived];
}

/** The flags of the rows of one run, read one after the other. */
export class DerivedFields {
  readonly #hints: RunHints;
  readonly #seen = new Map<string, string>();

  /** For lines of a run. */
  constructor(hints: RunHints = {}) {
    this.#hints = hints;
  }

  /** The derived fields of a line; the flags of all lines have to be asked for in their order. */
  of(text: string): object | undefined {
    const facts = factsOf(text, this.#hints);
    return facts instanceof DamagedLine
      ? undefined
      : placesOf(facts, this.#hints, () => this.#flags(facts))[2];
  }

  #flags(facts: LineFacts): readonly string[] {
    const prompt = promptOf(facts.line, this.#hints);
    let bits = flagsOf({ ...facts, prompt, asksForJson: requestsJson(facts.params) });
    if (facts.response !== "" && this.#isCopy(facts, prompt)) bits |= FLAG_BIT.duplicate;
    return flagNames(bits);
  }

  #isCopy({ response, uid }: LineFacts, prompt: string): boolean {
    const key = response.length > 64
      ? xxHash64Hex(response)
      : xxHash64Hex(JSON.stringify([prompt, response]));
    const row = uid.replace(/#[1-9]\d{0,2}$/, "");
    const first = this.#seen.get(key);
    if (first === undefined) this.#seen.set(key, row);
    return first !== undefined && first !== row;
  }
}
