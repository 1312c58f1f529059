// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The columns of the table, and the list for choosing them.
 *
 * @module
 */

import { formatCount, formatLatency, formatUsd } from "../../page/figures.js";
import { byId, make } from "../../page/dom.js";

/** @import { ShownRow } from "../../../lib/data/protocol.ts" */
/** @typedef {{ title: string, sort?: string, width: string, isNumber?: boolean, cell: (row: ShownRow) => (Node | string)[] }} Column */

/** The columns that are shown by default. */
export const USUAL_COLUMNS = [
  "uid",
  "prompt",
  "answer",
  "finish_reason",
  "completion_tokens",
  "latency_ms",
  "flags",
];

/** @param {Record<string, { title: string, help: string }>} words @returns {Record<string, Column>} */
export function builtInColumns(words) {
  const text = (
    /** @type {string} */ value,
  ) => [make("span", { class: "line" }, value)];
  const number = (/** @type {number} */ value) => [formatCount(value)];
  return {
    choose: {
      title: "Selected",
      width: "32px",
      cell: () => [make("span", { class: "choose", "aria-hidden": "true" })],
    },
    uid: {
      title: "uid",
      width: "minmax(96px, 160px)",
      cell: ({ uid }) => [make("span", { class: "line uid" }, uid)],
    },
    prompt: {
      title: "Prompt",
      width: "minmax(160px, 1fr)",
      cell: ({ prompt }) => text(prompt),
    },
    answer: {
      title: "Answer",
      width: "minmax(200px, 1.6fr)",
      cell: ({ answer }) => text(answer),
    },
    finish_reason: {
      title: "Finish reason",
      width: "112px",
      cell: ({ status, failure, finish_reason: reason }) =>
        status === "answered"
          ? [
            make(
              "span",
              { class: reason === "stop" ? "badge" : "badge wait" },
              reason || "none",
            ),
          ]
          : [
            make("span", {
              class: status === "failed" ? "badge bad" : "badge wait",
            }, failure),
          ],
    },
    completion_tokens: {
      title: "Tokens",
      sort: "completion_tokens",
      width: "80px",
      isNumber: true,
      cell: (row) => number(row.completion_tokens),
    },
    prompt_tokens: {
      title: "Prompt tokens",
      sort: "prompt_tokens",
      width: "112px",
      isNumber: true,
      cell: (row) => number(row.prompt_tokens),
    },
    reasoning_tokens: {
      title: "Reasoning tokens",
      sort: "reasoning_tokens",
      width: "136px",
      isNumber: true,
      cell: (row) => number(row.reasoning_tokens),
    },
    latency_ms: {
      title: "Latency",
      sort: "latency_ms",
      width: "80px",
      isNumber: true,
      cell: (row) => [formatLatency(row.latency_ms)],
    },
    attempts: {
      title: "Attempts",
      sort: "attempts",
      width: "88px",
      isNumber: true,
      cell: (row) => number(row.attempts),
    },
    cost_usd: {
      title: "Cost",
      sort: "cost_usd",
      width: "88px",
      isNumber: true,
      cell: (row) => [costText(row)],
    },
    teacher: {
      title: "Teacher",
      width: "minmax(96px, 160px)",
      cell: ({ teacher }) => text(teacher),
    },
    model: {
      title: "Model",
      width: "minmax(80px, 128px)",
      cell: ({ model }) => text(model),
    },
    flags: {
      title: "Flags",
      width: "minmax(96px, 176px)",
      cell: ({ flags }) => flags.map((flag) => makeFlag(flag, words)),
    },
  };
}

/** A flag with its explanation on hover. @param {string} flag @param {Record<string, { title: string, help: string }>} words */
export function makeFlag(flag, words) {
  const { title, help } = words[flag] ?? { title: flag, help: "" };
  return make("span", { class: "badge wait flag", title: help }, title);
}

/** @param {Pick<ShownRow, "cost_usd" | "is_estimated">} row */
export function costText({ cost_usd: usd, is_estimated: isEstimated }) {
  if (usd < 0) return "–";
  return `${isEstimated ? "~" : ""}${formatUsd(usd)}`;
}

/** A field of the user's rows. @param {string} name @param {boolean} isSortable @returns {Column} */
export function ownColumn(name, isSortable) {
  return {
    title: name,
    sort: isSortable ? name : undefined,
    width: "minmax(80px, 160px)",
    isNumber: isSortable,
    cell: ({ own }) => [make("span", { class: "line" }, own[name] ?? "")],
  };
}

/** The list for choosing columns. */
export class ColumnChoices {
  #list = byId("columns-list", HTMLElement);
  #builtIn;
  #onChange;
  #key = "";

  /** @param {Record<string, Column>} builtIn @param {(names: string[]) => void} onChange */
  constructor(builtIn, onChange) {
    this.#builtIn = builtIn;
    this.#onChange = onChange;
  }

  /** @param {readonly string[]} own fields of the user's rows @param {readonly string[]} shown */
  update(own, shown) {
    const names = [
      ...Object.keys(this.#builtIn).filter((name) => name !== "choose"),
      ...own.filter((name) => this.#builtIn[name] === undefined),
    ];
    const key = JSON.stringify([names, shown]);
    if (this.#key === key) return;
    this.#key = key;
    this.#list.replaceChildren(...names.map((name) => {
      const box = make("input", { type: "checkbox" });
      box.checked = shown.includes(name);
      box.addEventListener("change", () => {
        this.#onChange(box.checked ? [...shown, name] : shown.filter((one) => one !== name));
      });
      return make("label", { class: "check" }, box, this.#builtIn[name]?.title ?? name);
    }));
  }
}
