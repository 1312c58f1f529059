// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Shows a row next to the table: its request, its answer, and its other answers. @module */

import { byId, make, setAttribute, setShown, setText } from "../../page/dom.js";
import { formatCountOf, formatId, formatLatency } from "../../page/figures.js";
import { makeFacts, makeFoldedText, makeText } from "../../page/text.js";
import { costText, FLAG_LABELS, makeFlag } from "./columns.js";
import { makeSamples } from "./sample_pair.js";

/** @import { RowDetail } from "../../../lib/data/mod.ts" */

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
  #openUid;
  #load;

  /**
   * @param {(uid: string, id: string) => void} openUid opens another row
   * @param {(id: string, samplesFrom: number) => Promise<RowDetail | null>} load reads a row again,
   * with the answers to it from index `samplesFrom` on; null if it cannot be read
   */
  constructor(openUid, load) {
    this.#openUid = openUid;
    this.#load = load;
  }

  /** @param {RowDetail | null} row null for a row that can no longer be read */
  show(row) {
    this.#setOpen(true);
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
    this.#setOpen(false);
  }

  /** @param {boolean} isOpen */
  #setOpen(isOpen) {
    setShown(this.#panel, isOpen);
    setAttribute(byId("main"), "data-open", isOpen);
  }

  get isOpen() {
    return !this.#panel.hidden;
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
