// @ts-check
/// <reference lib="dom" />
/** Tiles: figures of a run, each explained by a line below. `TILES` lists them. @module */

import { byId, make, setAttribute, setText } from "./dom.js";
import {
  formatCount,
  formatDuration,
  formatDurationRange,
  formatLatency,
  formatRoughUsd,
  formatShare,
  formatUsd,
  isUncounted,
} from "../../lib/figures.js";
import {
  formatCapUsd,
  formatCompact,
  formatCompactOf,
  formatMoment,
  formatRate,
  UNKNOWN,
} from "./figures.js";
import { limitText, missingEtaText } from "./run_state.js";

/** @import { AnswerFigures, Ending, MonitorState, WireSnapshot } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

/**
 * Texts of a tile: the figure (`value` and the less important `rest`), the line below it (`note`),
 * and an explanation on hover (`hint`).
 *
 * @typedef {{ value: string, rest?: string, note: string, hint?: string, tone?: "bad" | "wait" }}
 * Figure
 */

/**
 * `startMs` and `nowMs` are Unix milliseconds of the page's clock.
 *
 * @typedef {{ state: MonitorState, snapshot: WireSnapshot, startMs: number, nowMs: number }}
 * TileInput
 */

/**
 * A tile. With `isLine`, its value is a sentence over the whole width instead of a figure. With
 * `isLong`, its note gets two lines on narrow screens.
 *
 * @typedef {{
 *   title: string | ((state: MonitorState) => string),
 *   figure: (input: TileInput) => Figure,
 *   isLine?: true,
 *   isLong?: true,
 * }} Tile
 */

/**
 * Tiles by the ids of their lists in `page.html`.
 * @type {Readonly<Record<string, readonly Tile[]>>}
 */
export const TILES = {
  "row-tiles": [
    { title: "Answered", figure: answeredFigure },
    { title: "Failed", figure: failedFigure },
    { title: ({ ended }) => ended ? "Time taken" : "Time left", figure: timeFigure, isLong: true },
    { title: ({ ended }) => ended ? "Cost" : "Cost now / estimated", figure: costFigure },
    { title: "Answers", figure: answersFigure, isLine: true },
  ],
  "speed-tiles": [
    { title: "Rows/s", figure: rateFigure },
    { title: "Latency p50 / p99", figure: latencyFigure },
  ],
  "load-tiles": [
    { title: "Output tokens/s", figure: tokensFigure },
    { title: "Answer length p50 / p99", figure: lengthFigure },
    { title: "In flight / limit", figure: flightFigure },
    { title: "Waiting", figure: waitingFigure },
  ],
};

export class Tiles {
  #views = Object.entries(TILES).flatMap(([id, tiles]) => tiles.map((tile) => makeTile(id, tile)));

  /** @param {RunStore} store @param {number} nowMs */
  update({ state, startMs }, nowMs) {
    const { snapshot } = state;
    for (const { tile, element, title, value, rest, note } of this.#views) {
      /** @type {Figure} */
      const figure = snapshot === null
        ? { value: UNKNOWN, note: "" }
        : tile.figure({ state, snapshot, startMs, nowMs });
      setText(title, typeof tile.title === "string" ? tile.title : tile.title(state));
      setText(value, figure.value);
      setAttribute(value, "title", figure.hint ?? false);
      setText(rest, figure.rest ?? "");
      setText(note, figure.note);
      setAttribute(element, "data-tone", figure.tone ?? "");
    }
  }
}

/** @param {string} id @param {Tile} tile */
function makeTile(id, tile) {
  const title = make("dt"), note = make("dd", { class: "note" });
  const value = make("span", { class: tile.isLine ? "line" : "figure" }, UNKNOWN);
  const rest = make("span", { class: "rest" });
  const kind = tile.isLine ? " wide" : tile.isLong ? " long" : "";
  const element = make(
    "div",
    { class: `tile${kind}` },
    title,
    make("dd", {}, value, " ", rest),
    note,
  );
  byId(id).append(element);
  return { tile, element, title, value, rest, note };
}

/** @param {TileInput} input @returns {Figure} */
function answeredFigure({ snapshot: { succeeded, skipped } }) {
  return {
    value: formatCount(succeeded),
    note: skipped > 0 ? `${formatCount(skipped)} skipped` : "rows, on disk",
  };
}

/** @param {TileInput} input @returns {Figure} */
function failedFigure({ snapshot: { succeeded, failed } }) {
  const finished = succeeded + failed;
  return {
    value: formatCount(failed),
    note: finished === 0
      ? "of 0 rows"
      : `${formatShare(failed, finished)} of ${formatCompactOf(finished, "row")}`,
    tone: failed > 0 ? "bad" : undefined,
  };
}

/** @param {TileInput} input @returns {Figure} */
function rateFigure({ state: { summary }, snapshot }) {
  return {
    value: formatRate(summary?.rate_per_s ?? snapshot.rate_per_s),
    note: summary === null ? "over the last 30 s" : "over the whole run",
  };
}

/** @param {TileInput} input @returns {Figure} */
function latencyFigure({ snapshot: { latency_ms } }) {
  if (latency_ms.max === 0) return { value: UNKNOWN, note: "no answer yet" };
  return {
    value: formatLatency(latency_ms.p50),
    rest: `/ ${formatLatency(latency_ms.p99)}`,
    note: `longest ${formatLatency(latency_ms.max)}`,
  };
}

/** @param {TileInput} input @returns {Figure} */
function tokensFigure({ state: { summary, ended }, snapshot }) {
  const meanPerS = summary === null || summary.elapsed_ms === 0
    ? 0
    : summary.completion_tokens / summary.elapsed_ms * 1000;
  return {
    value: formatRate(summary === null ? snapshot.tokens_per_s : meanPerS),
    note: `${formatCompactOf(snapshot.completion_tokens, "token")} ${ended ? "in all" : "so far"}`,
  };
}

/** @param {TileInput} input @returns {Figure} */
function flightFigure({ state, snapshot: { in_flight, limit } }) {
  return {
    value: formatCount(in_flight),
    rest: `/ ${formatCount(limit)}`,
    note: limitText(state),
  };
}

/** @param {TileInput} input @returns {Figure} */
function waitingFigure({ snapshot: { waiting, in_flight, refused_for_load } }) {
  return {
    value: formatCount(waiting),
    note: refused_for_load > 0
      ? `${formatCompact(refused_for_load)} throttled`
      : "between two attempts",
    tone: waiting > in_flight ? "wait" : undefined,
  };
}

/** @param {TileInput} input @returns {Figure} */
function timeFigure({ state: { ended, history }, snapshot, startMs, nowMs }) {
  const { eta_s, eta_range_s, eta_is_lower_bound } = snapshot;
  const elapsed = formatDuration(snapshot.elapsed_ms);
  if (ended) {
    // After a retry, the history begins with the first run, but `elapsed_ms` with the retry.
    const lastMs = Math.max((history.columns.elapsed_s.at(-1) ?? 0) * 1000, snapshot.elapsed_ms);
    return { value: elapsed, note: `ended ${formatMoment(startMs + lastMs, nowMs)}` };
  }
  if (eta_s === null || eta_is_lower_bound) {
    return { value: UNKNOWN, note: `${missingEtaText(snapshot)}${elapsed} so far` };
  }
  const end = formatMoment(nowMs + eta_s * 1000, nowMs);
  const range = eta_range_s === null
    ? ""
    : `${formatDurationRange(eta_range_s[0] * 1000, eta_range_s[1] * 1000)}, `;
  return { value: formatDuration(eta_s * 1000), note: `${range}about ${end}` };
}

/** @param {TileInput} input @returns {Figure} */
function costFigure({ snapshot, state: { ended } }) {
  const { cost_usd, projected_cost_usd, projected_cost_range_usd: range, max_cost_usd } = snapshot;
  const cap = max_cost_usd === null ? "no cap" : `cap ${formatCapUsd(max_cost_usd)}`;
  if (isUncounted(snapshot)) return { value: UNKNOWN, note: "needs token counts and a price" };
  if (cost_usd === null) {
    return { value: UNKNOWN, note: max_cost_usd === null ? "no price is known" : cap };
  }
  const isKnown = !ended && projected_cost_usd !== null && !snapshot.projected_cost_is_lower_bound;
  const expected = ended ? cost_usd : Math.max(cost_usd, projected_cost_usd ?? 0);
  const isTooMuch = max_cost_usd !== null && expected > max_cost_usd;
  const isEarly = !ended && snapshot.total !== null && snapshot.refused_for_load === 0;
  const spread = isKnown ? rangeText(range) : isEarly ? "too few answers yet, " : "";
  return {
    value: formatUsd(cost_usd),
    rest: isKnown ? `/ ${formatRoughUsd(projected_cost_usd)}` : "",
    note: spread + (isTooMuch ? `over the ${cap}` : cap),
    tone: isTooMuch ? "wait" : undefined,
  };
}

/**
 * Returns `$13 – $15, `; "" if both amounts look the same.
 * @param {readonly [number, number] | null} range
 */
function rangeText(range) {
  if (range === null) return "";
  const [low, high] = range.map(formatRoughUsd);
  return low === high ? "" : `${low} – ${high}, `;
}

/** @param {TileInput} input @returns {Figure} */
function lengthFigure({ state: { answers: { answered, length_tokens } } }) {
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
function answersFigure({ state: { answers, ended }, snapshot }) {
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
    note: notes.join(" · ") || "all accepted, no tokens wasted",
    tone: answers.truncated > total * TRUNCATED_WARNING_SHARE ? "wait" : undefined,
  };
}

/**
 * @param {AnswerFigures} answers
 * @param {number} total answers, accepted or not
 * @param {number} wastedTokens completion tokens of answers that were not accepted
 */
function answerNotes({ answered, reasoning_tokens, completion_tokens }, total, wastedTokens) {
  const notes = [];
  if (answered < total) notes.push(`${formatCount(total - answered)} not accepted`);
  if (reasoning_tokens > 0) {
    notes.push(`${formatShare(reasoning_tokens, completion_tokens)} of tokens are reasoning`);
  }
  if (wastedTokens > 0) {
    notes.push(`${formatCompactOf(wastedTokens, "token")} paid for but not used`);
  }
  return notes;
}
