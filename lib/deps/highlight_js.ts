/** Highlighting of 36 languages: source of a page script that sets the global `hljs`. @module */

export {
  default as HIGHLIGHT_JS,
} from "npm:@highlightjs/cdn-assets@11.12.0/highlight.min.js" with {
  type: "text",
};
