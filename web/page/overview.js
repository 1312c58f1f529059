// @ts-check
/// <reference lib="dom" />
/**
 * The top of the page: the state line, the progress and the next step. Also the section "What was
 * run", with the commands.
 *
 * @module
 */

import { byId, copyText, make, setAttribute, setIcon, setShown, setText, setWords } from "./dom.js";
import { formatCount, formatCountOf, formatDate, formatShare, UNKNOWN } from "./figures.js";
import { nextStep } from "./problems.js";
import { describeState, finishedRows, lastResultTexts } from "./run_state.js";
import { Tiles } from "./tiles.js";

/** @import { MonitorState } from "../monitor_state.ts" */
/** @import { RunStore } from "./store.js" */

export class Overview {
  #state = byId("run-state");
  #stateIcon = byId("state-icon", SVGElement);
  #stateWord = byId("state-word");
  #stateDetail = byId("state-detail");
  #lastResultTime = byId("last-result-time");
  #lastResultAge = byId("last-result-age");
  #tiles = new Tiles();

  /** @param {MonitorState} state */
  updateRun({ run }) {
    setText("model", run?.model || "Retort");
    setText("teacher", run?.teacher ?? "");
    const started = run === null ? "" : `Started ${formatDate(Date.parse(run.time))}`;
    setText("started", started);
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.updateState(store, nowMs);
    updateProgress(store.state);
    this.#tiles.update(store, nowMs);
  }

  /**
   * Updates the state line, the title and the age of the last result on disk. All three change with
   * time, so this method is also called between messages.
   * @param {RunStore} store
   * @param {number} nowMs
   */
  updateState(store, nowMs) {
    const { tone, icon, word, detail, short = detail } = describeState(store, nowMs);
    const { time, age } = lastResultTexts(store, nowMs);
    setAttribute(this.#state, "data-tone", tone);
    setIcon(this.#stateIcon, icon);
    setText(this.#stateWord, word);
    setText(this.#stateDetail, short);
    setText(this.#lastResultTime, time);
    setText(this.#lastResultAge, age);
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
  setText("share", isKnown ? formatShare(finished, total) : UNKNOWN);
  setText(
    "rows",
    total === null
      ? `${formatCountOf(finished, "row")} finished`
      : `${formatCount(finished)} of ${formatCountOf(total, "row")} finished`,
  );
  const bar = byId("progress");
  setAttribute(bar, "aria-valuenow", isKnown ? String(Math.floor(finished / total * 100)) : false);
  setAttribute(bar, "aria-valuetext", isKnown ? formatShare(finished, total) : "not known yet");
  const counts = { skipped, succeeded, failed };
  for (const [name, count] of Object.entries(counts)) {
    const segment = byId(`${name}-segment`);
    segment.style.flexGrow = String(isKnown ? count / total : 0);
    setShown(segment, count > 0);
  }
  // Most runs skip no rows.
  setShown("skipped-key", skipped > 0);
  const fractionLeft = isKnown ? Math.max(0, total - finished) / total : 1;
  byId("left-segment").style.flexGrow = String(fractionLeft);
}

export class NextStepView {
  #banner = byId("next");
  #command = byId("next-code");

  constructor() {
    const button = byId("next-copy", HTMLButtonElement);
    const copy = () => copyText(this.#command.textContent ?? "", button, this.#command);
    button.addEventListener("click", copy);
  }

  /** @param {MonitorState} state */
  update(state) {
    const step = nextStep(state);
    setShown(this.#banner, step !== null);
    if (step === null) return;
    const { tone, icon, words, command } = step;
    setAttribute(this.#banner, "data-tone", tone);
    setIcon(byId("next-icon", SVGElement), icon);
    setWords(byId("next-words"), command === "" ? words : `${words}:`);
    setShown("next-command", command !== "");
    if (this.#command.textContent === command) return;
    setWords(this.#command, command);
    setText("next-copy", "Copy command");
  }
}

export class AboutView {
  #section = byId("about");
  #facts = byId("about-facts");
  #shownJson = "";

  /** @param {MonitorState} state */
  update({ about }) {
    setShown(this.#section, about !== null);
    setShown("over-commands", about !== null);
    const json = JSON.stringify(about);
    if (about === null || json === this.#shownJson) return;
    this.#shownJson = json;
    this.#facts.replaceChildren(
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
