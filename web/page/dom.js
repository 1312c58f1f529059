// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * DOM functions of the pages, and the theme. They insert text as text only; nothing parses a string
 * as markup.
 *
 * @module
 */

/**
 * Returns the element with this id. Throws if there is none of this type.
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {{ new (): T, prototype: T }} [type]
 * @returns {T}
 */
export function byId(id, type = /** @type {any} */ (HTMLElement)) {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new TypeError(`Cannot find "${id}" in the page: it must be a ${type.name}`);
}

/**
 * Makes an element. Strings among `children` become text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean>} [attributes] `true` sets an empty attribute, `false`
 * none
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children);
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children);
  return element;
}

/**
 * Makes an icon. Icons are always next to words, so screen readers skip them.
 * @param {string} name of a symbol in the page: `icon-<name>`
 */
export function icon(name) {
  const use = makeSvg("use", { href: `#icon-${name}` });
  return makeSvg("svg", { class: "icon", "aria-hidden": "true" }, use);
}

/** @param {Element | string} elementOrId an icon or its parent @param {string} name */
export function setIcon(elementOrId, name) {
  const use = elementOf(elementOrId).querySelector("use");
  if (use !== null) setAttribute(use, "href", `#icon-${name}`);
}

/** @param {Element | string} elementOrId */
function elementOf(elementOrId) {
  return typeof elementOrId === "string" ? byId(elementOrId, Element) : elementOrId;
}

/** @param {string} id of a button @param {() => void} act */
export function onClick(id, act) {
  byId(id, HTMLButtonElement).addEventListener("click", act);
}

/**
 * Handles Enter and the button of a form, without leaving the page.
 * @param {string} id
 * @param {() => void} act
 */
export function onSubmit(id, act) {
  byId(id, HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

/**
 * Sets a text if it has changed, because each change costs a layout.
 * @param {Element | string} elementOrId
 * @param {string} text
 */
export function setText(elementOrId, text) {
  const element = elementOf(elementOrId);
  const { firstChild } = element;
  if (firstChild instanceof Text && firstChild.nextSibling === null) {
    if (firstChild.data !== text) firstChild.data = text;
  } else {
    element.textContent = text;
  }
}

/**
 * Returns what a page says while its server does not answer.
 * @param {{ isTokenUnknown: boolean }} options whether the server does not know the page's token
 */
export function lostText({ isTokenUnknown }) {
  return isTokenUnknown
    ? "The program that serves this page was restarted. Open the address that it has printed"
    : "No response from the program that serves this page. Is it still running? Retrying";
}

/**
 * Like `setText`, but breaks no line at a hyphen, such as in `-o`.
 * @param {Element | string} elementOrId
 * @param {string} text
 */
export function setWords(elementOrId, text) {
  const element = elementOf(elementOrId);
  if (element.textContent === text) return;
  if (!text.includes("-")) return setText(element, text);
  element.replaceChildren(
    // `split` with a group keeps the white space, at odd indexes.
    ...text.split(/(\s+)/).map((part, i) =>
      i % 2 === 0 ? make("span", { class: "word" }, part) : part
    ),
  );
}

/** @param {Element | string} elementOrId @param {string} name @param {string | boolean} value */
export function setAttribute(elementOrId, name, value) {
  const element = elementOf(elementOrId);
  if (value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : value;
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** @param {HTMLElement | string} elementOrId @param {boolean} isShown */
export function setShown(elementOrId, isShown) {
  setAttribute(elementOrId, "hidden", !isShown);
}

/**
 * Copies the text. If the browser forbids that, selects what the page shows of it.
 * @param {string} text
 * @param {HTMLElement} button says what happened, in place of its label
 * @param {HTMLElement} box shows the text, perhaps formatted or truncated
 */
export async function copyText(text, button, box) {
  const { firstChild } = button;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isCopied = copyByCommand(text, box);
  }
  if (firstChild !== null) firstChild.textContent = isCopied ? "Copied" : "Selected";
}

/**
 * Copies with a command of the document. Unlike `navigator.clipboard`, the command also works in
 * pages at a network address without TLS. Safari copies only if something is selected.
 * @param {string} text
 * @param {HTMLElement} box
 */
function copyByCommand(text, box) {
  let isPut = false;
  /** @param {ClipboardEvent} event */
  const put = (event) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    isPut = true;
  };
  getSelection()?.selectAllChildren(box);
  document.addEventListener("copy", put);
  const isAllowed = document.execCommand("copy");
  document.removeEventListener("copy", put);
  return isAllowed && isPut;
}

/**
 * Sets the children. Children in the right place are not moved, and so keep focus, selection and
 * open `<details>`.
 * @param {Element} parent
 * @param {readonly Element[]} children
 */
export function setChildren(parent, children) {
  const newChildren = new Set(children);
  for (const child of [...parent.children]) {
    if (!newChildren.has(child)) child.remove();
  }
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/**
 * Fills one row for each item. Reuses existing rows, and adds or removes rows at the end.
 * @template T, R
 * @param {Element} parent
 * @param {(R & { element: Element })[]} rows existing rows; this array is changed
 * @param {readonly T[]} items
 * @param {() => R & { element: Element }} create
 * @param {(row: R & { element: Element }, item: T) => void} fill
 */
export function fillRows(parent, rows, items, create, fill) {
  while (rows.length > items.length) rows.pop()?.element.remove();
  while (rows.length < items.length) {
    const row = create();
    parent.append(row.element);
    rows.push(row);
  }
  items.forEach((item, index) => fill(rows[index], item));
}

/** @type {(() => void)[]} */
const frameJobs = [];

/** Runs `work` in an animation frame of its own. @param {() => void} work */
export function inOwnFrame(work) {
  frameJobs.push(work);
  if (frameJobs.length === 1) requestAnimationFrame(runFrameJob);
}

function runFrameJob() {
  const [work] = frameJobs;
  try {
    work();
  } finally {
    frameJobs.shift();
    if (frameJobs.length > 0) requestAnimationFrame(runFrameJob);
  }
}

const THEME_KEY = "retort-theme";

/**
 * Sets the light or dark theme: that of the system, until the user chooses one. Prints the page in
 * the light theme, with all sections unfolded.
 * @param {() => void} [onChange] called once at the start, then after each change and for printing
 * @param {() => void} [onPrint] called before the page is printed
 */
export function startTheme(onChange = () => {}, onPrint = () => {}) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const isDark = (rememberedTheme() ?? (system.matches ? "dark" : "light")) === "dark";
    setAttribute(document.documentElement, "data-theme", isDark ? "dark" : "light");
    setIcon("theme", isDark ? "sun" : "moon");
    setText("theme-word", isDark ? "Light theme" : "Dark theme");
    onChange();
  };
  onClick("theme", () => {
    const { theme } = document.documentElement.dataset;
    rememberTheme(theme === "dark" ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  addEventListener("beforeprint", () => {
    setAttribute(document.documentElement, "data-theme", "light");
    for (const folded of document.querySelectorAll("details.folded")) {
      if (folded instanceof HTMLDetailsElement) folded.open = true;
    }
    onChange();
    onPrint();
  });
  addEventListener("afterprint", show);
  show();
}

/** @type {string | null} */
let chosenTheme = null;

/** Returns the chosen theme. Browsers may forbid storage, as for some files opened from disk. */
function rememberedTheme() {
  try {
    return chosenTheme ?? localStorage.getItem(THEME_KEY);
  } catch {
    return chosenTheme;
  }
}

/** @param {string} theme */
function rememberTheme(theme) {
  chosenTheme = theme;
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // Without storage, the choice lasts until the page is closed.
  }
}
