/**
 * The objects in which a condition looks for a name: the line, its `distill`, and the derived
 * fields, such as `status`, `flags`, `prompt` and `source_file`.
 *
 * @module
 */

import { type LineFacts, objectOf, type RunHints } from "./line_facts.ts";
import { promptOf } from "./turns.ts";

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
