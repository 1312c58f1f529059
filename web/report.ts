/** The report: the page and its run in one HTML file that needs no server. @module */

import { createHash } from "node:crypto";
import { MARKDOWN_JS, RUN_PAGE, UPLOT_CSS, UPLOT_JS } from "./assets.ts";
import type { Hub } from "./hub.ts";
import { REPORT_MARKER, startedMarker } from "./recorder.ts";
import type { MonitorState } from "./monitor_state.ts";

/** Links in the order of the page, and the style sheets that replace them. */
const STYLES = [
  ['<link rel="stylesheet" href="uplot.css">', UPLOT_CSS],
  ['<link rel="stylesheet" href="page.css">', RUN_PAGE.style],
] as const;

/** Tags in the order of the page, each with the attribute and the script of its replacement. */
const SCRIPTS = [
  ['<script src="uplot.js" defer></script>', "", UPLOT_JS],
  ['<script src="markdown.js" defer></script>', "", MARKDOWN_JS],
  ['<script type="module" src="page.js"></script>', ' type="module"', RUN_PAGE.script],
] as const;

/** A policy that makes it an error to use a string as markup or script. */
export const TRUSTED_TYPES = "require-trusted-types-for 'script'; trusted-types 'none'";

/**
 * Limit for the full texts of samples. A report of this size opens immediately, and fits into an
 * email.
 */
export const MAX_WHOLE_SAMPLES_BYTES = 4_000_000;

/** Characters that could end the element with the JSON, or a line of script. */
const UNSAFE = /[<>&\u2028\u2029]/g;

export function reportOf({ record }: Hub): string {
  return renderReport(record.wholeState(MAX_WHOLE_SAMPLES_BYTES));
}

/**
 * Renders a report. Its content security policy allows only its own scripts, by hash. No text of a
 * model can break out of the embedded data.
 */
export function renderReport(state: MonitorState): string {
  return render(embeddable(state), markersOf(state));
}

/** Renders a report without a run. A page adds the run that it shows. */
export function reportShell(): string {
  return render("", REPORT_MARKER);
}

function render(json: string, markers: string): string {
  const data = `<script type="application/json" id="report-state">${json}</script>`;
  return withReplacements(RUN_PAGE.html, [
    ['<meta charset="utf-8">', `<meta charset="utf-8">\n    ${markers}\n    ${policy()}`],
    ...STYLES.map(([link, style]) => [link, `<style>${style}</style>`] as const),
    ...SCRIPTS.map(([tag, type, script]) => [tag, `<script${type}>${script}</script>`] as const),
    ["</body>", `${data}\n  </body>`],
  ]);
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
    }; img-src data:; base-uri 'none'; form-action 'none'; ${TRUSTED_TYPES}`;
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

/** Replaces tags in the order of the page. Unlike in `String.replace`, `$` is plain text. */
function withReplacements(
  html: string,
  replacements: readonly (readonly [tag: string, replacement: string])[],
): string {
  let result = "", from = 0;
  for (const [tag, replacement] of replacements) {
    const start = html.indexOf(tag, from);
    result += html.slice(from, start) + replacement;
    from = start + tag.length;
  }
  return result + html.slice(from);
}
