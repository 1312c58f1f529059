// @ts-check
/// <reference lib="dom" />
/**
 * The description of the run, the commands that follow, and the banner of a halted run.
 *
 * @module
 */

import { byId, make, setShown, setText } from "./dom.js";

/** @import { RunStore } from "./store.js" */

/** Shows them. */
export class AboutView {
  #section = byId("about", HTMLElement);
  #facts = byId("about-facts", HTMLElement);
  #halt = byId("halt", HTMLElement);
  #text = "";

  /** Updates what has changed. @param {RunStore} store */
  update({ about, summary }) {
    const next = about?.commands[0];
    const isHalted = summary?.state === "halted";
    setShown(this.#halt, isHalted);
    setText(byId("halt-reason", HTMLElement), summary?.reason ?? "The run was halted");
    setShown(byId("halt-next", HTMLElement), next !== undefined);
    setCommand(byId("halt-command", HTMLElement), next?.command ?? "");
    setShown(this.#section, about !== null);
    setShown(byId("over-commands", HTMLElement), about !== null);
    const text = JSON.stringify(about);
    if (about === null || text === this.#text) return;
    this.#text = text;
    this.#facts.replaceChildren(
      ...about.commands.map(({ name, command }) => {
        const line = make("pre");
        setCommand(line, command);
        return factOf(name, line);
      }),
      ...about.facts.map(({ name, text }) => factOf(name, make("pre", {}, text))),
    );
  }
}

/** @param {string} name @param {HTMLElement} text */
function factOf(name, text) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, text));
}

/** Browsers end a line behind any hyphen, that of `-o` too: the words of a command are kept whole. @param {HTMLElement} element @param {string} command */
function setCommand(element, command) {
  if (element.textContent === command) return;
  element.replaceChildren(
    ...command.split(/(\s+)/).map((part, place) =>
      place % 2 === 0 ? make("span", { class: "word" }, part) : part
    ),
  );
}

/** Copies the command of the banner; selects it instead where the context is not secure. */
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
