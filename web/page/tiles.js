// @ts-check
/// <reference lib="dom" />
/**
 * The tiles: the figures of a run, each with a line that explains it.
 *
 * @module
 */

import { byId, setAttribute, setText } from "./dom.js";
import {
  formatCapUsd,
  formatCompact,
  formatCount,
  formatDuration,
  formatDurationRange,
  formatLatency,
  formatMoment,
  formatRate,
  formatRoughUsd,
  formatShare,
  formatUsd,
  UNKNOWN,
} from "./figures.js";
import { limitWords, unsureWords } from "./run_state.js";

/** @import { WireSnapshot } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

/**
 * A tile: its figure, the less important part of it, and a line below.
 *
 * @typedef {{ value: string, rest?: string, note: string, tone?: "bad" | "wait" }} Tile
 */

/** Shows the tiles. @param {RunStore} store @param {number} nowMs */
export function updateTiles(store, nowMs) {
  for (const [name, tile] of Object.entries(tilesOf(store, nowMs))) {
    setText(byId(`${name}-value`, HTMLElement), tile.value);
    setText(byId(`${name}-rest`, HTMLElement), tile.rest ?? "");
    setText(byId(`${name}-note`, HTMLElement), tile.note);
    setAttribute(byId(`${name}-tile`, HTMLElement), "data-tone", tile.tone ?? "");
  }
  showAnswers(store);
  setText(byId("eta-title", HTMLElement), store.ended ? "Time taken" : "Time left");
  setText(byId("cost-title", HTMLElement), store.ended ? "Cost" : "Cost now / estimated");
}

const TILES = ["done", "failed", "eta", "cost", "rate", "latency", "tokens", "flight", "waiting"];

/** @param {RunStore} store @param {number} nowMs @returns {Record<string, Tile>} */
function tilesOf(store, nowMs) {
  const { snapshot } = store;
  if (snapshot === null) {
    return Object.fromEntries(TILES.map((name) => [name, { value: UNKNOWN, note: "" }]));
  }
  return {
    ...rowTiles(snapshot),
    eta: etaTile(store, nowMs),
    cost: costTile(store),
    ...speedTiles(store, snapshot),
    ...loadTiles(store, snapshot),
  };
}

/** @param {WireSnapshot} snapshot @returns {Record<string, Tile>} */
function rowTiles({ succeeded, skipped, failed }) {
  const finished = succeeded + failed;
  return {
    done: {
      value: formatCount(succeeded),
      note: skipped > 0 ? `${formatCount(skipped)} more before` : "rows with an answer",
    },
    failed: {
      value: formatCount(failed),
      note: finished === 0
        ? "of 0 rows"
        : `${formatShare(failed, finished)} of ${formatCompact(finished)} rows`,
      tone: failed > 0 ? "bad" : undefined,
    },
  };
}

/** @param {RunStore} store @param {WireSnapshot} snapshot @returns {Record<string, Tile>} */
function speedTiles(store, { rate_per_s, latency_ms, completion_tokens }) {
  return {
    rate: {
      value: formatRate(store.summary?.rate_per_s ?? rate_per_s),
      note: store.summary === null ? "over the last 30 s" : "over the whole run",
    },
    latency: latency_ms.max > 0
      ? {
        value: formatLatency(latency_ms.p50),
        rest: `/ ${formatLatency(latency_ms.p99)}`,
        note: `longest ${formatLatency(latency_ms.max)}`,
      }
      : { value: UNKNOWN, note: "no answer yet" },
    tokens: {
      value: formatRate(tokenRate(store)),
      note: `${formatCompact(completion_tokens)} tokens ${store.ended ? "in all" : "so far"}`,
    },
  };
}

/** @param {RunStore} store @param {WireSnapshot} snapshot @returns {Record<string, Tile>} */
function loadTiles(store, { in_flight, limit, waiting, refused_for_load }) {
  return {
    flight: {
      value: formatCount(in_flight),
      rest: `/ ${formatCount(limit)}`,
      note: limitWords(store),
    },
    waiting: {
      value: formatCount(waiting),
      note: refused_for_load > 0
        ? `${formatCompact(refused_for_load)} throttled`
        : "between two attempts",
      tone: waiting > in_flight ? "wait" : undefined,
    },
  };
}

/** What the finish reasons of the usual APIs mean. */
const FINISH_WORDS = [
  { words: "complete", reasons: /^(stop|end_?turn|eos|eos_token|completed?|stop_sequence)$/i },
  {
    words: "cut off at the token limit",
    reasons: /^(length|max_tokens|max_output_tokens|model_length)$/i,
  },
  { words: "with tool calls", reasons: /^(tool_calls?|tool_use|function_call)$/i },
  { words: "stopped by a filter", reasons: /^(content_filter|safety|refusal|recitation)$/i },
  { words: "without a finish reason", reasons: /^none$/ },
];

/**
 * How answers ended, in words: `92.0% complete · 8.0% cut off at the token limit`.
 *
 * @param {readonly (readonly [string, number])[]} reasons
 * @param {number} all
 */
export function endingWords(reasons, all) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const [reason, count] of reasons) {
    const known = FINISH_WORDS.find((one) => one.reasons.test(reason));
    const words = known?.words ?? `with finish reason ${reason}`;
    counts.set(words, (counts.get(words) ?? 0) + count);
  }
  return [...counts].map(([words, count]) => `${formatShare(count, all)} ${words}`).join(" · ");
}

/** How answers ended, and the tokens that were paid but not used. @param {RunStore} store */
function showAnswers({ answers, snapshot, ended }) {
  const reasons = answers?.finish_reasons ?? [];
  const all = reasons.reduce((sum, [, count]) => sum + count, 0);
  const value = byId("answers-value", HTMLElement);
  setText(value, all === 0 ? UNKNOWN : endingWords(reasons, all));
  const raw = reasons.map(([reason, count]) => `${reason} ${formatCount(count)}`);
  setAttribute(value, "title", raw.length > 0 && `Finish reasons: ${raw.join(", ")}`);
  const notes = answerNotes(answers, all, snapshot?.wasted_completion_tokens ?? 0);
  const none = all > 0 ? "none truncated, no tokens wasted" : ended ? "no answer" : "no answer yet";
  setText(byId("answers-note", HTMLElement), notes.join(" · ") || none);
  const isCut = answers !== null && answers.truncated > Math.max(all, 1) / 20;
  setAttribute(byId("answers-tile", HTMLElement), "data-tone", isCut ? "wait" : "");
}

/** @param {RunStore["answers"]} answers @param {number} all @param {number} wasted */
function answerNotes(answers, all, wasted) {
  const notes = [];
  if (answers !== null && answers.truncated > 0) {
    notes.push(
      `${formatCount(answers.truncated)} truncated (${formatShare(answers.truncated, all)})`,
    );
  }
  if (answers !== null && answers.reasoning_tokens > 0) {
    notes.push(
      `${formatShare(answers.reasoning_tokens, answers.completion_tokens)} of tokens are reasoning`,
    );
  }
  if (wasted > 0) notes.push(`${formatCompact(wasted)} tokens paid and not used`);
  return notes;
}

/** @param {RunStore} store */
function tokenRate({ summary, snapshot }) {
  if (summary === null) return snapshot?.tokens_per_s ?? 0;
  return summary.elapsed_ms > 0 ? summary.completion_tokens / summary.elapsed_ms * 1000 : 0;
}

/** @param {RunStore} store @param {number} nowMs @returns {Tile} */
function etaTile(store, nowMs) {
  const { snapshot, ended } = store;
  if (snapshot === null) return { value: UNKNOWN, note: "" };
  const { eta_s, eta_range_s, eta_is_lower_bound } = snapshot;
  const elapsed = formatDuration(snapshot.elapsed_ms);
  if (ended) {
    const endMs = store.zeroMs + snapshot.elapsed_ms;
    return { value: elapsed, note: `ended ${formatMoment(endMs, nowMs)}` };
  }
  if (eta_s === null || eta_is_lower_bound) {
    return { value: UNKNOWN, note: `${unsureWords(snapshot)}${elapsed} so far` };
  }
  const end = formatMoment(nowMs + eta_s * 1000, nowMs);
  const range = eta_range_s === null
    ? ""
    : `${formatDurationRange(eta_range_s[0] * 1000, eta_range_s[1] * 1000)}, `;
  return { value: formatDuration(eta_s * 1000), note: `${range}about ${end}` };
}

/** @param {RunStore} store @returns {Tile} */
function costTile({ snapshot, ended }) {
  if (snapshot === null) return { value: UNKNOWN, note: "" };
  const { cost_usd, projected_cost_usd, projected_cost_range_usd: range, max_cost_usd } = snapshot;
  const cap = max_cost_usd === null ? "no cap" : `cap ${formatCapUsd(max_cost_usd)}`;
  if (cost_usd === null) {
    return { value: UNKNOWN, note: max_cost_usd === null ? "no price is known" : cap };
  }
  const isKnown = !ended && projected_cost_usd !== null && !snapshot.projected_cost_is_lower_bound;
  const expected = ended ? cost_usd : Math.max(cost_usd, projected_cost_usd ?? 0);
  const isTooMuch = max_cost_usd !== null && expected > max_cost_usd;
  const spread = !isKnown
    ? ended || snapshot.refused_for_load > 0 ? "" : "ramping up, "
    : rangeWords(range);
  return {
    value: formatUsd(cost_usd),
    rest: isKnown ? `/ ${formatRoughUsd(projected_cost_usd)}` : "",
    note: spread + (isTooMuch ? `over the ${cap}` : cap),
    tone: isTooMuch ? "wait" : undefined,
  };
}

/** `$13 – $15, `; "" where both look the same. @param {readonly [number, number] | null} range */
function rangeWords(range) {
  if (range === null) return "";
  const [least, most] = range.map(formatRoughUsd);
  return least === most ? "" : `${least} – ${most}, `;
}
