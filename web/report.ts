/**
 * The report: the page with its run inside, as one HTML file that needs no server.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { MARKDOWN_JS, PAGE_CSS, PAGE_HTML, PAGE_JS, UPLOT_CSS, UPLOT_JS } from "./assets.ts";
import type { Hub } from "./hub.ts";
import { REPORT_MARKER, startedMarker } from "./report_marker.ts";
import type { MonitorState } from "./protocol.ts";

/** What a report has in place of the page's links, in the order of the page. */
const STYLES = [
  ['<link rel="stylesheet" href="uplot.css">', UPLOT_CSS],
  ['<link rel="stylesheet" href="page.css">', PAGE_CSS],
] as const;
const SCRIPTS = [
  ['<script src="uplot.js" defer></script>', "", UPLOT_JS],
  ['<script src="markdown.js" defer></script>', "", MARKDOWN_JS],
  ['<script type="module" src="page.js"></script>', ' type="module"', PAGE_JS],
] as const;

/** Strings that reach a place where they would be markup or script are errors. */
export const TEXT_ONLY = "require-trusted-types-for 'script'; trusted-types 'none'";

/** The most bytes of samples in a report: a browser still opens it at once, and it can be sent by mail. */
export const MAX_WHOLES_BYTES = 4_000_000;

/** Characters that would end the element in which JSON stands, and those that end a line of script. */
const UNSAFE = /[<>&\u2028\u2029]/g;

/** The report of what a hub knows, with texts as whole as they fit. */
export function reportOf({ record, retryWhenDone }: Hub): string {
  return renderReport(record.wholeState(retryWhenDone, MAX_WHOLES_BYTES));
}

/**
 * Writes the run as one HTML file. It runs its own scripts and nothing else: they are named by their
 * hashes in its content security policy, and the run is data that no text of a model can break out of.
 */
export function renderReport(state: MonitorState): string {
  return render(embeddable(state), markersOf(state));
}

/** A report without a run, into which the page puts what it knows. */
export function reportShell(): string {
  return render("", REPORT_MARKER);
}

function render(json: string, markers: string): string {
  const data = `<script type="application/json" id="report-state">${json}</script>`;
  let html = PAGE_HTML;
  for (const [link, style] of STYLES) html = replaced(html, link, `<style>${style}</style>`);
  for (const [link, type, script] of SCRIPTS) {
    html = replaced(html, link, `<script${type}>${script}</script>`);
  }
  html = replaced(
    html,
    '<meta charset="utf-8">',
    `<meta charset="utf-8">\n    ${markers}\n    ${policy()}`,
  );
  return replaced(html, "</body>", `${data}\n  </body>`);
}

function markersOf({ run }: MonitorState): string {
  const startMs = Date.parse(run?.time ?? "");
  if (Number.isNaN(startMs)) return REPORT_MARKER;
  return `${REPORT_MARKER}\n    ${startedMarker(new Date(startMs).toISOString())}`;
}

function policy(): string {
  const scripts = SCRIPTS.map(([, , script]) => hashOf(script));
  const styles = STYLES.map(([, style]) => hashOf(style));
  const rules = `default-src 'none'; script-src ${scripts.join(" ")}; ` +
    `style-src ${
      styles.join(" ")
    }; img-src data:; base-uri 'none'; form-action 'none'; ${TEXT_ONLY}`;
  return `<meta http-equiv="content-security-policy" content="${rules}">`;
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

function embeddable(state: MonitorState): string {
  return JSON.stringify(state).replaceAll(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Puts a text in place of the last `old`, as it is: `$` means nothing. */
function replaced(html: string, old: string, text: string): string {
  const place = html.lastIndexOf(old);
  return html.slice(0, place) + text + html.slice(place + old.length);
}
