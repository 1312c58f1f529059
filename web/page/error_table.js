// @ts-check
/// <reference lib="dom" />
/**
 * The table of failed attempts, by kind.
 *
 * @module
 */

import { byId, fillRows, make, setAttribute, setIcon, setShown, setText, setWords } from "./dom.js";
import { formatCount, formatMoment, UNKNOWN } from "./figures.js";
import { adviceFor, worstFirst } from "./problems.js";
import { makeRow, makeTable } from "./tables.js";

/** @import { ErrorGroup, FailureAction } from "../../lib/progress/events.ts" */
/** @import { RunStore } from "./store.js" */
/** @import { Row } from "./tables.js" */

/** Number of kinds of errors that are shown before "Show all" is used. */
const FIRST_ERRORS = 5;

/**
 * What Retort did about failed attempts, worst first. An error group has the icon and tone of the
 * worst action that was taken.
 *
 * @type {Record<FailureAction, { word: string, icon: string, tone: string }>}
 */
const ACTIONS = {
  failed: { word: "failed", icon: "cross", tone: "bad" },
  halted: { word: "interrupted", icon: "stop", tone: "wait" },
  retried: { word: "retried", icon: "retry", tone: "calm" },
};

const ERROR_COLUMNS = [
  ["type", "Type"],
  ["message", "Message"],
  ["count", "Count"],
  ["action", "Action"],
  ["first", "First"],
  ["last", "Last"],
  ["show", ""],
];

/** Table of failed attempts by kind. Kinds that made rows fail come first. */
export class ErrorTable {
  #showRows;
  #allButton = byId("errors-all", HTMLButtonElement);
  #showsAll = false;
  /** Groups of the shown rows, in order. @type {ErrorGroup[]} */
  #groups = [];
  #nowMs = 0;
  /** @type {RunStore | undefined} */
  #store;
  #box = byId("error-table", HTMLElement);
  #body = makeTable("error-table", ERROR_COLUMNS);
  #none = byId("errors-none", HTMLElement);
  #more = byId("errors-more", HTMLElement);
  /** @type {Row[]} */
  #rows = [];

  /**
   * @param {(type: string, status: number | null) => void} showRows shows the failed rows of a kind
   */
  constructor(showRows) {
    this.#showRows = showRows;
    this.#allButton.addEventListener("click", () => {
      this.#showsAll = true;
      if (this.#store !== undefined) this.update(this.#store, this.#nowMs);
    });
  }

  /** @param {RunStore} store @param {number} nowMs */
  update(store, nowMs) {
    this.#store = store;
    this.#nowMs = nowMs;
    const all = worstFirst(store.snapshot?.errors ?? []);
    const errors = this.#showsAll ? all : all.slice(0, FIRST_ERRORS);
    this.#groups = errors;
    setShown(this.#allButton, !this.#showsAll && all.length > errors.length);
    setText(this.#allButton, `Show all ${formatCount(all.length)} kinds`);
    setShown(this.#none, errors.length === 0);
    setShown(this.#box, errors.length > 0);
    const { failed_attempts = 0, attempts = 0 } = store.snapshot ?? {};
    setText(
      byId("errors-sum", HTMLElement),
      failed_attempts === 0
        ? ""
        : `${formatCount(failed_attempts)} of ${formatCount(attempts)} attempts failed`,
    );
    fillRows(this.#body, this.#rows, errors, () => this.#makeRow(), (row, group) => {
      fillError(row, group, store, nowMs);
    });
    const missing = (store.snapshot?.errors_total ?? 0) - all.length;
    setText(this.#more, missing > 0 ? `and ${formatCount(missing)} more kinds, less frequent` : "");
  }

  #makeRow() {
    const row = makeErrorRow();
    const button = make("button", { type: "button", class: "small" }, "Show rows");
    button.append(row.cells.kind = make("span", { class: "visually-hidden" }));
    button.addEventListener("click", () => {
      const group = this.#groups[this.#rows.indexOf(row)];
      if (group !== undefined) this.#showRows(group.type, group.status);
    });
    row.cells.show.replaceWith(button);
    row.cells.show = button;
    return row;
  }
}

function makeErrorRow() {
  const row = makeRow(ERROR_COLUMNS);
  row.cells.advice = make("span", { class: "note advice" });
  row.cells.message.after(row.cells.advice);
  row.cells.action.before(row.mark);
  row.cells.status = make("span", { class: "note" });
  row.cells.type.after(row.cells.status);
  row.cells.uids = make("span", { class: "note" });
  row.cells.advice.after(row.cells.uids);
  return row;
}

/** @param {Row} row @param {ErrorGroup} group @param {RunStore} store @param {number} nowMs */
function fillError({ element, cells, mark }, group, store, nowMs) {
  const actions = Object.entries(ACTIONS)
    .map(([action, words]) => ({
      ...words,
      count: group.actions[/** @type {FailureAction} */ (action)],
    }))
    .filter(({ count }) => count > 0);
  setAttribute(element, "data-tone", actions[0]?.tone ?? "calm");
  setIcon(mark, actions[0]?.icon ?? "dots");
  setText(cells.type, group.type);
  setText(cells.status, group.status === null ? "" : `HTTP ${group.status}`);
  setText(cells.message, group.message || UNKNOWN);
  setText(cells.uids, exampleWords(group.uids));
  setText(cells.count, formatCount(group.count));
  setText(
    cells.action,
    actions.map(({ count, word }) => `${formatCount(count)} ${word}`).join(", "),
  );
  setWords(cells.advice, adviceFor(group.type));
  setText(cells.kind, ` that failed with ${group.type} ${group.status ?? ""}`);
  setShown(cells.show, (group.actions.failed ?? 0) > 0);
  setText(cells.first, formatMoment(store.localTime(group.first_seen), nowMs));
  setText(cells.last, formatMoment(store.localTime(group.last_seen), nowMs));
}

/** Most characters of the list of examples. The first one is shown even if it is longer. */
const MAX_EXAMPLES_LENGTH = 56;

/** Names some of the rows by their ids. @param {readonly string[]} uids */
function exampleWords([first, ...others]) {
  if (first === undefined) return "";
  let words = `For example: ${first}`;
  for (const uid of others) {
    if (words.length + uid.length > MAX_EXAMPLES_LENGTH) break;
    words += `, ${uid}`;
  }
  return words;
}
