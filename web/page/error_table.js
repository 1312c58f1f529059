// @ts-check
/// <reference lib="dom" />
/** The table of failed attempts, by kind. @module */

import { byId, fillRows, make, setAttribute, setIcon, setShown, setText, setWords } from "./dom.js";
import { formatCount, formatCountOf, formatId, formatMoment, UNKNOWN } from "./figures.js";
import { adviceFor, worstFirst } from "./problems.js";
import { addNote, makeRow, makeTable, setTexts } from "./table.js";

/** @import { ErrorGroup, FailureAction } from "../../lib/progress/counters.ts" */
/** @import { RunStore } from "./store.js" */
/** @import { Row } from "./table.js" */

/** Number of kinds that are shown before "Show all" is used. */
const FIRST_ERRORS = 5;

/**
 * Worst first. An error group has the icon and tone of the worst action that was taken.
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

export class ErrorTable {
  #showRows;
  #allButton = byId("errors-all", HTMLButtonElement);
  #showsAll = false;
  /** Groups of the shown rows, in order. @type {ErrorGroup[]} */
  #groups = [];
  #nowMs = 0;
  /** @type {RunStore | undefined} */
  #store;
  #body = makeTable("error-table", ERROR_COLUMNS);
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
    const { snapshot } = store.state;
    const all = worstFirst(snapshot?.errors ?? []);
    const errors = this.#showsAll ? all : all.slice(0, FIRST_ERRORS);
    this.#groups = errors;
    setShown(this.#allButton, !this.#showsAll && all.length > errors.length);
    setText(this.#allButton, `Show all ${formatCount(all.length)} kinds`);
    setShown("errors-none", errors.length === 0);
    setShown("error-table", errors.length > 0);
    const { failed_attempts = 0, attempts = 0 } = snapshot ?? {};
    setText(
      "errors-sum",
      failed_attempts === 0
        ? ""
        : `${formatCount(failed_attempts)} of ${formatCountOf(attempts, "attempt")} failed`,
    );
    fillRows(this.#body, this.#rows, errors, () => this.#makeRow(), (row, group) => {
      fillError(row, group, store, nowMs);
    });
    const missing = (snapshot?.errors_total ?? 0) - all.length;
    setText(
      "errors-more",
      missing > 0 ? `and ${formatCountOf(missing, "more kind")}, less frequent` : "",
    );
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
  row.cells.action.before(row.mark);
  addNote(row, "advice", "message");
  row.cells.advice.classList.add("advice");
  addNote(row, "uids", "advice");
  addNote(row, "status", "type");
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
  setTexts(cells, {
    type: group.type,
    status: group.status === null ? "" : `HTTP ${group.status}`,
    message: group.message || UNKNOWN,
    uids: examplesText(group.uids.map(formatId)),
    count: formatCount(group.count),
    action: actions.map(({ count, word }) => `${formatCount(count)} ${word}`).join(", "),
    kind: ` that failed with ${group.type} ${group.status ?? ""}`,
    first: formatMoment(store.localTime(group.first_seen), nowMs),
    last: formatMoment(store.localTime(group.last_seen), nowMs),
  });
  setWords(cells.advice, adviceFor(group.type));
  setShown(cells.show, group.actions.failed > 0);
}

/** Maximum length of the examples, in UTF-16 units. The first id is shown even if it is longer. */
const MAX_EXAMPLES_LENGTH = 56;

/** @param {readonly string[]} uids */
function examplesText([first, ...others]) {
  if (first === undefined) return "";
  let words = `For example: ${first}`;
  for (const uid of others) {
    if (words.length + uid.length > MAX_EXAMPLES_LENGTH) break;
    words += `, ${uid}`;
  }
  return words;
}
