// @ts-check
/// <reference lib="dom" />
/**
 * The top of the page: the state line, the progress and the next step. Also the sections "Events"
 * and "What was run", announcements for screen readers, and a notification at the end of the run.
 *
 * @module
 */

import {
  byId,
  copyText,
  fillRows,
  icon,
  make,
  setAttribute,
  setIcon,
  setShown,
  setText,
  setWords,
} from "./dom.js";
import { formatCount, formatCountOf, formatShare } from "../../lib/figures.js";
import { formatDate, formatMoment, UNKNOWN } from "./figures.js";
import { nextStep } from "./problems.js";
import { describeState, finishedRows, lastRowTexts } from "./run_state.js";
import { Tiles } from "./tiles.js";

/** @import { MonitorState } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

export class Overview {
  #tiles = new Tiles();

  /** @param {RunStore} store */
  updateRun(store) {
    const { run } = store.state;
    setText("model", run?.model || "Retort");
    setText("teacher", run?.teacher ?? "");
    setText("started", run === null ? "" : `Started ${formatDate(store.localTime(run.time))}`);
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.updateState(store, nowMs);
    updateProgress(store.state);
    this.#tiles.update(store, nowMs);
  }

  /**
   * Updates the state line, the title and the age of the last row on disk. All three change with
   * time, so this method is also called between messages.
   * @param {RunStore} store
   * @param {number} nowMs
   */
  updateState(store, nowMs) {
    const { tone, icon: name, word, detail, short = detail } = describeState(store, nowMs);
    const { time, age } = lastRowTexts(store, nowMs);
    setAttribute("run-state", "data-tone", tone);
    setIcon("state-icon", name);
    setText("state-word", word);
    setText("state-detail", short);
    setText("last-row-time", time);
    setText("last-row-age", age);
    const { snapshot, run } = store.state;
    const share = snapshot === null || snapshot.total === null
      ? ""
      : `${formatShare(finishedRows(store.state), snapshot.total)} · `;
    const title = `${share}${word} · ${run?.model || "Retort"}`;
    if (document.title !== title) document.title = title;
  }
}

/** @param {MonitorState} state */
function updateProgress(state) {
  const { snapshot } = state;
  if (snapshot === null) return;
  const { total, skipped, succeeded, failed } = snapshot;
  const finished = finishedRows(state);
  const isKnown = total !== null && total > 0;
  const share = isKnown ? formatShare(finished, total) : undefined;
  setText("share", share ?? UNKNOWN);
  setText(
    "rows",
    total === null
      ? `${formatCountOf(finished, "row")} finished`
      : `${formatCount(finished)} of ${formatCountOf(total, "row")} finished`,
  );
  const percent = isKnown ? String(Math.floor(finished / total * 100)) : false;
  setAttribute("progress", "aria-valuenow", percent);
  setAttribute("progress", "aria-valuetext", share ?? "not known yet");
  for (const [name, count] of Object.entries({ skipped, succeeded, failed })) {
    const segment = byId(`${name}-segment`);
    segment.style.flexGrow = String(isKnown ? count / total : 0);
    setShown(segment, count > 0);
  }
  // The key is hidden in most runs, because they skip no rows.
  setShown("skipped-key", skipped > 0);
  const fractionLeft = isKnown ? Math.max(0, total - finished) / total : 1;
  byId("left-segment").style.flexGrow = String(fractionLeft);
}

export class NextStepView {
  #command = byId("next-code");

  constructor() {
    const button = byId("next-copy", HTMLButtonElement);
    const copy = () => copyText(this.#command.textContent ?? "", button, this.#command);
    button.addEventListener("click", copy);
  }

  /** @param {MonitorState} state */
  update(state) {
    const step = nextStep(state);
    setShown("next", step !== null);
    if (step === null) return;
    const { tone, icon: name, words, command } = step;
    setAttribute("next", "data-tone", tone);
    setIcon("next-icon", name);
    setWords("next-words", command === "" ? words : `${words}:`);
    setShown("next-command", command !== "");
    if (this.#command.textContent === command) return;
    setWords(this.#command, command);
    setText("next-copy", "Copy command");
  }
}

export class AboutView {
  #shownJson = "";

  /** @param {MonitorState} state */
  update({ about }) {
    setShown("about", about !== null);
    setShown("over-commands", about !== null);
    const json = JSON.stringify(about);
    if (about === null || json === this.#shownJson) return;
    this.#shownJson = json;
    byId("about-facts").replaceChildren(
      ...about.commands.map(({ name, command }) => factOf(name, command)),
      ...about.facts.map(({ name, text }) => factOf(name, text)),
    );
  }
}

/** @param {string} name @param {string} text */
function factOf(name, text) {
  const line = make("pre");
  setWords(line, text);
  return make("div", {}, make("dt", {}, name), make("dd", {}, line));
}

/**
 * @typedef {{ element: HTMLElement, mark: Element, time: HTMLElement, words: HTMLElement }}
 * NoticeRow
 */

export class NoticesView {
  /** @type {NoticeRow[]} */
  #rows = [];

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const { notices, ended } = store.state;
    setShown("notices-none", notices.length === 0);
    setText("notices-none", ended ? "No events" : "No events yet");
    fillRows(byId("notices-list"), this.#rows, notices.toReversed(), makeNotice, (row, notice) => {
      const isWarning = notice.level === "warning";
      setAttribute(row.element, "data-tone", isWarning ? "wait" : "calm");
      setIcon(row.mark, isWarning ? "alert" : "info");
      setText(row.time, formatMoment(store.localTime(notice.time), nowMs));
      setText(row.words, isWarning ? `Warning: ${notice.message}` : notice.message);
    });
  }
}

/** @returns {NoticeRow} */
function makeNotice() {
  const mark = icon("info");
  const time = make("time");
  const words = make("span", { class: "words" });
  return { element: make("li", {}, mark, words, time), mark, time, words };
}

/** Announces new states, each tenth of the rows, and results of controls to screen readers. */
export class Announcer {
  #word = "";
  #tenth = -1;

  /**
   * Announces what has changed. The first call announces nothing, because screen readers read the
   * whole page then.
   * @param {RunStore} store
   * @param {number} nowMs
   */
  update(store, nowMs) {
    const { word, detail } = describeState(store, nowMs);
    const total = store.state.snapshot?.total ?? 0;
    const tenth = total > 0 ? Math.floor(finishedRows(store.state) / total * 10) : 0;
    const isFirst = this.#tenth < 0;
    const isNewState = word !== this.#word;
    const isNewTenth = tenth > this.#tenth;
    this.#word = word;
    this.#tenth = tenth;
    if (isFirst) return;
    if (isNewState) this.say(`${word}${detail === "" ? "" : `, ${detail}`}`);
    else if (isNewTenth) this.say(`${tenth * 10} % of the rows are finished`);
  }

  /** @param {string} text */
  say(text) {
    setText("live", text);
  }
}

/** Notifies the user when the run ends, if the user and the browser allow it. */
export class Notifier {
  #checkbox = byId("notify", HTMLInputElement);
  /** True at first: the run may have ended before the page was opened. */
  #hadEnded = true;

  constructor() {
    this.#checkbox.addEventListener("change", async () => {
      if (!this.#checkbox.checked) return;
      this.#checkbox.checked = await Notification.requestPermission() === "granted";
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    const { ended, run } = store.state;
    const isEnd = ended && !this.#hadEnded;
    this.#hadEnded = ended;
    setShown("notify-row", !ended && isSecureContext && "Notification" in globalThis);
    if (!isEnd || !this.#checkbox.checked) return;
    const { word, detail } = describeState(store, nowMs);
    new Notification(`${run?.model || "Retort"}: ${word}`, { body: detail });
  }
}
