// @ts-check
/// <reference lib="dom" />
/**
 * Code with colored keywords, strings and comments. The highlighter returns a tree, and elements
 * are made from the tree: no string is parsed as markup.
 *
 * @module
 */

import { make } from "./dom.js";

/**
 * A text, or a scope of the highlighter.
 * @typedef {string | { scope: string, children: Piece[] }} Piece
 */

/**
 * Maximum length of colored code, in UTF-16 units. For longer code, the highlighter would block the
 * page.
 */
const MAX_HIGHLIGHTED_LENGTH = 50_000;

/** Colors by the first word of a scope's name. Other scopes look like plain text. */
const COLORED = new Map(Object.entries({
  comment: "comment",
  quote: "comment",
  doctag: "comment",
  keyword: "keyword",
  "selector-tag": "keyword",
  tag: "keyword",
  name: "keyword",
  built_in: "name",
  type: "name",
  title: "name",
  section: "name",
  attr: "name",
  attribute: "name",
  property: "name",
  string: "string",
  regexp: "string",
  addition: "string",
  symbol: "string",
  number: "number",
  literal: "number",
  meta: "comment",
  deletion: "removed",
}));

/** The global `hljs`; undefined if the script could not be loaded. Code then has no colors. */
const Highlighter = Reflect.get(globalThis, "hljs");
// Makes the highlighter throw its errors instead of silently truncating the code.
Highlighter?.debugMode();

/**
 * Makes a block of code. Long lines scroll in the block, so it can get the keyboard focus.
 * @param {string} text
 * @param {string} language name or alias of a language; code in an unknown one gets no colors
 * @param {string} label for screen readers
 */
export function makeCode(text, language, label) {
  const code = make("code");
  code.append(...highlighted(text, language));
  return make("pre", { class: "code", tabindex: "0", role: "group", "aria-label": label }, code);
}

/** @param {string} text @param {string} language */
function highlighted(text, language) {
  if (text.length > MAX_HIGHLIGHTED_LENGTH || !Highlighter?.getLanguage(language)) return [text];
  try {
    // There is no public access to the tree.
    const { _emitter } = Highlighter.highlight(text, { language, ignoreIllegals: true });
    return elementsOf(_emitter.rootNode.children);
  } catch {
    // The code is nested too deeply for the stack.
    return [text];
  }
}

/** @param {readonly Piece[]} pieces @returns {(string | HTMLElement)[]} */
function elementsOf(pieces) {
  return pieces.flatMap((piece) => {
    if (typeof piece === "string") return [piece];
    const color = COLORED.get(piece.scope.split(".")[0]);
    const children = elementsOf(piece.children);
    return color === undefined ? children : [make("span", { class: `code-${color}` }, ...children)];
  });
}
