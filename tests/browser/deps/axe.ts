/** Accessibility checker: the source of a script to run in the tested page. @module */

export { default as AXE_JS } from "npm:axe-core@4.14.1/axe.min.js" with { type: "text" };
export type { AxeResults } from "npm:axe-core@4.14.1";
