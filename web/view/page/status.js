// @ts-check
/// <reference lib="dom" />
/**
 * The parts of the data page above the table: files and problems, the search for near duplicates,
 * and the comparison of runs.
 *
 * @module
 */

import { byId, make, onClick, setShown, setText } from "../../page/dom.js";
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatLatency,
  formatShare,
  formatUsd,
} from "../../../lib/figures.js";

/** @import { RunComparison } from "../../../lib/data/comparison.ts" */
/** @import { DataState, Overview, ScanStatus } from "../../../lib/data/mod.ts" */

const MAX_NOTES = 20;

export class NoteList {
  #list;
  #shownText = "";

  /** @param {string} id of a list in the page */
  constructor(id) {
    this.#list = byId(id);
  }

  /** @param {readonly string[]} notes */
  update(notes) {
    // Keeps an unchanged list, so that selected text stays selected.
    const text = notes.join("\n");
    if (text === this.#shownText) return;
    this.#shownText = text;
    const missing = notes.length - MAX_NOTES;
    const shown = missing > 0
      ? [...notes.slice(0, MAX_NOTES), `and ${formatCountOf(missing, "more note")}`]
      : notes;
    this.#list.replaceChildren(...shown.map((note) => make("li", {}, note)));
    setShown(this.#list, notes.length > 0);
  }
}

export class FilesBar {
  #notes = new NoteList("notes");

  /** @param {DataState & { notes: readonly string[] }} state */
  update({ index, paths, notes }) {
    setText("files", filesText({ index, paths }));
    let bytes = 0, readBytes = 0;
    for (const file of index.files) {
      bytes += file.size;
      readBytes += Math.min(file.read, file.size);
    }
    const progress = `Reading: ${formatShare(readBytes, bytes)} of ${formatBytes(bytes)}`;
    setText("reading", index.isCurrent ? "" : progress);
    this.#notes.update([...notes, ...noteTexts(index)]);
  }
}

export class NearPanel {
  /** @param {(action: "prompt" | "response" | "cancel") => void} act */
  constructor(act) {
    onClick("near-prompt", () => act("prompt"));
    onClick("near-response", () => act("response"));
    onClick("near-cancel", () => act("cancel"));
  }

  /** @param {DataState} state */
  update({ index, near }) {
    const isRunning = near?.state === "running";
    for (const id of ["near-prompt", "near-response"]) {
      byId(id, HTMLButtonElement).disabled = !index.isCurrent || isRunning;
    }
    setShown("near-cancel", isRunning);
    setText("near-words", nearText(near));
    setShown("near-choices", near?.state === "done" && near.copies > 0);
  }
}

/** @typedef {RunComparison["runs"][number]} ComparedRun */

export class Comparison {
  #shownJson = "";

  /** @param {RunComparison | null} comparison */
  update(comparison) {
    const json = JSON.stringify(comparison);
    if (json === this.#shownJson) return;
    this.#shownJson = json;
    setShown("comparison", comparison !== null);
    if (comparison === null) return;
    const { both, agreement, runs } = comparison;
    const heads = runs.map(({ path }) => {
      const attributes = { scope: "col", title: path, class: "number" };
      return make("th", attributes, make("span", { class: "line" }, path));
    });
    const corner = make("span", { class: "visually-hidden" }, "Figure");
    byId("comparison-head").replaceChildren(
      make("tr", {}, make("th", { scope: "col" }, corner), ...heads),
    );
    byId("comparison-rows").replaceChildren(...FIGURES.map(({ name, textOf }) => {
      const cells = runs.map((run) => make("td", { class: "number" }, textOf(run)));
      return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
    }));
    const agreed = agreement.same_text + agreement.same_final_answer;
    setText(
      "comparison-note",
      both === 0
        ? "No row was answered by both. Rows are matched by uid"
        : `${formatCountOf(both, "row")} answered by both; ${
          formatShare(agreed, both)
        } agree on the final answer`,
    );
  }
}

/** @type {readonly { name: string, textOf: (run: ComparedRun) => string }[]} */
const FIGURES = [
  { name: "Tokens p50", textOf: ({ completion_tokens: { p50 } }) => formatCount(p50) },
  { name: "Tokens p95", textOf: ({ completion_tokens: { p95 } }) => formatCount(p95) },
  { name: "Latency p50", textOf: ({ latency_ms: { p50 } }) => formatLatency(p50) },
  { name: "Cost", textOf: ({ cost_usd: usd }) => usd === null ? "–" : formatUsd(usd) },
  { name: "Only here", textOf: ({ only }) => formatCount(only) },
];

/** @param {number} shown @param {number} all */
export function countText(shown, all) {
  const rows = formatCountOf(all, "row");
  return shown === all ? rows : `${formatCount(shown)} of ${rows}`;
}

/** @param {DataState["index"]} index @returns {string[]} */
export function noteTexts({ files }) {
  return files.flatMap(({ path, problem, damageCount, damage, state }) => {
    if (problem !== null) return [`${path}: ${problem}`];
    if (damageCount === 0 || state === "foreign") return [];
    const [first] = damage;
    const lines = formatCountOf(damageCount, "damaged line");
    return [`${path}: ${lines} left out (line ${first.line}: ${first.problem})`];
  });
}

/** @param {ScanStatus | null} scan */
export function scanText(scan) {
  if (scan === null || scan.isDone) return "";
  return `Searching: ${formatShare(scan.done, scan.total)}`;
}

/** @param {Pick<Overview, "scan">} shown @param {Pick<DataState, "index">} state */
export function nothingText({ scan }, { index }) {
  if (scan?.isDone === false) return "Nothing found yet";
  if (index.rows > 0) return "No row meets this condition";
  return index.isCurrent
    ? "There are no rows yet. They appear here as they are written"
    : "Reading the first rows …";
}

/** @param {Pick<DataState, "index" | "paths">} state */
export function filesText({ index, paths }) {
  return `${paths.join(", ")} · ${formatCountOf(index.files.length, "file")}`;
}

/** @param {DataState["near"]} near */
export function nearText(near) {
  if (near === null) return "";
  const noun = near.of === "prompt" ? "prompt" : "answer";
  const texts = `${noun}s`;
  if (near.state === "running") {
    return `Comparing ${texts}: ${formatShare(near.done, near.total)}`;
  }
  if (near.state === "cancelled") return "Canceled";
  if (near.state === "failed") return near.problem ?? "Failed";
  if (near.copies === 0) return `No near duplicates among the ${texts}`;
  const copies = formatCountOf(near.copies, noun);
  const predicate = near.copies === 1 ? "is a near duplicate" : "are near duplicates";
  return `${copies} ${predicate} of earlier ones, in ${formatCountOf(near.groups, "group")}`;
}
