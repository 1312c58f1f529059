// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Columns of the table, and the list for choosing them. @module */

import { formatCount, formatLatency, formatUsd } from "../../../lib/figures.js";
import { formatId } from "../../page/figures.js";
import { byId, make } from "../../page/dom.js";

/** @import { ShownRow } from "../../../lib/data/mod.ts" */
/**
 * A column. `sort` is the field that a click on the title sorts by, if any. `width` is a CSS track
 * size. Its first number is the minimum in pixels: `grid.js` adds these up.
 *
 * @typedef {{ title: string, sort?: string, width: string, isNumber?: boolean, cell: (row:
 * ShownRow) => (Node | string)[] }} Column
 */

/** @typedef {Record<string, { title: string, help: string }>} Labels */

/** Labels of flags, by name. Empty until the server's first state arrives. @type {Labels} */
export const FLAG_LABELS = {};

export const DEFAULT_COLUMNS = [
  "uid",
  "prompt",
  "answer",
  "finish_reason",
  "completion_tokens",
  "latency_ms",
  "flags",
];

/** @type {Column} */
export const CHOOSE_COLUMN = {
  title: "Selected",
  width: "32px",
  cell: () => [make("span", { class: "choose", "aria-hidden": "true" })],
};

/** Columns that every results file has, by key. @type {Record<string, Column>} */
const BUILT_IN_COLUMNS = {
  uid: {
    title: "uid",
    width: "minmax(96px, 160px)",
    cell: ({ uid }) => [make("span", { class: "line uid" }, formatId(uid))],
  },
  prompt: textColumn("Prompt", "prompt", "minmax(160px, 1fr)"),
  answer: textColumn("Answer", "answer", "minmax(200px, 1.6fr)"),
  finish_reason: { title: "Finish reason", width: "112px", cell: (row) => [endingBadge(row)] },
  completion_tokens: numberColumn("Tokens", "completion_tokens", "80px"),
  prompt_tokens: numberColumn("Prompt tokens", "prompt_tokens", "112px"),
  reasoning_tokens: numberColumn("Reasoning tokens", "reasoning_tokens", "136px"),
  latency_ms: numberColumn("Latency", "latency_ms", "80px", latencyText),
  attempts: numberColumn("Attempts", "attempts", "88px"),
  cost_usd: numberColumn("Cost", "cost_usd", "88px", costText),
  teacher: textColumn("Teacher", "teacher", "minmax(96px, 160px)"),
  model: textColumn("Model", "model", "minmax(80px, 128px)"),
  flags: {
    title: "Flags",
    width: "minmax(96px, 176px)",
    cell: ({ flags }) => flags.map(makeFlag),
  },
};

/** @param {string} key */
export function isBuiltIn(key) {
  return Object.hasOwn(BUILT_IN_COLUMNS, key);
}

/**
 * @param {string} title
 * @param {"prompt" | "answer" | "teacher" | "model"} field
 * @param {string} width
 * @returns {Column}
 */
function textColumn(title, field, width) {
  return { title, width, cell: (row) => [make("span", { class: "line" }, row[field])] };
}

/**
 * Makes a column that rows can be sorted by.
 * @param {string} title
 * @param {"completion_tokens" | "prompt_tokens" | "reasoning_tokens" | "latency_ms" | "attempts" |
 * "cost_usd"} field
 * @param {string} width
 * @param {(row: ShownRow) => string} [textOf] formats the value; as a whole number by default
 * @returns {Column}
 */
function numberColumn(title, field, width, textOf = (row) => formatCount(row[field])) {
  // The prefix is needed, because rows may have a field of their own with this name.
  return { title, sort: `distill.${field}`, width, isNumber: true, cell: (row) => [textOf(row)] };
}

/**
 * Makes a badge that says why the answer ended, or why the row has no answer.
 * @param {ShownRow} row
 */
function endingBadge({ status, failure, finish_reason: reason }) {
  if (status !== "answered") {
    return make("span", { class: status === "failed" ? "badge bad" : "badge wait" }, failure);
  }
  return make("span", { class: reason === "stop" ? "badge" : "badge wait" }, reason || "none");
}

/** Makes a badge that explains the flag on hover. @param {string} flag */
export function makeFlag(flag) {
  const { title, help } = FLAG_LABELS[flag] ?? { title: flag, help: "" };
  return make("span", { class: "badge wait flag", title: help }, title);
}

/**
 * Formats a cost; "–" for an unknown cost, which is negative.
 * @param {Pick<ShownRow, "cost_usd" | "is_estimated">} row
 */
export function costText({ cost_usd: usd, is_estimated: isEstimated }) {
  if (usd < 0) return "–";
  return `${isEstimated ? "~" : ""}${formatUsd(usd)}`;
}

/** @param {ShownRow} row */
function latencyText({ latency_ms: latencyMs }) {
  return formatLatency(latencyMs);
}

/**
 * Returns a built-in column, or the column of a field of the user's rows.
 * @param {string} key
 * @param {ReadonlySet<string>} sortable names of the fields by which rows can be sorted
 * @returns {Column}
 */
export function columnOf(key, sortable) {
  if (isBuiltIn(key)) return BUILT_IN_COLUMNS[key];
  const unquoted = key.slice(1, -1);
  const name = ownFieldKey(unquoted) === key ? unquoted : key;
  const isSortable = sortable.has(name);
  return {
    title: name,
    sort: isSortable ? name : undefined,
    width: "minmax(80px, 160px)",
    isNumber: isSortable,
    cell: ({ own }) => [make("span", { class: "line" }, own[key] ?? "")],
  };
}

/**
 * Returns the key of a column for a field of the user's rows: its name, in backquotes if a built-in
 * column has that name. Conditions accept the name with and without backquotes.
 * @param {string} name
 */
function ownFieldKey(name) {
  return isBuiltIn(name) ? `\`${name}\`` : name;
}

export class ColumnChoices {
  #list = byId("columns-list");
  #onChange;
  #shownJson = "";

  /** @param {(keys: string[]) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /**
   * @param {readonly string[]} own fields of the user's rows
   * @param {readonly string[]} shown keys
   */
  update(own, shown) {
    const keys = [...Object.keys(BUILT_IN_COLUMNS), ...own.map(ownFieldKey)];
    const json = JSON.stringify([keys, shown]);
    if (this.#shownJson === json) return;
    this.#shownJson = json;
    this.#list.replaceChildren(...keys.map((key) => {
      const checkbox = make("input", { type: "checkbox" });
      checkbox.checked = shown.includes(key);
      checkbox.addEventListener("change", () => {
        this.#onChange(checkbox.checked ? [...shown, key] : shown.filter((other) => other !== key));
      });
      const { title } = columnOf(key, new Set());
      return make("label", { class: "check" }, checkbox, title);
    }));
  }
}
