// @ts-check
/// <reference lib="dom" />
/** Sends controls to the server, and shows their results and the current values. @module */

import { byId, onClick, onSubmit, setAttribute, setIcon, setShown, setText } from "./dom.js";
import { limitText } from "./run_state.js";
import { formatCount, formatUsd, isUncounted } from "../../lib/figures.js";
import { formatCapUsd } from "./figures.js";

/** @import { ControlAnswer, ControlBodies, ControlName } from "../protocol.ts" */
/** @import { RunStore } from "./store.js" */

/** Users type this word before they can abort the run. */
const ABORT_WORD = "abort";

/** For each control, the control next to which its result is shown. */
const RESULT_PLACES = {
  pause: "pause",
  resume: "pause",
  concurrency: "concurrency",
  budget: "budget",
  retry: "retry",
  stop: "stop",
  abort: "stop",
};

export class Controls {
  #announce;
  #concurrency = new Field("concurrency");
  #budget = new Field("budget");
  #spentUsd = 0;
  /** The budget must be above this amount for the run to continue. */
  #minBudgetUsd = 0;
  #retry = byId("retry", HTMLInputElement);
  #isPaused = false;
  /** Choice of the user that the server has not confirmed yet. @type {boolean | undefined} */
  #retryWanted;

  /** @param {(text: string) => void} announce announces a text to screen readers */
  constructor(announce) {
    this.#announce = announce;
    onClick("pause", () => {
      if (this.#isPaused) this.#send("resume", {}, "Resumed");
      else this.#send("pause", {}, "Paused");
    });
    onSubmit("concurrency-form", () => {
      const { value } = this.#concurrency;
      const concurrency = Number(value);
      const words = `Concurrency is ${formatCount(concurrency)}`;
      this.#send("concurrency", { concurrency }, words, () => this.#concurrency.markApplied(value));
    });
    const budgetDialog = prepareDialog("budget", () => this.#setBudget());
    onSubmit("budget-form", () => this.#submitBudget(budgetDialog));
    this.#retry.addEventListener("change", () => {
      const { checked } = this.#retry;
      this.#retryWanted = checked;
      const words = checked ? "Failed rows will be retried" : "Failed rows are left as they are";
      this.#send("retry", { retry_when_done: checked }, words);
    });
    const stopDialog = prepareDialog("stop", () => this.#send("stop", {}, "Draining"));
    onClick("stop", () => stopDialog.showModal());
    this.#prepareAbort();
  }

  #prepareAbort() {
    const word = byId("abort-word", HTMLInputElement);
    const button = byId("abort-do", HTMLButtonElement);
    const isConfirmed = () => word.value.trim().toLowerCase() === ABORT_WORD;
    const dialog = prepareDialog("abort", () => {
      if (isConfirmed()) this.#send("abort", { confirm: ABORT_WORD }, "Aborting");
    });
    word.addEventListener("input", () => button.disabled = !isConfirmed());
    onClick("abort", () => {
      word.value = "";
      button.disabled = true;
      dialog.showModal();
    });
  }

  /**
   * Sets the budget. A budget that would end the run must be confirmed by the user.
   * @param {HTMLDialogElement} dialog
   */
  #submitBudget(dialog) {
    const { value } = this.#budget;
    if (value === "" || Number(value) > this.#minBudgetUsd) return this.#setBudget();
    const budget = formatCapUsd(Number(value));
    setText(
      "budget-words",
      `The run has spent ${formatUsd(this.#spentUsd)}. With a budget of ${budget}, nothing more ` +
        "is sent, and the run stops.",
    );
    dialog.showModal();
  }

  /**
   * @param {RunStore} store
   * @param {boolean} isReachable whether the page is connected to the server
   */
  update(store, isReachable) {
    const { snapshot, ended, retry_when_done: retryWhenDone } = store.state;
    const state = snapshot?.state;
    this.#isPaused = state === "paused";
    setText("pause-word", this.#isPaused ? "Resume" : "Pause");
    setIcon("pause-icon", this.#isPaused ? "play" : "pause");
    setShown("steer", !ended);
    setShown("over", ended);
    const isClosing = state === "draining" || state === "done" || state === "halted";
    setAttribute("steer", "disabled", !isReachable);
    for (const name of ["pause", "stop"]) setAttribute(name, "disabled", isClosing);
    if (snapshot === null) return;
    const { concurrency, limit, cost_usd, max_cost_usd, budget_usd: budget } = snapshot;
    this.#spentUsd = cost_usd ?? 0;
    this.#minBudgetUsd = snapshot.min_budget_usd ?? this.#spentUsd;
    this.#concurrency.show(String(concurrency));
    this.#budget.show(budget === null ? "" : String(budget));
    setText("concurrency-note", `${formatCount(limit)} at once now, ${limitText(store.state)}`);
    const words = isUncounted(snapshot)
      ? "The cost is unknown: no answer has token counts. A price is needed, too"
      : cost_usd === null
      ? "No price is known"
      : `${formatUsd(cost_usd)} spent, ${capText(max_cost_usd, budget)}`;
    setText("budget-note", words);
    if (this.#retryWanted === retryWhenDone) this.#retryWanted = undefined;
    this.#retry.checked = this.#retryWanted ?? retryWhenDone;
  }

  #setBudget() {
    const { value } = this.#budget;
    const usd = value === "" ? null : Number(value);
    const words = usd === null ? "No budget" : `The budget is ${formatUsd(usd)}`;
    this.#send("budget", { max_cost_usd: usd }, words, () => this.#budget.markApplied(value));
  }

  /**
   * @template {ControlName} N
   * @param {N} name
   * @param {ControlBodies[N]} body
   * @param {string} words the result if the control is accepted
   * @param {() => void} [onSuccess]
   */
  async #send(name, body, words, onSuccess) {
    const error = await post(name, body);
    if (error !== undefined && name === "retry") this.#retryWanted = undefined;
    const result = `${RESULT_PLACES[name]}-answer`;
    setAttribute(result, "data-tone", error === undefined ? "good" : "bad");
    setText(result, error ?? words);
    this.#announce(error ?? words);
    if (error === undefined) onSuccess?.();
  }
}

/**
 * Returns why the control was rejected or could not be sent; undefined if it was accepted.
 * @template {ControlName} N
 * @param {N} name
 * @param {ControlBodies[N]} body
 * @returns {Promise<string | undefined>}
 */
async function post(name, body) {
  try {
    const response = await fetch(`control/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    /** @type {ControlAnswer} */
    const answer = await response.json();
    return answer.ok ? undefined : answer.error;
  } catch {
    return "No response from the run: it may not have received this";
  }
}

/**
 * Shows the run's value until the user types another value. The typed value is marked as not
 * applied until the run accepts it.
 */
class Field {
  #input;
  #name;
  #reported = "";
  #isTyped = false;

  /** @param {string} name */
  constructor(name) {
    this.#input = byId(name, HTMLInputElement);
    this.#name = name;
    this.#input.addEventListener("input", () => this.#setTyped(this.value !== this.#reported));
  }

  get value() {
    return this.#input.value;
  }

  /** @param {string} value */
  show(value) {
    if (value === this.#reported) return;
    this.#reported = value;
    if (!this.#isTyped) this.#input.value = value;
  }

  /**
   * Removes the mark of a value that was not applied yet, because the run has accepted it. The
   * field keeps the value until the run reports it.
   * @param {string} value
   */
  markApplied(value) {
    if (this.#input.value === value) this.#setTyped(false);
  }

  /** @param {boolean} isTyped */
  #setTyped(isTyped) {
    this.#isTyped = isTyped;
    setShown(`${this.#name}-mark`, isTyped);
  }
}

/**
 * Prepares and returns a dialog: its buttons close it, and confirming also calls `act`.
 * @param {"stop" | "abort" | "budget"} name
 * @param {() => void} act called when the user confirms
 */
function prepareDialog(name, act) {
  const dialog = byId(`${name}-dialog`, HTMLDialogElement);
  onClick(`${name}-cancel`, () => dialog.close());
  onSubmit(`${name}-confirm-form`, () => {
    dialog.close();
    act();
  });
  return dialog;
}

/**
 * Formats the cap. The cap of a shard is its share of the budget.
 * @param {number | null} cap what this process may spend
 * @param {number | null} budget of all shards
 */
function capText(cap, budget) {
  if (cap === null || budget === null) return "no cap";
  const words = `cap ${formatCapUsd(cap)}`;
  return cap === budget ? words : `${words}: this shard's share of ${formatCapUsd(budget)}`;
}
