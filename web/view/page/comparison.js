// @ts-check
/// <reference lib="dom" />
/**
 * Two runs side by side: tokens, latency and cost of the rows that both have answered, and how many
 * rows only one has.
 *
 * @module
 */

import { formatCount, formatLatency, formatShare, formatUsd } from "../../page/figures.js";
import { byId, make, setShown, setText } from "../../page/dom.js";

/** @import { RunComparison } from "../../../lib/data/comparison.ts" */
/** @typedef {RunComparison["runs"][number]} ComparedRun */

/** The table that compares two runs. */
export class Comparison {
  /** The JSON of the comparison that the page shows. */
  #shown = "";

  /** @param {RunComparison | null} comparison */
  update(comparison) {
    const key = JSON.stringify(comparison);
    if (key === this.#shown) return;
    this.#shown = key;
    setShown(byId("comparison", HTMLElement), comparison !== null);
    if (comparison === null) return;
    const { both, agreement, runs } = comparison;
    byId("comparison-head", HTMLElement).replaceChildren(make(
      "tr",
      {},
      make("th", { scope: "col" }, make("span", { class: "visually-hidden" }, "Figure")),
      ...runs.map(({ path }) =>
        make(
          "th",
          { scope: "col", title: path, class: "number" },
          make("span", { class: "line" }, path),
        )
      ),
    ));
    byId("comparison-rows", HTMLElement).replaceChildren(
      ...FIGURES.map(({ name, textOf }) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, name),
          ...runs.map((run) => make("td", { class: "number" }, textOf(run))),
        )
      ),
    );
    const agreed = agreement.same_text + agreement.same_final_answer;
    setText(
      byId("comparison-note", HTMLElement),
      both === 0
        ? "No row was answered by both. Rows are matched by uid"
        : `${formatCount(both)} rows answered by both; ${
          formatShare(agreed, both)
        } agree in the final answer`,
    );
  }
}

/** Rows of the table. @type {readonly { name: string, textOf: (run: ComparedRun) => string }[]} */
const FIGURES = [
  { name: "Tokens p50", textOf: ({ completion_tokens: { p50 } }) => formatCount(p50) },
  { name: "Tokens p95", textOf: ({ completion_tokens: { p95 } }) => formatCount(p95) },
  { name: "Latency p50", textOf: ({ latency_ms: { p50 } }) => formatLatency(p50) },
  { name: "Cost", textOf: ({ cost_usd: usd }) => usd === null ? "–" : formatUsd(usd) },
  { name: "Only here", textOf: ({ only }) => formatCount(only) },
];
