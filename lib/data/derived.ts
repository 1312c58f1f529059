/**
 * Derived fields (`status`, `flags`, `prompt`, `source_file`) of lines that are read without an
 * index.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { xxHash64Hex } from "../hash.ts";
import { readHints } from "./find_files.ts";
import { FLAG_BIT, flagNames, flagsOf, LONG_ANSWER } from "./flags.ts";
import {
  DamagedLine,
  factsOf,
  type LineFacts,
  objectOf,
  requestsJson,
  type RunHints,
} from "./line_facts.ts";
import { promptOf } from "./turns.ts";

const DERIVED: ReadonlySet<string> = new Set([
  "status",
  "flags",
  "prompt",
  "source_file",
  "cost_usd",
]);

/** Fields that only the page of `view` computes. */
const ONLY_OF_VIEW: ReadonlySet<string> = new Set([
  "near_duplicate",
  "run_agreement",
  "compared_run",
]);

/**
 * Whether any of these paths of a condition is a derived field.
 *
 * @throws {UsageError} where only the page of `view` knows it
 */
export function needsDerived(paths: readonly (readonly string[])[]): boolean {
  const ofPage = paths.find(([name]) => ONLY_OF_VIEW.has(name));
  if (ofPage !== undefined) {
    throw new UsageError(
      `Cannot use ${
        ofPage[0]
      } in a command: only the page of view knows it. Save its rows as a selection ` +
        "there, and use --uids or --exclude-uids",
    );
  }
  return paths.some(([name]) => DERIVED.has(name));
}

/** Computes the derived fields of lines, each of which is passed once, in order. */
export class DerivedFields {
  readonly #hints: RunHints;
  readonly #seen = new Map<string, string>();

  /** For lines of these results files, with the parameters of their runs. */
  constructor(results: readonly string[]) {
    this.#hints = { params: Object.assign({}, ...results.map((path) => readHints(path).params)) };
  }

  /** The derived fields of a line with this prompt; undefined for a foreign line. */
  of(text: string, prompt: string): object | undefined {
    const facts = factsOf(text, this.#hints);
    if (facts instanceof DamagedLine) return undefined;
    return { ...derivedFrom(facts), prompt, flags: this.#flags(facts, prompt) };
  }

  #flags(facts: LineFacts, prompt: string): readonly string[] {
    if (facts.status !== "answered") return [];
    let bits = flagsOf({ ...facts, prompt, asksForJson: requestsJson(facts.params) });
    if (facts.response !== "" && this.#isCopy(facts)) bits |= FLAG_BIT.duplicate;
    return flagNames(bits);
  }

  /**
   * Like `Table`: neither the first row with an answer nor another sample of that row is a
   * duplicate.
   */
  #isCopy({ response, uid, promptHash }: LineFacts): boolean {
    const isLong = response.length > LONG_ANSWER;
    const key = xxHash64Hex(isLong ? response : JSON.stringify([promptHash, response]));
    const row = uid.replace(/#[1-9]\d{0,2}$/, "");
    const first = this.#seen.get(key);
    if (first === undefined) this.#seen.set(key, row);
    return first !== undefined && first !== row;
  }
}

/** The objects in which a condition looks for a name, in order. */
export function placesOf(
  facts: LineFacts,
  hints: RunHints,
  flags: () => readonly string[],
): object[] {
  const { line } = facts;
  const derived = {
    ...derivedFrom(facts),
    get flags() {
      return flags();
    },
    get prompt() {
      return promptOf(line, hints);
    },
  };
  return [line, objectOf(line.distill), derived];
}

/** The derived fields of a line, without `flags` and `prompt`. */
export function derivedFrom(facts: LineFacts): object {
  return {
    status: facts.status,
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
    // A failure has these in its `partial`.
    response: facts.response,
    reasoning: facts.reasoning,
  };
}
