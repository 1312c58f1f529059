/** A Markdown parser, as text for the page: an ES module that exports `Marked`. @module */

export { default as MARKED_JS } from "npm:marked@18.2.1" with { type: "text" };
export type { MarkedToken, Token } from "npm:marked@18.2.1";
