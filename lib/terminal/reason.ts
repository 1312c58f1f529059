/**
 * A reason in little room.
 *
 * @module
 */

import { stringWidth } from "../deps/string_width.ts";
import { printable } from "../printable.ts";
import { clip } from "./columns.ts";

/** What was tried, and after the last colon why it could not be done. */
const CAUSE_LAST = /^(Cannot .+): ([^:]+)$/;

/** A reason in at most `cells` cells. Where it has to be cut its cause comes first: of `Cannot connect to
 * gpu1.example:8000: connection refused` the end says most. Empty where there is none. */
export function shortReason(reason: string | null, cells: number): string {
  const text = printable(reason ?? "");
  if (stringWidth(text) <= cells) return text;
  return clip(text.replace(CAUSE_LAST, "$2: $1"), cells);
}
