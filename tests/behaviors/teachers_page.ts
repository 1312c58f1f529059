/**
 * Writes the tables of `docs/teachers.md` from the behaviors that runs are tested with:
 * `deno run --allow-all tests/behaviors/teachers_page.ts`.
 *
 * @module
 */

import { posixWord } from "../../lib/printable.ts";
import { withGenerated, writePage } from "../support/generated_page.ts";
import type { Expected, ServerCase, ServerGroup } from "./case.ts";
import { SERVERS } from "./servers.ts";

/** The page. */
export const PAGE = new URL("../../docs/teachers.md", import.meta.url);

/** How much of a line is shown. */
const SHOWN = 120;

/** The page with its tables as they should be. */
export function withTables(page: string): string {
  const groups = SERVERS.filter(({ cases }) => cases.length > 0);
  return withGenerated(page, groups.map(table).join("\n\n"));
}

function table({ title, intro, cases }: ServerGroup): string {
  const rows = cases.map((one) =>
    `| ${cell(one.who)} | ${sends(one)} | ${follows(one.expected)} |`
  );
  return [
    `### ${title}`,
    "",
    ...(intro === undefined ? [] : [intro, ""]),
    "| teacher | response | result |",
    "| --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function sends({ sends, flags = [] }: ServerCase): string {
  const words = flags.map(posixWord).join(" ");
  return cell(words === "" ? sends : `${sends}; with ${code(words)}`);
}

function follows(expected: Expected): string {
  const { sent, sentLast, head, result, failure, kept, counts, posts = 1, exit, says } = expected;
  const parts: string[] = [];
  if (sent !== undefined) parts.push(`sent with ${code(show(sent))}`);
  if (head !== undefined) parts.push(`sent with ${head.map(code).join(" and ")}`);
  if (sentLast !== undefined) parts.push(`sent again with ${code(show(sentLast))}`);
  if (result !== undefined) parts.push(`a result: ${code(show(result))}`);
  if (failure !== undefined) parts.push(`a failure: ${code(show(failure))}`);
  if (counts !== undefined && counts[2] > 0) {
    parts.push(kept === undefined ? "rows stay pending" : "rows stay pending, answers are kept");
  }
  if (says !== undefined) parts.push(`the run says ${code(words(says))}`);
  if (posts !== 1) parts.push(`${posts} POSTs`);
  const code5 = exit ?? (counts !== undefined && counts[2] > 0 ? 5 : undefined);
  if (code5 === 5) parts.push("the run halts (exit 5)");
  return cell(parts.join("; "));
}

function show(part: unknown): string {
  return JSON.stringify(part, (_, value) => {
    if (value === undefined) return "(nothing)";
    return value instanceof RegExp ? words(value) : value;
  });
}

/** A regular expression as the words that it looks for. */
function words({ source }: RegExp): string {
  return source.replaceAll(".*", " … ").replaceAll("\\", "");
}

function code(text: string): string {
  const line = text.replace(/\s+/g, " ").replaceAll("`", "'").trim();
  return `\`${line.length > SHOWN ? `${line.slice(0, SHOWN).trim()}…` : line}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) {
  await writePage(PAGE, withTables);
}
