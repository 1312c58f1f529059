// @ts-check
/// <reference lib="dom" />
/**
 * The top of the page: the state line and the progress. Also updates the tiles in the sections
 * below.
 *
 * @module
 */

import { byId, setAttribute, setIcon, setShown, setText } from "./dom.js";
import { formatCount, formatDate, formatShare, UNKNOWN } from "./figures.js";
import { durableWords, finishedRows, stateWords } from "./run_state.js";
import { Tiles } from "./tiles.js";

/** @import { RunStore } from "./store.js" */

export class Overview {
  #state = byId("run-state", HTMLElement);
  #stateIcon = byId("state-icon", SVGElement);
  #stateWord = byId("state-word", HTMLElement);
  #stateDetail = byId("state-detail", HTMLElement);
  #diskTime = byId("disk-time", HTMLElement);
  #diskAge = byId("disk-age", HTMLElement);
  #tiles = new Tiles();

  /** Shows the model, the teacher and the start of the run. @param {RunStore} store */
  updateRun({ run }) {
    setText(byId("model", HTMLElement), run?.model || "Retort");
    setText(byId("teacher", HTMLElement), run?.teacher ?? "");
    const started = run === null ? "" : `Started ${formatDate(Date.parse(run.time))}`;
    setText(byId("started", HTMLElement), started);
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.updateState(store, nowMs);
    updateProgress(store);
    this.#tiles.update(store, nowMs);
  }

  /**
   * Shows the state line, the title and the age of the last result. They change with time, so this
   * is also called between messages.
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
      : `${formatShare(finishedRows(store), snapshot.total)} · `;
    const title = `${share}${word} · ${run?.model || "Retort"}`;
    if (document.title !== title) document.title = title;
  }
}

/** @param {RunStore} store */
function updateProgress(store) {
  const { snapshot } = store;
  if (snapshot === null) return;
  const { total, skipped, succeeded, failed } = snapshot;
  const finished = finishedRows(store);
  const isKnown = total !== null && total > 0;
  setText(byId("share", HTMLElement), isKnown ? formatShare(finished, total) : UNKNOWN);
  setText(
    byId("rows", HTMLElement),
    total === null
      ? `${formatCount(finished)} rows finished`
      : `${formatCount(finished)} of ${formatCount(total)} rows finished`,
  );
  const bar = byId("progress", HTMLElement);
  setAttribute(bar, "aria-valuenow", isKnown ? String(Math.floor(finished / total * 100)) : false);
  setAttribute(bar, "aria-valuetext", isKnown ? formatShare(finished, total) : "not known yet");
  const counts = { skipped, succeeded, failed };
  for (const [name, count] of Object.entries(counts)) {
    const segment = byId(`${name}-segment`, HTMLElement);
    segment.style.flexGrow = String(isKnown ? count / total : 0);
    setShown(segment, count > 0);
  }
  // The legend names skipped rows only if there are any, since most runs have none.
  setShown(byId("skipped-key", HTMLElement), skipped > 0);
  const left = isKnown ? Math.max(0, total - finished) / total : 1;
  byId("left-segment", HTMLElement).style.flexGrow = String(left);
}
