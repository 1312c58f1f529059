// @ts-check
/// <reference lib="dom" />
/**
 * Figures of the tiles about answers: how long they are, how they ended, and what was not kept.
 *
 * @module
 */

import { formatCompact, formatCompactOf, formatCount, formatShare, UNKNOWN } from "./figures.js";

/** @import { AnswerFigures, Ending } from "../monitor_state.ts" */
/** @import { Figure, TileInput } from "./tiles.js" */

/** @param {TileInput} input @returns {Figure} */
export function lengthFigure({ state: { answers: { answered, length_tokens } } }) {
  if (length_tokens.max === 0) {
    return { value: UNKNOWN, note: answered > 0 ? "no tokens reported" : "no answer yet" };
  }
  return {
    value: formatCompact(length_tokens.p50),
    rest: `/ ${formatCompact(length_tokens.p99)}`,
    note: `longest ${formatCompactOf(length_tokens.max, "token")}`,
  };
}

/** Share of truncated answers above which the tile is amber. */
const TRUNCATED_WARNING_SHARE = 0.05;

/** @type {Readonly<Record<Ending, string>>} */
const ENDING_TEXTS = {
  whole: "complete",
  limit: "cut off at the token limit",
  context: "cut off at the end of the context window",
  filter: "stopped by a filter",
  broken: "aborted by the teacher",
  unknown: "with an unknown finish reason",
  none: "without a finish reason",
};

/** @param {TileInput} input @returns {Figure} */
export function answersFigure({ state: { answers, ended }, snapshot }) {
  const endings = /** @type {[Ending, number][]} */ (Object.entries(answers.endings));
  const counts = endings.toSorted(([, a], [, b]) => b - a);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return { value: UNKNOWN, note: ended ? "no answer" : "no answer yet" };
  const reasons = answers.finish_reasons.map(([reason, count]) =>
    `${reason} ${formatCount(count)}`
  );
  const notes = answerNotes(answers, total, snapshot.wasted_completion_tokens);
  return {
    value: counts.map(([ending, count]) => `${formatShare(count, total)} ${ENDING_TEXTS[ending]}`)
      .join(" · "),
    hint: `Finish reasons: ${reasons.join(", ")}`,
    note: notes.join(" · ") || "all kept, no tokens wasted",
    tone: answers.truncated > total * TRUNCATED_WARNING_SHARE ? "wait" : undefined,
  };
}

/**
 * @param {AnswerFigures} answers
 * @param {number} total answers, kept or not
 * @param {number} wastedTokens completion tokens of answers that were not kept
 */
function answerNotes({ answered, reasoning_tokens, completion_tokens }, total, wastedTokens) {
  const notes = [];
  if (answered < total) notes.push(`${formatCount(total - answered)} not kept`);
  if (reasoning_tokens > 0) {
    notes.push(`${formatShare(reasoning_tokens, completion_tokens)} of tokens are reasoning`);
  }
  if (wastedTokens > 0) {
    notes.push(`${formatCompactOf(wastedTokens, "token")} paid for but not used`);
  }
  return notes;
}
