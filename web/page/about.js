// @ts-check
/// <reference lib="dom" />
/**
 * What was run, the commands that follow, and the banner of a run that was halted.
 *
 * @module
 */

import { byId, make, setShown, setText } from "./dom.js";

/** @import { RunStore } from "./store.js" */

/** Writes them. */
export class AboutView {
  #section = byId("about", HTMLElement);
  #facts = byId("about-facts", HTMLElement);
  #halt = byId("halt", HTMLElement);
  #text = "";

  /** Writes what has changed. @param {RunStore} store */
  update({ about, summary }) {
    const next = about?.commands[0];
    const isHalted = summary?.state === "halted";
    setShown(this.#halt, isHalted);
    setText(byId("halt-reason", HTMLElement), summary?.reason ?? "The run was halted");
    setShown(byId("halt-next", HTMLElement), next !== undefined);
    setText(byId("halt-command", HTMLElement), next?.command ?? "");
    setShown(this.#section, about !== null);
    setShown(byId("over-commands", HTMLElement), about !== null);
    const text = JSON.stringify(about);
    if (about === null || text === this.#text) return;
    this.#text = text;
    this.#facts.replaceChildren(
      ...about.commands.map(({ name, command }) => factOf(name, command)),
      ...about.facts.map(({ name, text }) => factOf(name, text)),
    );
  }
}

/** @param {string} name @param {string} text */
function factOf(name, text) {
  const words = make("dd", {}, make("pre", {}, text));
  return make("div", {}, make("dt", {}, name), words);
}

/** Copies the command of the banner; where the context is not secure, selects it to be copied. */
export function startCopying() {
  byId("halt-copy", HTMLButtonElement).addEventListener("click", async () => {
    const command = byId("halt-command", HTMLElement);
    try {
      await navigator.clipboard.writeText(command.textContent ?? "");
      setText(byId("halt-copy", HTMLButtonElement), "Copied");
    } catch {
      getSelection()?.selectAllChildren(command);
    }
  });
}
