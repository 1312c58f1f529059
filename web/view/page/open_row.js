// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The row that is open next to the table: its request, its answer, and its other answers. The URL
 * and the history of the browser record which row is open.
 *
 * @module
 */

import { byId, make, onClick, setAttribute, setShown, setText } from "../../page/dom.js";
import { formatCount, formatCountOf, formatLatency } from "../../../lib/figures.js";
import { formatId } from "../../page/figures.js";
import { makeFacts, makeFoldedText, makeText } from "../../page/text.js";
import { ask } from "./ask.js";
import { costText, FLAG_LABELS, makeFlag } from "./columns.js";
import { makeSamples } from "./sample_pair.js";

/** @import { RowDetail } from "../../../lib/data/mod.ts" */
/** @import { Grid } from "./grid.js" */
/** @import { ViewState } from "./view_state.js" */

/**
 * @typedef {object} OpenRowPage
 * @property {() => ViewState} view
 * @property {() => void} writeHash writes the state into the URL of the current history entry
 * @property {() => Record<string, string>} query returns filter and sort order as parameters of a
 * request
 * @property {(error: unknown) => void} showProblem
 */

/** Titles of turns by role. @type {Record<string, string>} */
const ROLE_TITLES = {
  system: "System",
  developer: "Developer",
  user: "User",
  assistant: "Assistant",
  tool: "Tool result",
};

/** Matches elements that handle Escape themselves. */
const USES_ESCAPE = "input:not([type=checkbox]), select, dialog";

export class OpenRow {
  #grid;
  #page;
  /** Whether closing a row has called `history.back()`, but the browser has not yet gone back. */
  #isSteppingBack = false;
  /** Number of pending requests for rows to open. */
  #pendingCount = 0;
  /**
   * The history has an entry for the table, and one for rows that are opened from it. They differ
   * only in the open row, so both have this number in `history.state`.
   */
  #series = history.state?.series ?? Date.now();

  /** @param {Grid} grid @param {OpenRowPage} page */
  constructor(grid, page) {
    this.#grid = grid;
    this.#page = page;
    onClick("detail-close", () => this.close());
    onClick("detail-next", () => this.#step(1));
    onClick("detail-previous", () => this.#step(-1));
    addEventListener("keydown", ({ key, target }) => {
      const isUsed = target instanceof Element && target.closest(USES_ESCAPE) !== null;
      if (key === "Escape" && !isUsed) this.close();
    });
    addEventListener("popstate", () => {
      if (!this.#isSteppingBack) return;
      this.#isSteppingBack = false;
      // Another row may have been opened meanwhile.
      if (page.view().openUid !== "") this.#addEntry();
    });
  }

  /** Whether a row is open, or about to be. */
  get isBusy() {
    return this.#pendingCount > 0 || !byId("detail").hidden;
  }

  /**
   * Records that the browser has gone to another entry. Returns whether the entry is of the same
   * series.
   */
  enterEntry() {
    const series = history.state?.series ?? Date.now();
    const isSame = series === this.#series;
    this.#series = series;
    return isSame;
  }

  /**
   * @param {{ id: string, uid: string }} row
   * @param {number} place among the shown rows; -1 if it is not one of them
   */
  async open({ id, uid }, place) {
    this.#setOpenRow(id, uid);
    const words = `Row ${formatCount(place + 1)} of ${formatCount(this.#grid.total)}`;
    setText("detail-place", place >= 0 ? words : "Not among the rows that are shown");
    await this.#opening(async () => {
      const row = await ask("row", { id });
      if (this.#grid.openId === id) this.#show(row);
    });
  }

  /**
   * Opens a row, even if the filter hides it. If no row has both this id and this uid, opens the
   * first row with this uid, because ids change when files are replaced.
   * @param {string} uid
   * @param {string} id
   */
  async openUid(uid, id) {
    await this.#opening(async () => {
      const query = this.#page.query();
      const place = await ask("locate", { ...query, uid, id });
      if (place >= 0) {
        this.#grid.goTo(place, true);
        // The row is requested, because the grid may still have another row at this place.
        const { rows } = await ask("rows", { ...query, from: String(place), count: "1" });
        if (rows[0]?.uid === uid) return await this.open(rows[0], place);
      }
      const row = id === "" ? null : await ask("row", { id });
      if (row?.uid === uid) return await this.open(row, -1);
      const where = `uid == ${JSON.stringify(uid)}`;
      const { rows } = await ask("rows", { where, from: "0", count: "1" });
      if (rows.length > 0) await this.open(rows[0], -1);
    });
  }

  /** @param {() => Promise<void>} work opens a row */
  async #opening(work) {
    this.#pendingCount++;
    try {
      await work();
    } catch (error) {
      this.#page.showProblem(error);
    }
    this.#pendingCount--;
  }

  close() {
    if (this.#grid.openId === "") return;
    this.#setShown(false);
    this.#setOpenRow("", "");
    this.#grid.focus();
  }

  /** @param {1 | -1} direction */
  async #step(direction) {
    const place = this.#grid.currentPlace + direction;
    if (place < 0 || place >= this.#grid.total) return;
    this.#grid.goTo(place);
    const row = await this.#grid.fetchRow(place);
    if (row !== undefined) await this.open(row, place);
  }

  /** @param {string} id @param {string} uid */
  #setOpenRow(id, uid) {
    const view = this.#page.view();
    const isRowEntry = history.state?.isRow === true;
    const needsEntry = view.openUid === "" && uid !== "" && !isRowEntry;
    [view.openUid, view.openId] = [uid, id];
    this.#grid.openId = id;
    this.#grid.draw();
    if (this.#isSteppingBack) return;
    if (uid === "" && isRowEntry) {
      // Otherwise the table would have two entries, and Back would seem to do nothing.
      this.#isSteppingBack = true;
      history.back();
    } else if (needsEntry) this.#addEntry();
    else this.#page.writeHash();
  }

  /**
   * Adds one entry for all rows that are opened one after the other, so that Back closes the open
   * row.
   */
  #addEntry() {
    const series = this.#series;
    history.replaceState({ series, isRow: false }, "");
    history.pushState({ series, isRow: true }, "");
    this.#page.writeHash();
  }

  /** @param {RowDetail | null} row null for a row that can no longer be read */
  #show(row) {
    this.#setShown(true);
    const body = byId("detail-body");
    setText("detail-title", row === null ? "This row can no longer be read" : formatId(row.uid));
    const gone = make("p", { class: "none" }, "Its file was changed or removed.");
    body.replaceChildren(...(row === null ? [gone] : this.#parts(row)));
    body.scrollTop = 0;
  }

  /** @param {boolean} isShown */
  #setShown(isShown) {
    setShown("detail", isShown);
    setAttribute("main", "data-open", isShown);
  }

  /** @param {RowDetail} row @returns {Node[]} */
  #parts(row) {
    const ownFields = Object.entries(row.own).filter(([, text]) => text !== "");
    const note = "Long texts are cut short here; the file has the full text.";
    return [
      ...row.error === null ? [] : [makeText("Failure", failureText(row.error))],
      ...row.flags.length > 0 ? [this.#flags(row)] : [],
      ...row.turns.flatMap(turnParts),
      ...answerParts(row),
      ...row.sample_count > 1 ? [makeSamples(row, (from) => this.#load(row.id, from))] : [],
      makeFacts(factsOf(row)),
      ...ownFields.map(([name, text]) => makeFoldedText(`Your field: ${name}`, "", text)),
      makeFoldedText("Raw JSON", "", row.raw),
      ...row.is_cut ? [make("p", { class: "note" }, note)] : [],
    ];
  }

  /** @param {RowDetail} row */
  #flags(row) {
    const list = make("ul", { class: "flag-list" });
    for (const flag of row.flags) {
      const item = make(
        "li",
        {},
        makeFlag(flag),
        make("span", { class: "note" }, FLAG_LABELS[flag]?.help ?? ""),
      );
      if (flag === "duplicate" && row.duplicate_of !== null) {
        const { duplicate_of: uid, duplicate_id: id } = row;
        const button = make("button", { type: "button", class: "small" }, `Open ${formatId(uid)}`);
        button.addEventListener("click", () => this.openUid(uid, id));
        item.append(button);
      }
      list.append(item);
    }
    return list;
  }

  /**
   * Reads a row again, with its answers from index `samplesFrom` on; null if it cannot be read.
   * @param {string} id
   * @param {number} samplesFrom
   * @returns {Promise<RowDetail | null>}
   */
  async #load(id, samplesFrom) {
    try {
      return await ask("row", { id, samples: String(samplesFrom) });
    } catch (error) {
      this.#page.showProblem(error);
      return null;
    }
  }
}

/** @param {RowDetail} row @returns {import("../../page/text.js").Fact[]} */
function factsOf(row) {
  const cost = row.cost_usd < 0 ? "" : costText(row);
  return [
    ["Status", row.status],
    ["Finish reason", row.finish_reason],
    ["Prompt tokens", row.prompt_tokens],
    ["Answer tokens", row.completion_tokens],
    ["Latency", row.latency_ms > 0 ? formatLatency(row.latency_ms) : ""],
    ["Attempts", row.attempts],
    ["Cost", row.is_estimated && cost !== "" ? `${cost} (estimated from public prices)` : cost],
    ["Model", row.model],
    ["Teacher", row.teacher],
    ["Source", row.source],
    ["File", row.file],
  ];
}

/** @param {NonNullable<RowDetail["error"]>} error */
function failureText({ type, status, message }) {
  return `${type}${status === null ? "" : ` ${status}`}: ${message}`;
}

/** @param {RowDetail["turns"][number]} turn */
function turnParts({ role, text, toolCalls }) {
  const calls = toolCalls === undefined ? [] : [makeText("Tool calls of this turn", toolCalls)];
  return [makeText(ROLE_TITLES[role] ?? role, text), ...calls];
}

/** @param {RowDetail} row */
function answerParts({ reasoning, reasoning_tokens, response, status, tool_calls, turns }) {
  const parts = [];
  const answerTitle = turns.at(-1)?.role === "assistant"
    ? "Answer, continuing the turn above"
    : "Answer";
  if (reasoning !== "") {
    const tokens = reasoning_tokens > 0 ? ` (${formatCountOf(reasoning_tokens, "token")})` : "";
    parts.push(makeFoldedText("Reasoning", tokens, reasoning));
  }
  const isAnswered = status === "answered";
  if (response !== "" || (isAnswered && tool_calls === "")) {
    parts.push(makeText(isAnswered ? answerTitle : "Answer that was not accepted", response));
  }
  if (tool_calls !== "") parts.push(makeText("Tool calls", tool_calls));
  return parts;
}
