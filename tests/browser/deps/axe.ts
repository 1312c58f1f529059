/** Finds what keeps people from using a page; as text, for the page that is looked at. @module */

export { default as AXE_JS } from "npm:axe-core@4.14.1/axe.min.js" with { type: "text" };
export type { AxeResults } from "npm:axe-core@4.14.1";
