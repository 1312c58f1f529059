// @ts-check
/// <reference lib="dom" />
/**
 * The page of all runs in a folder: fetches their state every five seconds and shows it.
 *
 * @module
 */

import {
  byId,
  fillRows,
  lostText,
  make,
  onClick,
  setAttribute,
  setShown,
  setText,
  startTheme,
} from "../page/dom.js";
import {
  formatCount,
  formatCountOf,
  formatDuration,
  formatShare,
  formatUsd,
} from "../../lib/figures.js";
import { formatRate, UNKNOWN } from "../page/figures.js";

/** @import { FleetRow, FleetView } from "./view.ts" */

const FLEET_POLL_MS = 5_000;

/**
 * The tone only sets the color; the word carries the meaning.
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

/**
 * The figures at the top of the page.
 * @type {[id: string, title: string, text: (view: FleetView) => string][]}
 */
const FLEET_FIGURES = [
  [
    "rows",
    "Rows",
    (view) => `${formatCount(view.done)} of ${totalText(view.total)} (${shareOf(view)})`,
  ],
  ["failed", "Failed", ({ failed }) => formatCount(failed)],
  ["rate", "Rows/s", ({ rate_per_s }) => formatRate(rate_per_s)],
  ["flight", "In flight", ({ in_flight }) => formatCount(in_flight)],
  ["eta", "ETA", ({ eta_s }) => etaText(eta_s)],
  ["cost", "Cost", totalCostText],
  ["teachers", "Teachers", ({ teachers }) => teachersText(teachers)],
];

/** @template T
 * @typedef {{ title: string, text: (item: T) => string, tone?: (item: T) => string }} Column */

/** @type {Column<FleetView["errors"][number]>[]} */
const FLEET_ERROR_COLUMNS = [
  { title: "Type", text: ({ type }) => type },
  { title: "Status", text: ({ status }) => status === null ? UNKNOWN : String(status) },
  { title: "Attempts", text: ({ count }) => formatCount(count) },
];

/** @type {Column<FleetRow>[]} */
const FLEET_RUN_COLUMNS = [
  { title: "Run", text: ({ name }) => name },
  { title: "State", text: stateText, tone: ({ state }) => FLEET_STATES[state].tone },
  {
    title: "Finished",
    text: ({ done, total }) => total === null ? UNKNOWN : formatShare(done, total),
  },
  { title: "Rows", text: ({ total }) => totalText(total) },
  { title: "Failed", text: ({ failed }) => formatCount(failed) },
  { title: "Rows/s", text: ({ rate_per_s }) => formatRate(rate_per_s) },
  { title: "In flight", text: ({ in_flight }) => formatCount(in_flight) },
  { title: "ETA", text: ({ eta_s }) => etaText(eta_s) },
  { title: "Cost", text: ({ cost_usd }) => costText(cost_usd) },
];

/** @template T */
class FleetTable {
  #columns;
  #body = make("tbody");
  /** @type {{ element: HTMLElement, cells: HTMLElement[] }[]} */
  #rows = [];

  /** @param {string} id @param {Column<T>[]} columns */
  constructor(id, columns) {
    this.#columns = columns;
    const titles = columns.map(({ title }) => make("th", { scope: "col" }, title));
    byId(id).append(make("thead", {}, make("tr", {}, ...titles)), this.#body);
  }

  /** @param {readonly T[]} items */
  show(items) {
    const makeRow = () => {
      const cells = this.#columns.map(() => make("td"));
      return { element: make("tr", {}, ...cells), cells };
    };
    fillRows(this.#body, this.#rows, items, makeRow, ({ cells }, item) => {
      this.#columns.forEach(({ text, tone }, i) => {
        setText(cells[i], text(item));
        setAttribute(cells[i], "data-tone", tone?.(item) ?? false);
      });
    });
  }
}

class FleetPage {
  #wantsAll = false;
  #runs = new FleetTable("fleet-runs", FLEET_RUN_COLUMNS);
  #errors = new FleetTable("fleet-errors", FLEET_ERROR_COLUMNS);

  start() {
    startTheme();
    byId("fleet-figures").append(
      ...FLEET_FIGURES.map(([id, title]) =>
        make("div", {}, make("dt", {}, title), make("dd", { id: `fleet-${id}` }, UNKNOWN))
      ),
    );
    onClick("fleet-all", () => {
      this.#wantsAll = true;
      this.#poll();
    });
    this.#poll();
    const pollIfVisible = () => document.visibilityState === "visible" && this.#poll();
    setInterval(pollIfVisible, FLEET_POLL_MS);
    document.addEventListener("visibilitychange", pollIfVisible);
  }

  async #poll() {
    let isTokenUnknown = false;
    try {
      const response = await fetch(this.#wantsAll ? "state?all" : "state");
      isTokenUnknown = response.status === 401;
      if (!response.ok) throw new Error(String(response.status));
      this.#show(await response.json());
      setShown("fleet-lost", false);
    } catch {
      setText("fleet-lost", lostText({ isTokenUnknown }));
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
    byId("fleet-bar", HTMLProgressElement).value = view.total ? view.done / view.total : 0;
    for (const [id, , text] of FLEET_FIGURES) setText(`fleet-${id}`, text(view));
    setShown("fleet-errors", view.errors.length > 0);
    setShown("fleet-no-errors", view.errors.length === 0);
    this.#errors.show(view.errors);
    this.#runs.show(view.rows);
    setShown("fleet-all", view.more > 0);
    setText("fleet-all", `Show ${formatCount(view.more)} more`);
  }
}

/** @param {FleetRow} row */
function stateText({ state, reason }) {
  const { word } = FLEET_STATES[state];
  return reason === null ? word : `${word}: ${reason}`;
}

/** @param {FleetView["teachers"]} teachers */
function teachersText(teachers) {
  const counts = Object.entries(teachers).map(([state, count]) =>
    `${formatCount(count)} ${state.replace("_", " ")}`
  );
  return counts.join(", ") || UNKNOWN;
}

/** @param {FleetView} view */
function shareOf({ done, total }) {
  return total === null || total === 0 ? UNKNOWN : formatShare(done, total);
}

/** @param {number | null} total */
function totalText(total) {
  return total === null ? UNKNOWN : formatCount(total);
}

/** @param {number | null} seconds */
function etaText(seconds) {
  return seconds === null ? UNKNOWN : formatDuration(seconds * 1_000);
}

/** @param {FleetView} view */
function totalCostText({ cost_usd, runs_of_unknown_cost }) {
  return `${cost_usd !== null && runs_of_unknown_cost > 0 ? "at least " : ""}${costText(cost_usd)}`;
}

/** @param {number | null} usd */
function costText(usd) {
  return usd === null ? UNKNOWN : formatUsd(usd);
}

new FleetPage().start();
