// @ts-check
/// <reference lib="dom" />
/** Light or dark theme: as the system says until the user chooses. The choice is stored. @module */

import { byId, setAttribute, setIcon, setText } from "./dom.js";

const THEME_KEY = "retort-theme";

/**
 * Sets the theme and enables its button. Prints the page in the light theme, with all sections
 * unfolded.
 * @param {() => void} [onChange] called once at the start, then after each change and for printing
 * @param {() => void} [onPrint] called before the page is printed
 */
export function startTheme(onChange = () => {}, onPrint = () => {}) {
  const button = byId("theme", HTMLButtonElement);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const isDark = (rememberedTheme() ?? (system.matches ? "dark" : "light")) === "dark";
    setAttribute(document.documentElement, "data-theme", isDark ? "dark" : "light");
    setIcon(button, isDark ? "sun" : "moon");
    setText("theme-word", isDark ? "Light theme" : "Dark theme");
    onChange();
  };
  button.addEventListener("click", () => {
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

/** Browsers may forbid storage, as for some files that are opened from disk. */
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
    // Then the choice lasts until the page is closed.
  }
}
