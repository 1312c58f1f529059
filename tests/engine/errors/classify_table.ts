/**
 * Writes the table of `docs/errors.md` from the cases that `classify()` is tested with:
 * `deno run --allow-all tests/engine/errors/classify_table.ts`.
 *
 * @module
 */

import type { TeacherError } from "../../../lib/errors.ts";
import { withGenerated, writePage } from "../../support/generated_page.ts";
import { type CaseGroup, type Expected, GROUPS, type Remedy } from "./classify_cases.ts";

export const PAGE = new URL("../../../docs/errors.md", import.meta.url);

/** Maximum number of characters of a message in the table. */
const SHOWN = 60;

const REMEDIES: Readonly<Record<Remedy, string>> = {
  key: "the key",
  permission: "what the key may do",
  billing: "the bill",
  model: "the model",
  endpoint: "the endpoint",
  address: "the address",
  upstream: "the gateway's key or bill",
  proxy: "the proxy's password",
  certificate: "the certificate",
  "client certificate": "the client certificate",
  tls: "the address (http:// or https://)",
};

/** The tables in Markdown, with a section for each group. */
export function tables(): string {
  return GROUPS.map(table).join("\n\n");
}

/** The page with its tables replaced by the current ones. */
export function withTables(page: string): string {
  return withGenerated(page, tables());
}

function table({ title, cases }: CaseGroup): string {
  const rows = cases.map(({ what, error, headers, expected }) =>
    `| ${cell(what)} | ${status(error)} | ${recognized(error, headers)} | ${follows(expected)} | ${
      typeOf(expected)
    } |`
  );
  return [
    `### ${title}`,
    "",
    "| who | status | code, words, headers | what follows | type |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function status({ status, type }: TeacherError): string {
  return status === undefined ? type : String(status);
}

function recognized(error: TeacherError, headers: Readonly<Record<string, string>>): string {
  const parts = error.code === undefined ? [] : [code(error.code)];
  parts.push(code(error.message));
  for (const [name, value] of Object.entries(headers)) parts.push(code(`${name}: ${value}`));
  return parts.join(", ");
}

function follows(
  { action, cause, retryAfterMs, isExhausted, isAboutModel, otherServer, remedy }: Expected,
): string {
  if (action === "halt") {
    const own = isAboutModel ? "; a row that names a model of its own fails alone" : "";
    return `the run halts: ${remedy === undefined ? "" : REMEDIES[remedy]}${own}`;
  }
  if (action === "fail") {
    return cause === "request" ? "the row fails; many alike halt the run" : "only this row fails";
  }
  if (cause === "timeout") return "again, once";
  if (cause === "unreachable") return "again when a server listens; does not count";
  if (otherServer !== undefined) return "again; the run halts while nothing has succeeded";
  if (cause === "fault") return "again";
  const time = retryAfterMs === undefined ? undefined : `${retryAfterMs / 1_000} s`;
  if (isExhausted) {
    return time === undefined
      ? "throttled: all rows wait, single requests probe the limit"
      : `throttled: all rows wait ${time}`;
  }
  const again = cause === "load" ? "throttled: again" : "again";
  return time === undefined ? again : `${again}, after ${time}`;
}

/** The type of the row's failure; "" if the row cannot fail this way. */
function typeOf({ type, action, cause }: Expected): string {
  const never = action === "halt" || cause === "unreachable";
  return never ? "" : `\`${type}\``;
}

function code(text: string): string {
  const line = text.replace(/\s+/g, " ").replaceAll("`", "'").replaceAll("|", "/").trim();
  return `\`${line.length > SHOWN ? `${line.slice(0, SHOWN).trim()}…` : line}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) {
  await writePage(PAGE, withTables);
}
