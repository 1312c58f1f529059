/**
 * Writes the tables of `docs/inputs.md` from the rows that runs are tested with:
 * `deno run --allow-all tests/behaviors/rows/inputs_page.ts`.
 *
 * @module
 */

import { posixWord } from "../../../lib/printable.ts";
import { withGenerated, writePage } from "../../support/generated_page.ts";
import type { RowCase, RowGroup } from "./case.ts";
import { ROWS } from "./rows.ts";

/** The page. */
export const PAGE = new URL("../../../docs/inputs.md", import.meta.url);

/** The page with its tables as they should be. */
export function withTables(page: string): string {
  return withGenerated(page, ROWS.map(table).join("\n\n"));
}

function table({ title, intro, cases }: RowGroup): string {
  return [
    `### ${title}`,
    "",
    intro,
    "",
    "| case | row | result |",
    "| --- | --- | --- |",
    ...cases.map((one) => `| ${cell(one.what)} | ${rowOf(one)} | ${follows(one)} |`),
  ].join("\n");
}

function rowOf({ rows, flags = [] }: RowCase): string {
  const lines = rows.map(code).join("<br>");
  const words = flags.map((flag) => posixWord(shown(flag)));
  return cell(words.length === 0 ? lines : `${lines}<br>with ${code(words.join(" "))}`);
}

function follows({ sent = [], bad, help, says, uids }: RowCase): string {
  const parts = sent.map((text) => `sent: ${code(text)}`);
  if (bad !== undefined) {
    parts.push(`bad row: ${code(help === undefined ? bad : `${bad}: ${help}`)}`);
  }
  if (uids !== undefined) parts.push(`uid ${uids.map(code).join(", ")}`);
  if (says !== undefined) parts.push(`the run says ${code(says)}`);
  return cell(parts.join("<br>"));
}

function shown(text: string): string {
  return text.replaceAll("$DIR", "/data");
}

const SHOWN = 400;

function code(text: string): string {
  const line = shown(text).replaceAll("`", "'");
  return `\`${line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) {
  await writePage(PAGE, withTables);
}
