// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Sample answers and failures, as cards that can be opened. Texts of prompts and models are not
 * trusted: they are inserted as text, never as HTML.
 *
 * @module
 */

import { byId, icon, make, onClick, setAttribute, setChildren, setShown, setText } from "./dom.js";
import { sampleCountText } from "./run_state.js";
import { formatCount, formatCountOf, formatLatency, formatUsd } from "../../lib/figures.js";
import { formatId, formatMoment } from "./figures.js";
import { makeFacts, makeFoldedText, makeText } from "./text.js";

/** @import { Sample } from "../monitor_state.ts" */
/** @import { RunStore, SampleList } from "./store.js" */

/** Maximum length of a text on a closed card, in UTF-16 units. */
const PREVIEW_LENGTH = 240;

/** @type {Record<SampleList, string>} */
const EMPTY_TEXTS = {
  latest: "No answer yet",
  reservoir: "No answer yet",
  failures: "No row has failed",
};

const EMPTY_KIND_TEXT =
  "None of the latest failures is of this kind; the failures file has all failures";

/** @type {readonly SampleList[]} */
const LISTS = ["latest", "reservoir", "failures"];

export class SamplesView {
  #fetchWhole;
  #list = byId("samples-list");
  /**
   * The kind of failures that is shown; undefined for all.
   * @type {{ type: string, status: number | null } | undefined}
   */
  #kind;
  /** @type {SampleList} */
  #shown = "latest";
  /** @type {Map<number, HTMLDetailsElement>} */
  #cards = new Map();
  /** @type {RunStore | undefined} */
  #store;

  /** @param {(sample: Sample) => Promise<Sample>} fetchWhole returns a sample with full texts */
  constructor(fetchWhole) {
    this.#fetchWhole = fetchWhole;
    LISTS.forEach((name, i) => {
      tabOf(name).addEventListener("click", () => this.#show(name));
      tabOf(name).addEventListener("keydown", (event) => this.#move(event, i));
    });
    onClick("samples-newest", () => {
      tabOf(this.#shown).focus();
      this.#fill(false);
    });
    onClick("samples-all", () => {
      tabOf("failures").focus();
      this.#show("failures");
    });
    // The event is captured, because `toggle` does not bubble.
    this.#list.addEventListener("toggle", () => this.#fill(true), { capture: true });
    this.#list.addEventListener("mouseleave", () => this.#fill(true));
    this.#list.addEventListener("focusout", () => setTimeout(() => this.#fill(true)));
  }

  /** @param {RunStore} store */
  update(store) {
    this.#store = store;
    for (const name of LISTS) setText(`count-${name}`, sampleCountText(store.state, name));
    this.#fill(true);
  }

  /**
   * @param {string} type
   * @param {number | null} status
   */
  showFailures(type, status) {
    this.#show("failures", { type, status });
    tabOf("failures").focus();
    byId("samples-panel").scrollIntoView({ block: "start" });
  }

  /** @param {SampleList} name @param {{ type: string, status: number | null }} [kind] */
  #show(name, kind) {
    this.#shown = name;
    this.#kind = kind;
    const status = kind?.status ? `, status ${kind.status}` : "";
    setShown("samples-filter", kind !== undefined);
    setText("samples-filter-word", `Latest failures of type ${kind?.type}${status}`);
    for (const other of LISTS) {
      setAttribute(tabOf(other), "aria-selected", String(other === name));
      setAttribute(tabOf(other), "tabindex", other === name ? "0" : "-1");
    }
    setAttribute("samples-panel", "aria-labelledby", `tab-${name}`);
    this.#fill(false);
  }

  /**
   * Moves to another tab for arrow keys, Home and End, as in the tabs pattern of ARIA.
   * @param {KeyboardEvent} event
   * @param {number} i
   */
  #move(event, i) {
    const targets = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: LISTS.length - 1 };
    const target = Reflect.get(targets, event.key);
    if (target === undefined) return;
    event.preventDefault();
    const name = LISTS[(target + LISTS.length) % LISTS.length];
    this.#show(name);
    tabOf(name).focus();
  }

  /**
   * Updates the cards. With `mayHold`, new cards wait while a card is open, or the list is under
   * the pointer or has the focus.
   * @param {boolean} mayHold
   */
  #fill(mayHold) {
    const store = this.#store;
    if (store === undefined) return;
    const ids = this.#idsOf(store);
    const newCount = ids.filter((id) => !this.#cards.has(id)).length;
    const isHeld = mayHold && this.#cards.size > 0 && this.#isInUse;
    const isWaiting = isHeld && newCount > 0;
    const words = `${formatCount(newCount)} newer, held back while you read`;
    setText("samples-waiting", isWaiting ? words : "");
    setShown("samples-newest", isWaiting);
    if (isHeld) return;
    /** @type {Map<number, HTMLDetailsElement>} */
    const cards = new Map();
    for (const id of ids) {
      const sample = store.samplesById.get(id);
      const card = this.#cards.get(id) ?? (sample && makeCard(sample, store, this.#fetchWhole));
      if (card !== undefined) cards.set(id, card);
    }
    this.#cards = cards;
    setChildren(this.#list, [...cards.values()]);
    setShown("samples-none", cards.size === 0);
    setText(
      "samples-none",
      this.#kind === undefined ? EMPTY_TEXTS[this.#shown] : EMPTY_KIND_TEXT,
    );
  }

  get #isInUse() {
    return this.#list.matches(":hover") || this.#list.contains(document.activeElement) ||
      this.#list.querySelector("details[open]") !== null;
  }

  /** @param {RunStore} store */
  #idsOf({ state: { samples }, samplesById }) {
    const kind = this.#kind;
    if (kind === undefined) return samples[this.#shown];
    return samples[this.#shown].filter((id) => {
      const failure = samplesById.get(id)?.failure;
      return failure?.type === kind.type && failure.status === kind.status;
    });
  }
}

/** @param {SampleList} name */
function tabOf(name) {
  return byId(`tab-${name}`);
}

/**
 * Makes a card. Until it is opened, it has only a summary.
 * @param {Sample} sample
 * @param {RunStore} store
 * @param {(sample: Sample) => Promise<Sample>} fetchWhole
 */
function makeCard(sample, store, fetchWhole) {
  const { failure, prompt, response, tool_calls } = sample;
  const timeMs = sample.time - store.clockOffsetMs;
  const answer = failure === null ? response || tool_calls : failure.message;
  const isoTime = Number.isNaN(timeMs) ? false : new Date(timeMs).toISOString();
  const head = make(
    "span",
    { class: "card-head" },
    icon("chevron"),
    make("span", { class: "uid" }, formatId(sample.uid)),
    makeBadge(sample),
    make("span", { class: "card-figures" }, figuresOf(sample)),
    make("time", { datetime: isoTime }, formatMoment(timeMs, Date.now())),
  );
  const previews = [
    make("span", { class: "preview prompt" }, preview(prompt)),
    make("span", { class: "preview" }, preview(answer)),
  ];
  const kind = failure === null ? "answer" : "failure";
  const card = make("details", { class: `card ${kind}` }, make("summary", {}, head, ...previews));
  card.addEventListener("toggle", async () => {
    const whole = await fetchWhole(store.samplesById.get(sample.id) ?? sample);
    store.keepWholeTexts([whole]);
    card.append(makeWhole(whole));
  }, { once: true });
  return card;
}

/** @param {Sample} sample */
function makeBadge({ failure, finish_reason }) {
  if (failure === null) {
    const isUsual = finish_reason === "stop" || finish_reason === "";
    const badge = isUsual ? "badge" : "badge wait";
    return make("span", { class: badge }, finish_reason || "no finish reason");
  }
  const status = failure.status === null ? "" : ` ${failure.status}`;
  return make("span", { class: "badge bad" }, icon("cross"), failure.type + status);
}

/** @param {Sample} sample */
function figuresOf({ completion_tokens, latency_ms, attempts }) {
  const figures = [formatLatency(latency_ms)];
  if (completion_tokens !== null) figures.unshift(formatCountOf(completion_tokens, "token"));
  if (attempts > 1) figures.push(formatCountOf(attempts, "attempt"));
  return figures.join(" · ");
}

/** @param {Sample} sample */
function makeWhole(sample) {
  const { failure, prompt, reasoning, response, tool_calls, reasoning_tokens } = sample;
  const whole = make("div", { class: "whole" });
  if (failure !== null) whole.append(makeText("Failure", failure.message));
  whole.append(makeText("Prompt", prompt));
  if (reasoning !== "") {
    const tokens = reasoning_tokens ? ` (${formatCountOf(reasoning_tokens, "token")})` : "";
    whole.append(makeFoldedText("Reasoning", tokens, reasoning));
  }
  if (response !== "" || failure === null) whole.append(makeText("Answer", response));
  if (tool_calls !== "") whole.append(makeText("Tool calls", tool_calls));
  const note = "Long texts are cut short here; the files of the run have the full text.";
  if (sample.is_cut) whole.append(make("p", { class: "note" }, note));
  whole.append(makeFacts([
    ["Finish reason", sample.finish_reason],
    ["Prompt tokens", sample.prompt_tokens],
    ["Completion tokens", sample.completion_tokens],
    ["Latency", formatLatency(sample.latency_ms)],
    ["Attempts", sample.attempts],
    ["Cost", sample.cost_usd > 0 ? formatUsd(sample.cost_usd) : ""],
    ["Model", sample.model],
    ["Teacher", sample.teacher],
  ]));
  return whole;
}

/** @param {string} text */
function preview(text) {
  return text.slice(0, PREVIEW_LENGTH).replaceAll(/\s+/g, " ");
}
