/**
 * The files of the run's page, and what all pages share. The files are imported as text, so that
 * local runs, imports from a URL and the executable can serve them.
 *
 * @module
 */

import { HIGHLIGHT_JS } from "../lib/deps/highlight_js.ts";
import { MARKED_JS } from "../lib/deps/marked.ts";
import { UPLOT_CSS, UPLOT_JS as UPLOT_SCRIPT } from "../lib/deps/uplot.ts";
import sharedFigures from "../lib/figures.js" with { type: "text" };
import HTML from "./page.html" with { type: "text" };
import dialogs from "./page/dialogs.html" with { type: "text" };
import head from "./page/head.html" with { type: "text" };
import icons from "./page/icons.html" with { type: "text" };
import baseCss from "./page/base.css" with { type: "text" };
import chartCss from "./page/charts.css" with { type: "text" };
import chart from "./page/chart.js" with { type: "text" };
import chartParts from "./page/chart_parts.js" with { type: "text" };
import charts from "./page/charts.js" with { type: "text" };
import code from "./page/code.js" with { type: "text" };
import controlCss from "./page/controls.css" with { type: "text" };
import controls from "./page/controls.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import figures from "./page/figures.js" with { type: "text" };
import frameCss from "./page/frame.css" with { type: "text" };
import latency from "./page/latency.js" with { type: "text" };
import link from "./page/link.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import markdown from "./page/markdown.js" with { type: "text" };
import overview from "./page/overview.js" with { type: "text" };
import overviewCss from "./page/overview.css" with { type: "text" };
import problems from "./page/problems.js" with { type: "text" };
import printCss from "./page/print.css" with { type: "text" };
import runState from "./page/run_state.js" with { type: "text" };
import sampleCss from "./page/samples.css" with { type: "text" };
import samples from "./page/samples.js" with { type: "text" };
import store from "./page/store.js" with { type: "text" };
import tableCss from "./page/tables.css" with { type: "text" };
import tables from "./page/tables.js" with { type: "text" };
import text from "./page/text.js" with { type: "text" };
import textCss from "./page/text.css" with { type: "text" };
import tiles from "./page/tiles.js" with { type: "text" };

export interface PageFiles {
  readonly html: string;
  /** All modules in one file, because a report cannot import files. */
  readonly script: string;
  readonly style: string;
}

/** The page of a run, which is also its report. */
export const RUN_PAGE: PageFiles = pageOf(
  HTML.replace("<!-- page/dialogs.html goes here -->", dialogs.trim()),
  [
    store,
    problems,
    runState,
    link,
    tiles,
    overview,
    chartParts,
    chart,
    charts,
    latency,
    tables,
    samples,
    controls,
    main,
  ],
  [frameCss, overviewCss, chartCss, tableCss, sampleCss, printCss],
);

/**
 * Adds to a page what all pages share.
 *
 * @param modules each after the modules that it imports; their top-level names must differ
 */
export function pageOf(
  html: string,
  modules: readonly string[],
  styles: readonly string[],
): PageFiles {
  return {
    html: html.replace("<!-- page/head.html goes here -->", head.trim())
      .replace("<!-- page/icons.html goes here -->", icons.trim()),
    script: [sharedFigures, figures, dom, code, markdown, text, ...modules].map(
      withoutImportsAndExports,
    )
      .join("\n"),
    style: [baseCss, controlCss, textCss, ...styles].join("\n"),
  };
}

/**
 * The script of uPlot with a fixed language: uPlot throws if `Intl` does not know the browser's
 * language, such as `en-US@posix`.
 */
export const UPLOT_JS: string =
  `var uPlot=function(navigator){${UPLOT_SCRIPT}\nreturn uPlot}({language:"en-US"});\n`;

export { UPLOT_CSS };

/** The Markdown parser and the code highlighter, as the globals `marked` and `hljs`. */
export const MARKDOWN_JS: string = `var marked=function(){${
  asFunctionBody(MARKED_JS)
}}();\n${HIGHLIGHT_JS}`;

/** Turns an ES module that ends with exports into a function body that returns them. */
function asFunctionBody(module: string): string {
  const [statement, names] = /export\s*\{([^}]*)\};?/.exec(module) ?? ["", ""];
  const fields = names.split(",").map((name) => {
    const [local, exported = local] = name.trim().split(/\s+as\s+/);
    return `${exported}:${local}`;
  });
  return `${module.slice(0, module.indexOf(statement))}return{${fields.join()}};`;
}

/** Removes imports and exports: in one script, all modules share a scope. */
function withoutImportsAndExports(module: string): string {
  return module.replaceAll(/^import\s[^;]*;\n/gm, "").replaceAll(/^export (?=\w)/gm, "");
}
