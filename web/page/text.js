// @ts-check
/// <reference lib="dom" />
/**
 * A whole text of a prompt or a model: as Markdown or JSON with its colours, or raw. Texts are
 * inserted as text only.
 *
 * @module
 */

import { makeCode } from "./code.js";
import { make, setAttribute } from "./dom.js";
import { formatCount } from "./figures.js";
import { markdownElements } from "./markdown.js";

/** Longer JSON is not indented. */
const MAX_JSON = 200_000;

/**
 * Characters that are laid out at once: two million in one paragraph block a page for half a
 * minute.
 */
const MAX_SHOWN = 100_000;
/**
 * Longer texts are split into pieces of this length, of which the browser lays out the visible
 * ones.
 */
const PIECE = 10_000;

/** Whether texts are shown raw. The choice applies to all texts that are opened later. */
let isRaw = false;

/**
 * Makes a text with its title, and buttons that show it raw and copy it.
 *
 * @param {string} title also the name of the text for screen readers
 * @param {string} text
 */
export function makeText(title, text) {
  const box = make("div", { class: "text-body" });
  const raw = make("button", { type: "button", class: "small", "aria-pressed": "false" }, "Raw");
  const copy = make("button", { type: "button", class: "small" }, "Copy");
  raw.append(make("span", { class: "unseen" }, ` ${title.toLowerCase()}`));
  copy.append(make("span", { class: "unseen" }, ` ${title.toLowerCase()}`));
  const show = () => {
    setAttribute(raw, "aria-pressed", String(isRaw));
    box.replaceChildren(...(isRaw ? rawText(title, text) : formattedText(title, text)));
  };
  raw.addEventListener("click", () => {
    isRaw = raw.getAttribute("aria-pressed") === "false";
    show();
  });
  copy.addEventListener("click", () => copyText(text, copy, box));
  show();
  const head = make("div", { class: "text-head" }, make("h3", {}, title), raw, copy);
  return make("div", { class: "text" }, head, box);
}

/**
 * Makes a folded text. It is rendered when it is opened.
 *
 * @param {string} title
 * @param {string} note shown after the title
 * @param {string} text
 */
export function makeFoldedText(title, note, text) {
  const fold = make("details", { class: "fold" }, make("summary", {}, `${title}${note}`));
  fold.addEventListener("toggle", () => fold.append(makeText(title, text)), { once: true });
  return fold;
}

/** @param {string} title @param {string} text @returns {Node[]} */
function rawText(title, text) {
  const attributes = {
    class: "raw",
    tabindex: "0",
    role: "group",
    "aria-label": title,
    dir: "auto",
  };
  if (text.length <= MAX_SHOWN) return [make("pre", attributes, text === "" ? "(empty)" : text)];
  const shown = make("pre", attributes, text.slice(0, MAX_SHOWN).toWellFormed());
  const more = make(
    "button",
    { type: "button", class: "small" },
    `Show all ${formatCount(text.length)} characters`,
  );
  more.addEventListener("click", () => {
    shown.replaceChildren(
      ...textPieces(text).map((piece) => make("span", { class: "piece" }, piece)),
    );
    more.remove();
    shown.focus();
  });
  return [shown, more];
}

/**
 * "" or null for an unknown value.
 *
 * @typedef {[name: string, value: string | number | null]} Fact
 */

/** Makes a list of facts, without unknown ones. @param {readonly Fact[]} facts */
export function makeFacts(facts) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of facts) {
    if (value === null || value === "") continue;
    const text = typeof value === "number" ? formatCount(value) : value;
    list.append(make("div", {}, make("dt", {}, name), make("dd", {}, text)));
  }
  return list;
}

/** Splits a text after line feeds, or else after spaces, or else anywhere. @param {string} text */
function textPieces(text) {
  const pieces = [];
  for (let from = 0; from < text.length;) {
    const limit = Math.min(text.length, from + PIECE);
    const at = Math.max(text.lastIndexOf("\n", limit), from) === from
      ? text.lastIndexOf(" ", limit)
      : text.lastIndexOf("\n", limit);
    let to = limit === text.length || at <= from ? limit : at + 1;
    // A pair of surrogates is one character.
    if (to < text.length && /[\ud800-\udbff]/.test(text[to - 1])) to++;
    pieces.push(text.slice(from, to).toWellFormed());
    from = to;
  }
  return pieces;
}

/** @param {string} title @param {string} text @returns {Node[]} */
function formattedText(title, text) {
  const json = indentedJson(text);
  if (json !== undefined) return [makeCode(json, "json", title)];
  const elements = text.trim() === "" ? undefined : markdownElements(text);
  if (elements === undefined) return rawText(title, text);
  const attributes = {
    class: "md",
    tabindex: "0",
    role: "group",
    "aria-label": title,
    dir: "auto",
  };
  return [make("div", attributes, ...elements)];
}

/**
 * Returns JSON with indentation; undefined for anything but an object or an array.
 *
 * @param {string} text
 */
function indentedJson(text) {
  if (!/^\s*[[{]/.test(text) || text.length > MAX_JSON) return undefined;
  try {
    const value = JSON.parse(text);
    // `JSON.parse` changes numbers that JavaScript cannot represent exactly.
    return /\d{16}/.test(text) ? undefined : JSON.stringify(value, null, 2);
  } catch {
    return undefined;
  }
}

/**
 * Copies a text. Without a secure context there is no clipboard, so the text is selected instead.
 *
 * @param {string} text
 * @param {HTMLElement} button
 * @param {HTMLElement} box
 */
async function copyText(text, button, box) {
  const { firstChild } = button;
  try {
    await navigator.clipboard.writeText(text);
    if (firstChild !== null) firstChild.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(box);
    if (firstChild !== null) firstChild.textContent = "Selected";
  }
}
