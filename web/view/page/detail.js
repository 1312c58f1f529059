// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The row that is open next to the table: its request, its answer, and other answers to the same
 * request.
 *
 * @module
 */

import { byId, make, setShown, setText } from "../../page/dom.js";
import { formatCount, formatCountOf, formatId, formatLatency } from "../../page/figures.js";
import { makeFacts, makeFoldedText, makeText } from "../../page/text.js";
import { ask } from "./ask.js";
import { costText, makeFlag } from "./columns.js";
import { makeSamples } from "./sample_pair.js";

/** @import { RowDetail } from "../../../lib/data/mod.ts" */
/** @import { ViewState } from "./view_state.js" */
/** @import { Grid } from "./grid.js" */

/**
 * @typedef {object} OpenRowPage
 * @property {() => ViewState} view
 * @property {() => Record<string, string>} query returns filter and sort order as parameters of a
 * request
 * @property {(error: unknown) => void} showProblem
 */

/** `history.state` of the entry from which a row was opened. Back returns to it. */
export const TABLE_ENTRY = "table";

/** `history.state` of the entry that opening a row has added. */
const ROW_ENTRY = "row";

/** Opens rows next to the table, and keeps the open row in the URL. */
export class OpenRow {
  #grid;
  #page;
  #detail;

  /**
   * @param {Grid} grid
   * @param {Record<string, { title: string, help: string }>} flagLabels title and help text of each
   * flag
   * @param {OpenRowPage} page
   */
  constructor(grid, flagLabels, page) {
    this.#grid = grid;
    this.#page = page;
    this.#detail = new Detail(
      flagLabels,
      (uid, id) => this.openUid(uid, id),
      async (id, from) => {
        try {
          return await ask("row", { id, samples: String(from) });
        } catch (error) {
          page.showProblem(error);
          return null;
        }
      },
    );
    const onClick = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      byId(id, HTMLButtonElement).addEventListener("click", act);
    onClick("detail-close", () => this.close());
    onClick("detail-next", () => this.#step(1));
    onClick("detail-previous", () => this.#step(-1));
    byId("detail").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  get isOpen() {
    return this.#detail.isOpen;
  }

  /**
   * @param {{ id: string, uid: string }} row
   * @param {number} place among the shown rows; -1 if it is not one of them
   */
  async open({ id, uid }, place) {
    this.#setOpenRow(id, uid);
    setText(
      "detail-place",
      place >= 0
        ? `Row ${formatCount(place + 1)} of ${formatCount(this.#grid.total)}`
        : "Not among the rows that are shown",
    );
    try {
      const row = await ask("row", { id });
      if (this.#grid.openId === id) this.#detail.show(row);
    } catch (error) {
      this.#page.showProblem(error);
    }
  }

  /**
   * Opens a row, even if the filter hides it. If the row with this id has another uid, or none has
   * it, opens the first one with this uid, because ids change when files are replaced.
   * @param {string} uid
   * @param {string} id
   */
  async openUid(uid, id) {
    try {
      const place = await ask("locate", { ...this.#page.query(), uid, id });
      if (place >= 0) {
        this.#grid.goTo(place, true);
        await this.#openAt(place);
        return;
      }
      const row = id === "" ? null : await ask("row", { id });
      if (row?.uid === uid) {
        await this.open(row, -1);
        return;
      }
      const { rows } = await ask("rows", {
        where: `uid == ${JSON.stringify(uid)}`,
        from: "0",
        count: "1",
      });
      if (rows.length > 0) await this.open(rows[0], -1);
    } catch (error) {
      this.#page.showProblem(error);
    }
  }

  close() {
    if (this.#grid.openId === "") return;
    this.#detail.hide();
    this.#setOpenRow("", "");
    this.#grid.focus();
  }

  /** @param {1 | -1} direction */
  async #step(direction) {
    const place = this.#grid.currentPlace + direction;
    if (place < 0 || place >= this.#grid.total) return;
    this.#grid.goTo(place);
    await this.#openAt(place);
  }

  /** @param {number} place */
  async #openAt(place) {
    const row = await this.#grid.fetchRow(place);
    if (row !== undefined) await this.open(row, place);
  }

  /** @param {string} id @param {string} uid */
  #setOpenRow(id, uid) {
    const view = this.#page.view();
    const needsEntry = view.openUid === "" && uid !== "" && history.state !== ROW_ENTRY;
    [view.openUid, view.openId] = [uid, id];
    this.#grid.openId = id;
    this.#grid.draw();
    const hash = `#${view.toHash()}`;
    if (!needsEntry) return history.replaceState(history.state, "", hash);
    // One entry for all rows that are opened one after the other: Back closes the open one.
    history.replaceState(TABLE_ENTRY, "");
    history.pushState(ROW_ENTRY, "", hash);
  }
}

/** Titles of turns by role. @type {Record<string, string>} */
const ROLE_TITLES = {
  system: "System",
  developer: "Developer",
  user: "User",
  assistant: "Assistant",
  tool: "Tool result",
};

export class Detail {
  #panel = byId("detail");
  #title = byId("detail-title");
  #body = byId("detail-body");
  #flagLabels;
  #openUid;
  #load;

  /**
   * @param {Record<string, { title: string, help: string }>} flagLabels title and help text of each
   * flag
   * @param {(uid: string, id: string) => void} openUid opens another row
   * @param {(id: string, samplesFrom: number) => Promise<RowDetail | null>} load reads a row again,
   * with the answers to it from index `samplesFrom` on; null if it cannot be read
   */
  constructor(flagLabels, openUid, load) {
    this.#flagLabels = flagLabels;
    this.#openUid = openUid;
    this.#load = load;
  }

  /** @param {RowDetail | null} row null for a row that can no longer be read */
  show(row) {
    setShown(this.#panel, true);
    if (row === null) {
      setText(this.#title, "This row can no longer be read");
      this.#body.replaceChildren(make("p", { class: "none" }, "Its file was changed or removed."));
      return;
    }
    setText(this.#title, formatId(row.uid));
    this.#body.replaceChildren(...this.#parts(row));
    this.#body.scrollTop = 0;
  }

  hide() {
    setShown(this.#panel, false);
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** @param {RowDetail} row @returns {Node[]} */
  #parts(row) {
    const ownFields = Object.entries(row.own).filter(([, text]) => text !== "");
    const note = "Long texts are cut here; the file has them whole.";
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
        makeFlag(flag, this.#flagLabels),
        make("span", { class: "note" }, this.#flagLabels[flag]?.help ?? ""),
      );
      if (flag === "duplicate" && row.duplicate_of !== null) {
        const { duplicate_of: uid, duplicate_id: id } = row;
        const button = make("button", { type: "button", class: "small" }, `Open ${formatId(uid)}`);
        button.addEventListener("click", () => this.#openUid(uid, id));
        item.append(button);
      }
      list.append(item);
    }
    return list;
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
    parts.push(makeText(isAnswered ? answerTitle : "Answer that was not kept", response));
  }
  if (tool_calls !== "") parts.push(makeText("Tool calls", tool_calls));
  return parts;
}
