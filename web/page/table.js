// @ts-check
/// <reference lib="dom" />
/**
 * Common parts of the tables of teachers and failed attempts. On narrow screens CSS turns rows into
 * cards; explicit roles keep the tables for screen readers.
 *
 * @module
 */

import { byId, icon, make, setText } from "./dom.js";

/**
 * `cells` by column name; `mark` is an icon for the caller to place.
 * @typedef {{ element: HTMLElement, cells: Record<string, HTMLElement>, mark: Element }} Row
 */

/**
 * Makes a table in the element. Returns its body.
 * @param {string} id of the element
 * @param {string[][]} columns the name (a CSS class) and the title of each; screen readers read
 * "Rows" for the title ""
 */
export function makeTable(id, columns) {
  const head = make("tr", { role: "row" });
  for (const [name, title] of columns) {
    head.append(make(
      "th",
      { role: "columnheader", scope: "col", class: name },
      title === "" ? make("span", { class: "visually-hidden" }, "Rows") : title,
    ));
  }
  const body = make("tbody", { role: "rowgroup" });
  const label = byId(id).dataset.label ?? "";
  byId(id).replaceChildren(
    make(
      "table",
      { role: "table", class: "rows", "aria-label": label },
      make("thead", { role: "rowgroup" }, head),
      body,
    ),
  );
  return body;
}

/** @param {string[][]} columns @returns {Row} */
export function makeRow(columns) {
  const element = make("tr", { role: "row" });
  /** @type {Record<string, HTMLElement>} */
  const cells = {};
  for (const [name, title] of columns) {
    cells[name] = make("span", { class: "text" });
    element.append(make("td", { role: "cell", class: name, "data-title": title }, cells[name]));
  }
  return { element, cells, mark: icon("dots") };
}

/**
 * @param {Row} row
 * @param {string} name of the new cell
 * @param {string} before name of the cell before it
 */
export function addNote({ cells }, name, before) {
  cells[name] = make("span", { class: "note" });
  cells[before].after(cells[name]);
}

/** @param {Row["cells"]} cells @param {Record<string, string>} texts by the names of the cells */
export function setTexts(cells, texts) {
  for (const [name, text] of Object.entries(texts)) setText(cells[name], text);
}
