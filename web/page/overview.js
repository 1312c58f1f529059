// @ts-check
/// <reference lib="dom" />
/**
 * The top of the page: the state line, the progress, and the tiles.
 *
 * @module
 */

import { byId, setAttribute, setIcon, setShown, setText } from "./dom.js";
import {
  formatCapUsd,
  formatCompact,
  formatCount,
  formatDate,
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
import { durableWords, limitWords, settledRows, stateWords, unsureWords } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/**
 * A tile: its figure, the less important part of it, and a line below.
 *
 * @typedef {{ value: string, rest?: string, note: string, tone?: "bad" | "wait" }} Tile
 */

/** Shows them. */
export class Overview {
  #state = byId("run-state", HTMLElement);
  #stateIcon = byId("state-icon", SVGElement);
  #stateWord = byId("state-word", HTMLElement);
  #stateDetail = byId("state-detail", HTMLElement);
  #diskTime = byId("disk-time", HTMLElement);
  #diskAge = byId("disk-age", HTMLElement);

  /** Shows the name of the run. @param {RunStore} store */
  updateRun({ run }) {
    setText(byId("model", HTMLElement), run?.model || "Retort");
    setText(byId("teacher", HTMLElement), run?.teacher ?? "");
    const started = run === null ? "" : `Started ${formatDate(Date.parse(run.time))}`;
    setText(byId("started", HTMLElement), started);
  }

  /** Shows the latest snapshot. @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.updateState(store, nowMs);
    updateProgress(store);
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

  /**
   * Shows the state line; its times grow while no message arrives.
   *
   * @param {RunStore} store
   * @param {number} nowMs
   */
  updateState(store, nowMs) {
    const { tone, icon, word, detail, short = detail } = stateWords(store, nowMs);
    const { time, age } = durableWords(store, nowMs);
    setAttribute(this.#state, "data-tone", tone);
    setIcon(this.#stateIcon, icon);
    setText(this.#stateWord, word);
    setText(this.#stateDetail, short);
    setText(this.#diskTime, time);
    setText(this.#diskAge, age);
    const { snapshot, run } = store;
    const share = snapshot === null || snapshot.total === null
      ? ""
      : `${formatShare(settledRows(store), snapshot.total)} · `;
    const title = `${share}${word} · ${run?.model || "Retort"}`;
    if (document.title !== title) document.title = title;
  }
}

/** @param {RunStore} store */
function updateProgress(store) {
  const { snapshot } = store;
  if (snapshot === null) return;
  const { total, skipped, succeeded, failed } = snapshot;
  const settled = settledRows(store);
  const isKnown = total !== null && total > 0;
  setText(byId("share", HTMLElement), isKnown ? formatShare(settled, total) : UNKNOWN);
  setText(
    byId("rows", HTMLElement),
    total === null
      ? `${formatCount(settled)} rows finished`
      : `${formatCount(settled)} of ${formatCount(total)} rows finished`,
  );
  const bar = byId("progress", HTMLElement);
  setAttribute(bar, "aria-valuenow", isKnown ? String(Math.floor(settled / total * 100)) : false);
  setAttribute(bar, "aria-valuetext", isKnown ? formatShare(settled, total) : "not known yet");
  const counts = { skipped, succeeded, failed };
  for (const [name, count] of Object.entries(counts)) {
    const segment = byId(`${name}-segment`, HTMLElement);
    segment.style.flexGrow = String(isKnown ? count / total : 0);
    setShown(segment, count > 0);
    setText(byId(`${name}-count`, HTMLElement), formatCount(count));
  }
  const left = total === null ? null : Math.max(0, total - settled);
  byId("left-segment", HTMLElement).style.flexGrow = String(isKnown ? (left ?? 0) / total : 1);
  setText(byId("left-count", HTMLElement), left === null ? UNKNOWN : formatCount(left));
}

const TILES = ["done", "failed", "eta", "cost", "rate", "latency", "tokens", "flight", "waiting"];

/** @param {RunStore} store @param {number} nowMs @returns {Record<string, Tile>} */
function tilesOf(store, nowMs) {
  const { snapshot } = store;
  if (snapshot === null) {
    return Object.fromEntries(TILES.map((name) => [name, { value: UNKNOWN, note: "" }]));
  }
  const { succeeded, skipped, failed, waiting, latency_ms } = snapshot;
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
        : `${formatShare(failed, finished)} of ${formatCompact(finished)}`,
      tone: failed > 0 ? "bad" : undefined,
    },
    eta: etaTile(store, nowMs),
    cost: costTile(store),
    rate: {
      value: formatRate(store.summary?.rate_per_s ?? snapshot.rate_per_s),
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
      note: `${formatCompact(snapshot.completion_tokens)} tokens ${
        store.ended ? "in all" : "so far"
      }`,
    },
    flight: {
      value: formatCount(snapshot.in_flight),
      rest: `/ ${formatCount(snapshot.limit)}`,
      note: limitWords(store),
    },
    waiting: {
      value: formatCount(waiting),
      note: snapshot.refused_for_load > 0
        ? `${formatCompact(snapshot.refused_for_load)} throttled`
        : "between two attempts",
      tone: waiting > snapshot.in_flight ? "wait" : undefined,
    },
  };
}

/**
 * How answers ended: `92.0% stop · 8.0% length`, and the tokens that were paid but not used.
 *
 * @param {RunStore} store
 */
function showAnswers({ answers, snapshot }) {
  const tile = byId("answers-tile", HTMLElement);
  const wasted = snapshot?.wasted_completion_tokens ?? 0;
  const all = answers === null
    ? 0
    : answers.finish_reasons.reduce((sum, [, count]) => sum + count, 0);
  const reasons = answers === null || all === 0
    ? UNKNOWN
    : answers.finish_reasons.map(([reason, count]) =>
      `${formatShare(count, all)} ${reason === "none" ? "without a finish reason" : reason}`
    ).join(" · ");
  setText(byId("answers-value", HTMLElement), reasons);
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
  setText(
    byId("answers-note", HTMLElement),
    notes.join(" · ") || (all === 0 ? "no answer yet" : "none truncated, no tokens wasted"),
  );
  const isCut = answers !== null && answers.truncated > Math.max(all, 1) / 20;
  setAttribute(tile, "data-tone", isCut ? "wait" : "");
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
