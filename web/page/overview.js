// @ts-check
/// <reference lib="dom" />
/**
 * What one sees first: the state line, how far the run is, and the tiles.
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
  formatMoment,
  formatRate,
  formatRoughUsd,
  formatShare,
  formatUsd,
  UNKNOWN,
} from "./figures.js";
import { durableWords, settledRows, stateWords } from "./run_state.js";

/** @import { RunStore } from "./store.js" */

/** A tile: its figure, the part of it that is less important, and a line below. @typedef {{ value: string, rest?: string, note: string, tone?: "bad" | "wait" }} Tile */

/** Shows them. */
export class Overview {
  #state = byId("run-state", HTMLElement);
  #stateIcon = byId("state-icon", SVGElement);
  #stateWord = byId("state-word", HTMLElement);
  #stateDetail = byId("state-detail", HTMLElement);
  #diskTime = byId("disk-time", HTMLElement);
  #diskAge = byId("disk-age", HTMLElement);

  /** Writes the name of the run. @param {RunStore} store */
  updateRun({ run }) {
    setText(byId("model", HTMLElement), run?.model || "Retort");
    setText(byId("teacher", HTMLElement), run?.teacher ?? "");
    const started = run === null ? "" : `Started ${formatDate(Date.parse(run.time))}`;
    setText(byId("started", HTMLElement), started);
  }

  /** Writes what a snapshot says. @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.updateState(store, nowMs);
    updateProgress(store);
    for (const [name, tile] of Object.entries(tilesOf(store, nowMs))) {
      setText(byId(`${name}-value`, HTMLElement), tile.value);
      setText(byId(`${name}-rest`, HTMLElement), tile.rest ?? "");
      setText(byId(`${name}-note`, HTMLElement), tile.note);
      setAttribute(byId(`${name}-tile`, HTMLElement), "data-tone", tile.tone ?? "");
    }
    setText(byId("eta-title", HTMLElement), store.ended ? "Time taken" : "Time left");
    setText(byId("cost-title", HTMLElement), store.ended ? "Cost" : "Cost now / projected");
  }

  /** Writes the state line; its times go on while nothing comes. @param {RunStore} store @param {number} nowMs */
  updateState(store, nowMs) {
    const { tone, icon, word, detail } = stateWords(store, nowMs);
    const { time, age } = durableWords(store, nowMs);
    setAttribute(this.#state, "data-tone", tone);
    setIcon(this.#stateIcon, icon);
    setText(this.#stateWord, word);
    setText(this.#stateDetail, detail);
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
      ? `${formatCount(settled)} rows settled`
      : `${formatCount(settled)} of ${formatCount(total)} rows settled`,
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

/** @param {RunStore} store @param {number} nowMs @returns {Record<string, Tile>} */
function tilesOf(store, nowMs) {
  const { snapshot } = store;
  const none = { value: UNKNOWN, note: "" };
  if (snapshot === null) {
    return {
      done: none,
      failed: none,
      flight: none,
      waiting: none,
      eta: none,
      rate: none,
      tokens: none,
      cost: none,
    };
  }
  const { succeeded, skipped, failed, in_flight, limit, concurrency, waiting } = snapshot;
  const settled = succeeded + failed;
  return {
    done: {
      value: formatCount(succeeded),
      note: skipped > 0 ? `${formatCount(skipped)} more before` : "rows with an answer",
    },
    failed: {
      value: formatCount(failed),
      note: settled === 0
        ? "of 0 rows"
        : `${formatShare(failed, settled)} of ${formatCompact(settled)}`,
      tone: failed > 0 ? "bad" : undefined,
    },
    flight: {
      value: formatCount(in_flight),
      rest: `/ ${formatCount(limit)}`,
      note: limit < concurrency
        ? `limited, ${formatCount(concurrency)} wanted`
        : `concurrency ${formatCount(concurrency)}`,
    },
    waiting: {
      value: formatCount(waiting),
      note: snapshot.refused_for_load > 0
        ? `${formatCompact(snapshot.refused_for_load)} refused for load`
        : "between two attempts",
      tone: waiting > in_flight ? "wait" : undefined,
    },
    eta: etaTile(store, nowMs),
    rate: {
      value: formatRate(store.summary?.rate_per_s ?? snapshot.rate_per_s),
      note: store.summary === null ? "over the last 30 s" : "over the whole run",
    },
    tokens: {
      value: formatRate(tokenRate(store)),
      note: `${formatCompact(snapshot.completion_tokens)} tokens ${
        store.ended ? "in all" : "so far"
      }`,
    },
    cost: costTile(store),
  };
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
  const elapsed = formatDuration(snapshot.elapsed_ms);
  if (ended) {
    const endMs = store.zeroMs + snapshot.elapsed_ms;
    return { value: elapsed, note: `ended ${formatMoment(endMs, nowMs)}` };
  }
  if (snapshot.eta_s === null) return { value: UNKNOWN, note: `${elapsed} so far` };
  const end = formatMoment(nowMs + snapshot.eta_s * 1000, nowMs);
  return {
    value: `${snapshot.eta_is_lower_bound ? "≥ " : ""}${formatDuration(snapshot.eta_s * 1000)}`,
    note: `${snapshot.eta_is_lower_bound ? "not before" : "about"} ${end}`,
  };
}

/** @param {RunStore} store @returns {Tile} */
function costTile({ snapshot, ended }) {
  if (snapshot === null) return { value: UNKNOWN, note: "" };
  const { cost_usd, projected_cost_usd, projected_cost_is_lower_bound, max_cost_usd } = snapshot;
  const cap = max_cost_usd === null ? "" : `cap ${formatCapUsd(max_cost_usd)}`;
  if (cost_usd === null) return { value: UNKNOWN, note: cap || "no price is known" };
  const rest = ended || projected_cost_usd === null
    ? ""
    : `/ ${projected_cost_is_lower_bound ? "≥ " : ""}${formatRoughUsd(projected_cost_usd)}`;
  const expected = ended ? cost_usd : Math.max(cost_usd, projected_cost_usd ?? 0);
  const isTooMuch = max_cost_usd !== null && expected > max_cost_usd;
  return {
    value: formatUsd(cost_usd),
    rest,
    note: isTooMuch ? `over the ${cap}` : cap || "no cap",
    tone: isTooMuch ? "wait" : undefined,
  };
}
