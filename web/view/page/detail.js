// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The whole row: its request, its answer, and the other answers to it side by side.
 *
 * @module
 */

import { formatCount, formatLatency } from "../../page/figures.js";
import { byId, make, setShown, setText } from "../../page/dom.js";
import { makeFacts, makeFoldedText, makeText } from "../../page/text.js";
import { differenceOf } from "./difference.js";
import { costText, makeFlag } from "./columns.js";

/** @import { RowDetail } from "../../../lib/data/protocol.ts" */

/** @type {Record<string, string>} */
const ROLES = {
  system: "System",
  developer: "Developer",
  user: "User",
  assistant: "Assistant",
  tool: "Tool result",
};

/** The panel next to the table. */
export class Detail {
  #panel = byId("detail", HTMLElement);
  #title = byId("detail-title", HTMLElement);
  #body = byId("detail-body", HTMLElement);
  #words;
  #open;

  /** @param {Record<string, { title: string, help: string }>} words @param {(uid: string) => void} open opens another row */
  constructor(words, open) {
    this.#words = words;
    this.#open = open;
  }

  /** Shows a row; null for one that can no longer be read. @param {RowDetail | null} row */
  show(row) {
    setShown(this.#panel, true);
    if (row === null) {
      setText(this.#title, "This row can no longer be read");
      this.#body.replaceChildren(
        make("p", { class: "none" }, "Its file was changed or removed."),
      );
      return;
    }
    setText(this.#title, row.uid);
    this.#body.replaceChildren(...this.#parts(row));
    this.#body.scrollTop = 0;
  }

  /** Hides the panel. */
  hide() {
    setShown(this.#panel, false);
  }

  /** Whether a row is open. */
  get isOpen() {
    return !this.#panel.hidden;
  }

  /** @param {RowDetail} row @returns {Node[]} */
  #parts(row) {
    const parts = [];
    if (row.error !== null) {
      parts.push(
        makeText(
          "Failure",
          `${row.error.type}${
            row.error.status === null ? "" : ` ${row.error.status}`
          }: ${row.error.message}`,
        ),
      );
    }
    if (row.flags.length > 0) parts.push(this.#flags(row));
    for (const { role, text, toolCalls } of row.turns) {
      parts.push(makeText(ROLES[role] ?? role, text));
      if (toolCalls !== undefined) {
        parts.push(makeText("Tool calls of this turn", toolCalls));
      }
    }
    if (row.reasoning !== "") {
      parts.push(
        makeFoldedText(
          "Reasoning",
          row.reasoning_tokens > 0 ? ` (${formatCount(row.reasoning_tokens)} tokens)` : "",
          row.reasoning,
        ),
      );
    }
    if (
      row.response !== "" ||
      (row.status === "answered" && row.tool_calls === "")
    ) {
      parts.push(
        makeText(
          row.status === "answered" ? "Answer" : "Answer that was not kept",
          row.response,
        ),
      );
    }
    if (row.tool_calls !== "") {
      parts.push(makeText("Tool calls", row.tool_calls));
    }
    if (row.samples.length > 1) parts.push(makeSamples(row));
    parts.push(makeFacts(factsOf(row)));
    for (const [name, text] of Object.entries(row.own)) {
      if (!SHOWN_AS_TURNS.has(name) && text !== "") {
        parts.push(makeFoldedText(`Your field: ${name}`, "", text));
      }
    }
    parts.push(makeFoldedText("Raw JSON", "", row.raw));
    if (row.is_cut) {
      parts.push(
        make(
          "p",
          { class: "note" },
          "Long texts are cut here; the file has them whole.",
        ),
      );
    }
    return parts;
  }

  /** @param {RowDetail} row */
  #flags(row) {
    const list = make("ul", { class: "flag-list" });
    for (const flag of row.flags) {
      const item = make(
        "li",
        {},
        makeFlag(flag, this.#words),
        make("span", { class: "note" }, this.#words[flag]?.help ?? ""),
      );
      if (flag === "duplicate" && row.duplicate_of !== null) {
        const uid = row.duplicate_of;
        const button = make(
          "button",
          { type: "button", class: "small" },
          `Open ${uid}`,
        );
        button.addEventListener("click", () => this.#open(uid));
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
    ["Cost", row.is_estimated && cost !== "" ? `${cost} (estimated by public prices)` : cost],
    ["Model", row.model],
    ["Teacher", row.teacher],
    ["Source", row.source],
    ["File", row.file],
  ];
}

/** Fields whose texts are among the turns. */
const SHOWN_AS_TURNS = new Set([
  "prompt",
  "messages",
  "question",
  "instruction",
  "conversations",
  "body",
]);

/** Two answers to one row side by side, with the differences marked. @param {RowDetail} row */
function makeSamples({ samples, id }) {
  const left = makeChoice("Left", samples),
    right = makeChoice("Right", samples);
  const own = Math.max(0, samples.findIndex((one) => one.id === id));
  left.selectedIndex = own;
  right.selectedIndex = own === 0 ? 1 : 0;
  const views = make("div", { class: "side-by-side" });
  const facts = make("div", { class: "side-by-side" });
  const show = () => {
    const pair = [samples[left.selectedIndex], samples[right.selectedIndex]];
    facts.replaceChildren(...pair.map((one) => make("p", { class: "note" }, sampleFacts(one))));
    const pieces = differenceOf(pair[0].response, pair[1].response);
    views.replaceChildren(...pieces.map((side, at) =>
      make(
        "pre",
        {
          class: "raw",
          tabindex: "0",
          role: "group",
          "aria-label": pair[at].uid,
          dir: "auto",
        },
        ...side.map(({ text, isSame }) => isSame ? text : make(at === 0 ? "del" : "ins", {}, text)),
      )
    ));
  };
  left.addEventListener("change", show);
  right.addEventListener("change", show);
  show();
  return make(
    "section",
    { class: "samples", "aria-label": "Samples" },
    make("h3", {}, `${formatCount(samples.length)} answers to this row`),
    make("div", { class: "side-by-side" }, left, right),
    facts,
    views,
  );
}

/** @param {RowDetail["samples"][number]} sample */
function sampleFacts(sample) {
  const { completion_tokens: tokens, latency_ms: latencyMs, final_answer: final } = sample;
  return [
    `${formatCount(tokens)} tokens`,
    latencyMs > 0 ? formatLatency(latencyMs) : "",
    sample.cost_usd < 0 ? "" : costText(sample),
    final === "" ? "no final answer" : `final answer ${final}`,
  ].filter((text) => text !== "").join(" · ");
}

/** @param {string} side @param {RowDetail["samples"]} samples */
function makeChoice(side, samples) {
  const select = make("select", { "aria-label": `${side} sample` });
  // Two runs may use the same name for a row.
  const areSeveral = new Set(samples.map(({ file }) => file)).size > 1;
  for (const { uid, file, status } of samples) {
    const names = [uid, areSeveral ? file : "", status === "answered" ? "" : status];
    select.append(make("option", {}, names.filter((name) => name !== "").join(" · ")));
  }
  return select;
}
