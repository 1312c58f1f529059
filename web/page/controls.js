// @ts-check
/// <reference lib="dom" />
/**
 * What a person can do about the run.
 *
 * @module
 */

import { byId, setAttribute, setIcon, setShown, setText } from "./dom.js";
import { formatCapUsd, formatCount, formatUsd } from "./figures.js";

/** @import { ControlAnswer, ControlBodies, ControlName } from "../protocol.ts" */
/** @import { RunStore } from "./store.js" */

/** What has to be typed before the run is aborted. */
const ABORT_WORD = "abort";

/** Sends what is asked, and says what became of it. */
export class Controls {
  #say;
  #pause = byId("pause", HTMLButtonElement);
  #concurrency = new Field(byId("concurrency", HTMLInputElement));
  #budget = new Field(byId("budget", HTMLInputElement));
  #retry = byId("retry", HTMLInputElement);
  #confirm = byId("abort-word", HTMLInputElement);
  #answer = byId("control-answer", HTMLElement);
  #isPaused = false;
  /** What was asked for and not heard of yet. @type {boolean | undefined} */
  #retryWanted;

  /** @param {(text: string) => void} say tells those who do not see it */
  constructor(say) {
    this.#say = say;
    this.#pause.addEventListener("click", () => {
      if (this.#isPaused) this.#send("resume", {}, "Resumed");
      else this.#send("pause", {}, "Paused");
    });
    onSubmit("concurrency-form", () => {
      const { value } = this.#concurrency;
      const concurrency = Number(value);
      const words = `Concurrency is ${formatCount(concurrency)}`;
      this.#send("concurrency", { concurrency }, words, () => this.#concurrency.release(value));
    });
    onSubmit("budget-form", () => {
      const { value } = this.#budget;
      const usd = value === "" ? null : Number(value);
      const words = usd === null ? "No budget" : `The budget is ${formatUsd(usd)}`;
      this.#send("budget", { max_cost_usd: usd }, words, () => this.#budget.release(value));
    });
    this.#retry.addEventListener("change", () => {
      const { checked } = this.#retry;
      this.#retryWanted = checked;
      const words = checked
        ? "Failed rows will be asked again"
        : "Failed rows are left as they are";
      this.#send("retry", { retry_when_done: checked }, words);
    });
    this.#prepareDialog("stop", () => this.#send("stop", {}, "Draining"));
    this.#prepareDialog("abort", () => {
      this.#send("abort", { confirm: ABORT_WORD }, "Aborting");
    });
    this.#confirm.addEventListener("input", () => {
      byId("abort-do", HTMLButtonElement).disabled = !this.#isConfirmed;
    });
  }

  /** Shows what can be done now. @param {RunStore} store @param {boolean} isReachable */
  update({ snapshot, ended, retryWhenDone }, isReachable) {
    const state = snapshot?.state;
    this.#isPaused = state === "paused";
    setText(byId("pause-word", HTMLElement), this.#isPaused ? "Resume" : "Pause");
    setIcon(byId("pause-icon", SVGElement), this.#isPaused ? "play" : "pause");
    setShown(byId("steer", HTMLElement), !ended);
    setShown(byId("over", HTMLElement), ended);
    setAttribute(byId("report", HTMLElement), "aria-disabled", isReachable ? false : "true");
    const isClosing = state === "draining" || state === "done" || state === "halted";
    const form = byId("steer", HTMLFieldSetElement);
    if (form.disabled === isReachable) form.disabled = !isReachable;
    for (const name of ["pause", "stop"]) byId(name, HTMLButtonElement).disabled = isClosing;
    if (snapshot === null) return;
    const { concurrency, limit, cost_usd, max_cost_usd } = snapshot;
    this.#concurrency.show(String(concurrency));
    this.#budget.show(max_cost_usd === null ? "" : String(max_cost_usd));
    setText(
      byId("concurrency-note", HTMLElement),
      limit < concurrency
        ? `Limited to ${formatCount(limit)} by the teacher`
        : "Not limited by the teacher",
    );
    setText(
      byId("budget-note", HTMLElement),
      cost_usd === null
        ? "No price is known"
        : `${formatUsd(cost_usd)} spent, ${
          max_cost_usd === null ? "no cap" : `cap ${formatCapUsd(max_cost_usd)}`
        }`,
    );
    if (this.#retryWanted === retryWhenDone) this.#retryWanted = undefined;
    this.#retry.checked = this.#retryWanted ?? retryWhenDone;
  }

  get #isConfirmed() {
    return this.#confirm.value.trim().toLowerCase() === ABORT_WORD;
  }

  /** Opens on the button and closes on its own buttons. @param {"stop" | "abort"} name @param {() => void} act */
  #prepareDialog(name, act) {
    const dialog = byId(`${name}-dialog`, HTMLDialogElement);
    byId(name, HTMLButtonElement).addEventListener("click", () => {
      this.#confirm.value = "";
      byId("abort-do", HTMLButtonElement).disabled = true;
      dialog.showModal();
    });
    byId(`${name}-cancel`, HTMLButtonElement).addEventListener("click", () => dialog.close());
    onSubmit(`${name}-form`, () => {
      if (name === "abort" && !this.#isConfirmed) return;
      dialog.close();
      act();
    });
  }

  /**
   * @template {ControlName} N
   * @param {N} name
   * @param {ControlBodies[N]} body
   * @param {string} words what was done
   * @param {() => void} [done]
   */
  async #send(name, body, words, done) {
    const error = await post(name, body);
    if (error !== undefined && name === "retry") this.#retryWanted = undefined;
    setAttribute(this.#answer, "data-tone", error === undefined ? "good" : "bad");
    setText(this.#answer, error ?? words);
    this.#say(error ?? words);
    if (error === undefined) done?.();
  }
}

/**
 * Sends a control; gives why it was not done, or nothing.
 *
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
    return "Cannot reach the run: nothing was done";
  }
}

/** A field that shows what the run has, but for what somebody is typing into it. */
class Field {
  #input;
  #isTyped = false;
  /** What the run has, as far as is known. */
  #known = "";

  /** @param {HTMLInputElement} input */
  constructor(input) {
    this.#input = input;
    input.addEventListener("input", () => this.#isTyped = input.value !== this.#known);
  }

  /** What is in it. */
  get value() {
    return this.#input.value;
  }

  /** The run has this. @param {string} value */
  show(value) {
    if (value === this.#known) return;
    this.#known = value;
    if (!this.#isTyped) this.#input.value = value;
  }

  /** The run has taken this, and will say so: what it said before is not shown again. @param {string} value */
  release(value) {
    if (this.#input.value === value) this.#isTyped = false;
  }
}

/** Enter and the button do the same, and the page stays. @param {string} id @param {() => void} act */
function onSubmit(id, act) {
  byId(id, HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}
