// @ts-check
/// <reference lib="dom" />
/**
 * Shows the full text of a prompt, reasoning or answer: as Markdown or JSON with colors, or raw.
 * Texts are never parsed as HTML.
 *
 * @module
 */

import { makeCode } from "./code.js";
import { copyText, make, setAttribute } from "./dom.js";
import { formatCount } from "../../lib/figures.js";
import { markdownElements } from "./markdown.js";

/** Maximum length of JSON that is indented, in UTF-16 units. */
const MAX_JSON_LENGTH = 200_000;

/**
 * Longer texts are truncated to this length at first, in UTF-16 units. A paragraph of 2,000,000
 * characters blocks a page for 30 s.
 */
const MAX_SHOWN_LENGTH = 100_000;

/** Length of a piece of the full text. The browser lays out only visible pieces. */
const PIECE_LENGTH = 10_000;

/** Whether texts are shown raw. A click on Raw also applies to all texts that are opened later. */
let isRaw = false;

/**
 * Makes a text with buttons that show it raw and copy it.
 * @param {string} title also the name of the text for screen readers
 * @param {string} text
 */
export function makeText(title, text) {
  const box = make("div", { class: "text-body" });
  const raw = make("button", { type: "button", class: "small", "aria-pressed": "false" }, "Raw");
  const copy = make("button", { type: "button", class: "small" }, "Copy");
  raw.append(make("span", { class: "visually-hidden" }, ` ${title.toLowerCase()}`));
  copy.append(make("span", { class: "visually-hidden" }, ` ${title.toLowerCase()}`));
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
 * Makes a folded text, which is rendered when it is first opened.
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
  const attributes = bodyAttributes("raw", title);
  if (text.length <= MAX_SHOWN_LENGTH) {
    return [make("pre", attributes, text === "" ? "(empty)" : text)];
  }
  const shown = make("pre", attributes, text.slice(0, wholeEnd(text, MAX_SHOWN_LENGTH)));
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
 * A name and its value, which is "" or null if it is unknown.
 * @typedef {[name: string, value: string | number | null]} Fact
 */

/** Makes a list of the facts that are known. @param {readonly Fact[]} facts */
export function makeFacts(facts) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of facts) {
    if (value === null || value === "") continue;
    const text = typeof value === "number" ? formatCount(value) : value;
    list.append(make("div", {}, make("dt", {}, name), make("dd", {}, text)));
  }
  return list;
}

/** Splits a text, if possible after a line feed or else a space. @param {string} text */
function textPieces(text) {
  const pieces = [];
  for (let from = 0; from < text.length;) {
    const limit = Math.min(text.length, from + PIECE_LENGTH);
    const lineFeed = text.lastIndexOf("\n", limit);
    const lastBreak = lineFeed > from ? lineFeed : text.lastIndexOf(" ", limit);
    const to = wholeEnd(text, limit === text.length || lastBreak <= from ? limit : lastBreak + 1);
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

/**
 * Returns the end, moved by one if it would split a surrogate pair.
 * @param {string} text
 * @param {number} to
 */
function wholeEnd(text, to) {
  return to < text.length && /[\ud800-\udbff]/.test(text[to - 1]) ? to + 1 : to;
}

/** @param {string} title @param {string} text @returns {Node[]} */
function formattedText(title, text) {
  const json = indentedJson(text);
  if (json !== undefined) return [makeCode(json, "json", title)];
  const elements = text.trim() === "" ? undefined : markdownElements(text);
  if (elements === undefined) return rawText(title, text);
  return [make("div", bodyAttributes("md", title), ...elements)];
}

/**
 * Returns the attributes of an element whose content scrolls, so that it can get the keyboard
 * focus.
 * @param {string} kind
 * @param {string} title
 */
function bodyAttributes(kind, title) {
  return { class: kind, tabindex: "0", role: "group", "aria-label": title, dir: "auto" };
}

/**
 * Indents JSON. Returns undefined for a text that is not an object or array, is too long, or would
 * change.
 * @param {string} text
 */
function indentedJson(text) {
  if (!/^\s*[[{]/.test(text) || text.length > MAX_JSON_LENGTH) return undefined;
  try {
    const value = JSON.parse(text);
    // `JSON.parse` changes numbers that JavaScript cannot represent exactly.
    return /\d{16}/.test(text) ? undefined : JSON.stringify(value, null, 2);
  } catch {
    return undefined;
  }
}
