/**
 * A page of `docs/` of which a part is generated from test cases.
 *
 * @module
 */

const START = "<!-- cases -->";
const END = "<!-- end of cases -->";

/** The page with its generated part as it should be. */
export function withGenerated(page: string, tables: string): string {
  const start = page.indexOf(START) + START.length, end = page.indexOf(END);
  if (start < START.length || end < start) throw new Error(`There is no ${START} … ${END}`);
  return `${page.slice(0, start)}\n\n${tables}\n\n${page.slice(end)}`;
}

/** Every line of the generated part, without the spaces that a formatter aligns tables with. */
export function generatedLines(page: string): string[] {
  const text = page.slice(page.indexOf(START), page.indexOf(END));
  return text.split("\n").filter((line) => line !== "").map((line) =>
    line.replace(/\s*\|\s*/g, "|").replace(/-{3,}/g, "---")
  );
}
