// @ts-check
/// <reference lib="dom" />
/**
 * The description of the run, its commands to continue, retry or export, and the banner with the
 * next step.
 *
 * @module
 */

import { byId, copyText, make, setAttribute, setIcon, setShown, setText, setWords } from "./dom.js";
import { nextStep } from "./problems.js";

/** @import { RunStore } from "./store.js" */

/** The section "What was run", and the banner with the next step. */
export class AboutView {
  #section = byId("about", HTMLElement);
  #facts = byId("about-facts", HTMLElement);
  #banner = byId("next", HTMLElement);
  /** The description that is shown, as JSON. */
  #shown = "";

  /** @param {RunStore} store */
  update(store) {
    const { about } = store;
    setShown(this.#section, about !== null);
    setShown(byId("over-commands", HTMLElement), about !== null);
    const json = JSON.stringify(about);
    if (about === null || json === this.#shown) return;
    this.#shown = json;
    this.#facts.replaceChildren(
      ...about.commands.map(({ name, command }) => {
        const line = make("pre");
        setWords(line, command);
        return factOf(name, line);
      }),
      ...about.facts.map(({ name, text }) => factOf(name, make("pre", {}, text))),
    );
  }

  /** Updates the banner: it shows the next step, or is hidden. @param {RunStore} store */
  updateNext(store) {
    const step = nextStep(store);
    setShown(this.#banner, step !== null);
    if (step === null) return;
    const { tone, icon, words, command } = step;
    setAttribute(this.#banner, "data-tone", tone);
    setIcon(byId("next-icon", SVGElement), icon);
    setWords(byId("next-words", HTMLElement), command === "" ? words : `${words}:`);
    setShown(byId("next-command", HTMLElement), command !== "");
    const code = byId("next-code", HTMLElement);
    if (code.textContent === command) return;
    setWords(code, command);
    setText(byId("next-copy", HTMLButtonElement), "Copy command");
  }
}

/** @param {string} name @param {HTMLElement} text */
function factOf(name, text) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, text));
}

/** Makes the button of the banner copy the command. */
export function enableNextCopy() {
  const button = byId("next-copy", HTMLButtonElement);
  const code = byId("next-code", HTMLElement);
  button.addEventListener("click", () => copyText(code.textContent ?? "", button, code));
}
