/** Charts: source of a page script that sets the global `uPlot`, and its style sheet. @module */

export { default as UPLOT_JS } from "npm:uplot@1.6.32/dist/uPlot.iife.min.js" with { type: "text" };
export { default as UPLOT_CSS } from "npm:uplot@1.6.32/dist/uPlot.min.css" with { type: "text" };
export type { default as uPlot } from "npm:uplot@1.6.32";
