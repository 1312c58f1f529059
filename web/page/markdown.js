// @ts-check
/// <reference lib="dom" />
/**
 * Renders untrusted Markdown of models. The parser makes a tree, and this file makes a few kinds of
 * elements from it. Raw HTML and images are shown as text; links go to http and https only.
 *
 * @module
 */

import { makeCode } from "./code.js";
import { make } from "./dom.js";
import { urlOf } from "./figures.js";

/** @import { MarkedToken, Token } from "../../lib/deps/marked.ts" */
/** @typedef {Extract<MarkedToken, { type: "list" }>} List */
/** @typedef {Extract<MarkedToken, { type: "table" }>} Table */
/** @typedef {Extract<MarkedToken, { type: "link" }>} Link */

/** Maximum length of a parsed paragraph, in UTF-16 units: parsing takes quadratic time. */
const MAX_INLINE = 10_000;

/** Maximum length of a parsed text, in UTF-16 units. */
const MAX_MARKDOWN = 500_000;

/**
 * Maximum number of paragraphs, items and cells. The elements of 30,000 blocks freeze a page for
 * several seconds. Answers with more than 10,000 mostly repeat themselves.
 */
const MAX_BLOCKS = 10_000;

/** Elements below this depth are shown as text. */
const MAX_DEPTH = 40;

/** Entities that models write; others are shown as they are. @type {Record<string, string>} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

/**
 * The tag of each type of token that becomes a single element around its children.
 * @type {Record<string, keyof HTMLElementTagNameMap>}
 */
const TAGS = { strong: "strong", em: "em", del: "del", blockquote: "blockquote", paragraph: "p" };

/** TeX between `$`, `$$`, `\(` or `\[` in a paragraph: its `\` and `*` are not Markdown. */
const INLINE_MATH =
  /^(?:\$\$[^$]{1,2000}\$\$|\$(?![\s$])[^$\n]{1,500}(?<![\s\\])\$(?!\d)|\\\([^]{1,2000}?\\\)|\\\[[^]{1,2000}?\\\])/;

/** TeX between `$$` or `\[` that is a block of its own. */
const BLOCK_MATH = /^ {0,3}(?:\$\$[^$]{1,5000}\$\$|\\\[[^]{1,5000}?\\\])[ \t]*(?:\n+|$)/;

const Parser = makeParser();

function makeParser() {
  const { Marked } = Reflect.get(globalThis, "marked") ?? {};
  if (Marked === undefined) return undefined;
  return new Marked({ gfm: true }, {
    extensions: [
      {
        name: "math",
        level: "inline",
        start: (/** @type {string} */ text) => indexOf(text, /\$|\\[([]/),
        tokenizer: (/** @type {string} */ text) => mathToken("math", INLINE_MATH.exec(text)),
      },
      {
        name: "math_block",
        level: "block",
        start: (/** @type {string} */ text) =>
          indexOf(firstParagraph(text), /^ {0,3}(?:\$\$|\\\[)/m),
        tokenizer: (/** @type {string} */ text) => mathToken("math_block", BLOCK_MATH.exec(text)),
      },
    ],
  });
}

/**
 * Returns the text before the first blank line. The parser passes the whole rest of the text for
 * each paragraph, so searching all of it would take quadratic time.
 * @param {string} text
 */
function firstParagraph(text) {
  const end = text.search(/\n[ \t]*\n/);
  return end < 0 ? text : text.slice(0, end);
}

/** @param {string} text @param {RegExp} pattern */
function indexOf(text, pattern) {
  const index = text.search(pattern);
  return index < 0 ? undefined : index;
}

/** @param {string} type @param {RegExpExecArray | null} match */
function mathToken(type, match) {
  return match === null ? undefined : { type, raw: match[0], text: match[0].trim() };
}

/**
 * Renders Markdown. Returns undefined if the text must be shown as plain text.
 * @param {string} text
 * @returns {(HTMLElement | string)[] | undefined}
 */
export function markdownElements(text) {
  if (Parser === undefined || text.length > MAX_MARKDOWN) return undefined;
  try {
    return blocksOf(tokensOf(text), 0);
  } catch {
    // The text has too many blocks, or is nested too deeply for the stack of the parser.
    return undefined;
  }
}

/**
 * Like `lexer.lex()`, but does not parse the Markdown in long paragraphs. Throws if there are too
 * many blocks.
 * @param {string} text
 * @returns {Token[]}
 */
function tokensOf(text) {
  const lexer = new Parser.Lexer({ ...Parser.defaults });
  lexer.blockTokens(text.replaceAll(/\r\n?/g, "\n"), lexer.tokens);
  if (lexer.inlineQueue.length > MAX_BLOCKS) throw new RangeError("too many blocks");
  for (const { src, tokens } of lexer.inlineQueue) {
    if (src.length > MAX_INLINE) tokens.push({ type: "text", raw: src, text: src, escaped: true });
    else lexer.inlineTokens(src, tokens);
  }
  return lexer.tokens;
}

/** @param {readonly Token[]} tokens @param {number} depth @returns {(HTMLElement | string)[]} */
function blocksOf(tokens, depth) {
  return tokens.flatMap((token) => elementsOfToken(token, depth));
}

/** @param {Token} token @param {number} depth @returns {(HTMLElement | string)[]} */
function elementsOfToken(token, depth) {
  if (depth > MAX_DEPTH) return [token.raw];
  const children = () => blocksOf("tokens" in token && token.tokens || [], depth + 1);
  if (token.type in TAGS) return [make(TAGS[token.type], {}, ...children())];
  return blockElements(token, depth, children) ?? inlineElements(token, children);
}

/**
 * Makes the elements of a block token. Returns undefined for an inline token.
 * @param {Token} token
 * @param {number} depth
 * @param {() => (HTMLElement | string)[]} children
 * @returns {(HTMLElement | string)[] | undefined}
 */
function blockElements(token, depth, children) {
  switch (token.type) {
    case "space":
    case "def":
      return [];
    case "heading":
      // This is not a heading such as `<h1>`, which screen readers would list among the headings of
      // the page.
      return [make("p", { class: `md-heading md-h${token.depth}` }, ...children())];
    case "code":
      return [makeCode(token.text, String(token.lang ?? "").split(/[\s,{]/)[0], "Code")];
    case "math_block":
      return [make("p", {}, make("code", { class: "md-math" }, token.text))];
    case "hr":
      return [make("hr")];
    case "list":
      return [listOf(/** @type {List} */ (token), depth)];
    case "table":
      return [tableOf(/** @type {Table} */ (token), depth)];
    case "html":
      return token.block ? [make("p", {}, token.raw.trimEnd())] : [token.raw];
  }
}

/**
 * @param {Token} token
 * @param {() => (HTMLElement | string)[]} children
 * @returns {(HTMLElement | string)[]}
 */
function inlineElements(token, children) {
  switch (token.type) {
    case "codespan":
      return [make("code", {}, token.text)];
    case "math":
      return [make("code", { class: "md-math" }, token.text)];
    case "br":
      return [make("br")];
    case "checkbox":
      return [token.checked ? "☑ " : "☐ "];
    case "link":
      return [linkOf(/** @type {Link} */ (token), children())];
    case "text":
      if (token.tokens !== undefined) return children();
      return [token.escaped ? token.text : decoded(token.text)];
    case "escape":
      return [token.text];
    default:
      return [token.raw];
  }
}

/** @param {List} list @param {number} depth */
function listOf({ ordered, start, items }, depth) {
  const firstNumber = ordered && start !== "" && start !== 1 ? String(start) : false;
  return make(
    ordered ? "ol" : "ul",
    { start: firstNumber },
    ...items.map((item) => make("li", {}, ...blocksOf(item.tokens, depth + 1))),
  );
}

/**
 * Makes a table in a box that scrolls, so the box must be focusable with the keyboard.
 * @param {Table} table
 * @param {number} depth
 */
function tableOf({ header, rows }, depth) {
  /** @param {"th" | "td"} tag @param {Table["header"]} cells */
  const rowOf = (tag, cells) =>
    make(
      "tr",
      {},
      ...cells.map(({ tokens, align }) =>
        make(tag, { class: align === null ? false : `md-${align}` }, ...blocksOf(tokens, depth + 1))
      ),
    );
  return make(
    "div",
    { class: "md-table", tabindex: "0", role: "group", "aria-label": "Table" },
    make(
      "table",
      {},
      make("thead", {}, rowOf("th", header)),
      make("tbody", {}, ...rows.map((cells) => rowOf("td", cells))),
    ),
  );
}

/**
 * Makes a link or, unless it goes to a valid http or https URL, its Markdown text.
 * @param {Link} link
 * @param {(HTMLElement | string)[]} children
 */
function linkOf({ href, raw }, children) {
  if (!/^https?:\/\//i.test(href) || urlOf(href) === undefined) return make("span", {}, raw);
  const attributes = { href, rel: "noopener noreferrer", target: "_blank", title: href };
  return make("a", attributes, ...children);
}

/** @param {string} text */
function decoded(text) {
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,4}));/gi,
    (all, decimal, hex, name) => {
      if (name !== undefined) return ENTITIES[name] ?? all;
      const code = decimal === undefined ? parseInt(hex, 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}
