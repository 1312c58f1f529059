// @ts-check
/// <reference lib="dom" />
/**
 * The page of all runs in a folder: fetches their state every five seconds and shows it.
 *
 * @module
 */

import { byId, fillRows, lostText, make, setAttribute, setShown, setText } from "../page/dom.js";
import {
  formatCount,
  formatCountOf,
  formatDuration,
  formatRate,
  formatShare,
  formatUsd,
  UNKNOWN,
} from "../page/figures.js";
import { startTheme } from "../page/theme.js";

/** @import { FleetRow, FleetView } from "./view.ts" */

const FLEET_POLL_MS = 5_000;

/**
 * The tone sets the color. The word alone has the meaning.
 * @type {Record<string, { word: string, tone: string }>}
 */
const FLEET_STATES = {
  running: { word: "running", tone: "calm" },
  paused: { word: "not sending", tone: "wait" },
  waiting: { word: "not started", tone: "calm" },
  silent: { word: "silent", tone: "bad" },
  dead: { word: "dead", tone: "bad" },
  done: { word: "done", tone: "good" },
  halted: { word: "halted", tone: "bad" },
  failed: { word: "failed", tone: "bad" },
  interrupted: { word: "interrupted", tone: "wait" },
};

/** @typedef {{ element: HTMLElement, cells: HTMLElement[] }} FleetTableRow */

class FleetPage {
  #wantsAll = false;
  /** @type {FleetTableRow[]} */
  #runs = [];
  /** @type {FleetTableRow[]} */
  #errors = [];

  start() {
    startTheme(() => {}, () => {});
    byId("fleet-all", HTMLButtonElement).addEventListener("click", () => {
      this.#wantsAll = true;
      this.#poll();
    });
    this.#poll();
    setInterval(() => {
      if (document.visibilityState === "visible") this.#poll();
    }, FLEET_POLL_MS);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#poll();
    });
  }

  async #poll() {
    let isUnknown = false;
    try {
      const response = await fetch(this.#wantsAll ? "state?all" : "state");
      isUnknown = response.status === 401;
      if (!response.ok) throw new Error(String(response.status));
      this.#show(await response.json());
      setShown("fleet-lost", false);
    } catch {
      setText("fleet-lost", lostText(isUnknown));
      setShown("fleet-lost", true);
    }
  }

  /** @param {FleetView} view */
  #show(view) {
    document.title = `${shareOf(view)} · ${view.name}`;
    setText("fleet-name", view.name);
    setText("fleet-model", view.model);
    const states = Object.entries(view.states).map(([state, count]) =>
      `${formatCount(count ?? 0)} ${FLEET_STATES[state].word}`
    );
    const runs = formatCountOf(view.runs, "run");
    setText(
      "fleet-states",
      states.length === 0 ? "No run has started" : `${runs}: ${states.join(", ")}`,
    );
    const bar = byId("fleet-bar", HTMLProgressElement);
    bar.value = view.total ? view.done / view.total : 0;
    const total = view.total === null ? UNKNOWN : formatCount(view.total);
    setText("fleet-rows", `${formatCount(view.done)} of ${total} (${shareOf(view)})`);
    setText("fleet-failed", formatCount(view.failed));
    setText("fleet-rate", formatRate(view.rate_per_s));
    setText("fleet-flight", formatCount(view.in_flight));
    setText("fleet-eta", etaText(view.eta_s));
    setText("fleet-cost", costText(view.cost_usd));
    const teachers = Object.entries(view.teachers).map(([state, count]) =>
      `${formatCount(count)} ${state.replace("_", " ")}`
    );
    setText("fleet-teachers", teachers.length === 0 ? UNKNOWN : teachers.join(", "));
    this.#showErrors(view);
    this.#showRuns(view);
  }

  /** @param {FleetView} view */
  #showErrors({ errors }) {
    const table = byId("fleet-errors", HTMLTableElement);
    setShown(table, errors.length > 0);
    setShown("fleet-no-errors", errors.length === 0);
    fillRows(table.tBodies[0], this.#errors, errors, () => tableRow(3), ({ cells }, error) => {
      setText(cells[0], error.type);
      setText(cells[1], error.status === null ? UNKNOWN : String(error.status));
      setText(cells[2], formatCount(error.count));
    });
  }

  /** @param {FleetView} view */
  #showRuns({ rows, more }) {
    const body = byId("fleet-runs", HTMLTableElement).tBodies[0];
    fillRows(body, this.#runs, rows, () => tableRow(9), ({ cells }, row) => fillRun(cells, row));
    const button = byId("fleet-all", HTMLButtonElement);
    setShown(button, more > 0);
    setText(button, `Show ${formatCount(more)} more`);
  }
}

/** @param {HTMLElement[]} cells @param {FleetRow} row */
function fillRun(cells, row) {
  const { word, tone } = FLEET_STATES[row.state];
  setText(cells[0], row.name);
  setText(cells[1], row.reason === null ? word : `${word}: ${row.reason}`);
  setAttribute(cells[1], "data-tone", tone);
  setText(cells[2], row.total === null ? UNKNOWN : formatShare(row.done, row.total));
  setText(cells[3], row.total === null ? UNKNOWN : formatCount(row.total));
  setText(cells[4], formatCount(row.failed));
  setText(cells[5], formatRate(row.rate_per_s));
  setText(cells[6], formatCount(row.in_flight));
  setText(cells[7], etaText(row.eta_s));
  setText(cells[8], costText(row.cost_usd));
}

/** @param {number} columns @returns {FleetTableRow} */
function tableRow(columns) {
  const cells = Array.from({ length: columns }, () => make("td"));
  return { element: make("tr", {}, ...cells), cells };
}

/** @param {FleetView} view */
function shareOf({ done, total }) {
  return total === null || total === 0 ? UNKNOWN : formatShare(done, total);
}

/** @param {number | null} seconds */
function etaText(seconds) {
  return seconds === null ? UNKNOWN : formatDuration(seconds * 1_000);
}

/** @param {number | null} usd */
function costText(usd) {
  return usd === null ? UNKNOWN : formatUsd(usd);
}

new FleetPage().start();
