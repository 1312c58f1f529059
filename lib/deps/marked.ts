/** Markdown parser: the source of an ES module for the page, which exports `Marked`. @module */

export { default as MARKED_JS } from "npm:marked@18.2.1" with { type: "text" };
export type { MarkedToken, Token } from "npm:marked@18.2.1";
