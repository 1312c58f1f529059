/**
 * A page of `docs/` with a part that is generated from test cases.
 *
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";

const START = "<!-- cases -->";
const END = "<!-- end of cases -->";

/** The page with its generated part up to date. */
export function withGenerated(page: string, tables: string): string {
  const start = page.indexOf(START) + START.length, end = page.indexOf(END);
  if (start < START.length || end < start) throw new Error(`There is no ${START} … ${END}`);
  return `${page.slice(0, start)}\n\n${tables}\n\n${page.slice(end)}`;
}

/** Writes the page with its generated part up to date, formatted as `deno fmt` does. */
export async function writePage(page: URL, update: (page: string) => string): Promise<void> {
  await Deno.writeTextFile(page, update(await Deno.readTextFile(page)));
  const args = ["fmt", "--quiet", page.pathname.split("/").at(-1)!];
  const command = new Deno.Command(Deno.execPath(), { args, cwd: new URL(".", page) });
  const { success } = await command.spawn().status;
  if (!success) throw new Error(`Cannot format "${page}": run deno fmt`);
}

/**
 * Fails with the lines that differ unless the page is equal to the output of the script `remedy`.
 */
export function assertCurrent(page: string, wanted: string, remedy: string): void {
  const there = generatedLines(page), right = generatedLines(wanted);
  const without = (lines: string[], others: string[]) => {
    const known = new Set(others);
    return lines.filter((line) => !known.has(line));
  };
  const differences = { missing: without(right, there), outdated: without(there, right) };
  assertEquals(differences, { missing: [], outdated: [] }, `Run ${remedy}`);
  assertEquals(there.length, right.length, `Run ${remedy}`);
}

/** Every line of the generated part, without the spaces that a formatter aligns tables with, and
 * each paragraph as one line. */
export function generatedLines(page: string): string[] {
  const text = page.slice(page.indexOf(START), page.indexOf(END));
  return text.split("\n\n").flatMap((block) => block.startsWith("|") ? block.split("\n") : block)
    .map((line) => line.replace(/\s*\|\s*/g, "|").replace(/-{3,}/g, "---").replace(/\s+/g, " "))
    .filter((line) => line.trim() !== "");
}
