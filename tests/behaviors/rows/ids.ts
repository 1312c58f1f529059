/** How rows are named. @module */

import type { RowCase, RowGroup } from "./case.ts";

/** Rows that are named in some way; what is sent for each is its prompt. */
function named(
  what: string,
  rows: readonly object[],
  uids: readonly string[],
  flags: readonly string[] = [],
): RowCase {
  const sent = uids.map((_, i) => {
    const { prompt } = rows[i] as { prompt: string };
    return `"messages":[{"role":"user","content":"${prompt}"}]`;
  });
  return { what, rows: rows.map((row) => JSON.stringify(row)), flags, sent, uids };
}

const KEEP = ["--duplicates", "keep"];

/** How rows are named. */
export const IDS: RowGroup = {
  title: "Ids",
  intro: "The uid of a row is the first of these fields that is present and not empty: those of " +
    "`--uid-field` in their order, `uid`, `custom_id`, `id`. Without any, it is a hash of the row.",
  cases: [
    named("an id", [{ id: 7, prompt: "hi" }], ["7"]),
    named("the order", [{ id: "c", custom_id: "b", prompt: "hi" }], ["b"]),
    named("a field of the user's", [{ id: "c", key: "k", prompt: "hi" }], ["k"], [
      "--uid-field",
      "key",
    ]),
    named("rows without that field", [{ id: "c", key: "", prompt: "hi" }], ["c"], [
      "--uid-field",
      "other,key",
    ]),
    named("an empty id", [{ custom_id: "", id: "c", prompt: "hi" }], ["c"]),
    named("no id at all", [{ id: "", prompt: "hi" }], ["864b58d2d30fdb2808f3bd32b1a9c8df"]),
    named("identical rows are one", [{ id: 1, prompt: "hi" }, { id: 1, prompt: "hi" }], ["1"]),
    named("identical rows that are kept", [{ id: 1, prompt: "hi" }, { id: 1, prompt: "hi" }], [
      "1",
      "1~2",
    ], KEEP),
    named(
      "other rows of the same id",
      [{ id: 1, prompt: "hi" }, { id: 1, prompt: "ho" }, { id: 1, prompt: "hu" }],
      ["1", "1~2", "1~3"],
      KEEP,
    ),
  ],
};
