import { assert, assertEquals } from "../../../lib/deps/std_assert.ts";
import { generatedLines } from "../../support/generated_page.ts";
import { PAGE, withTables } from "./inputs_page.ts";
import { ROWS } from "./rows.ts";
import { runRow } from "./run_row.ts";

for (const { title, cases } of ROWS) {
  for (const one of cases) {
    Deno.test([`${title}: ${one.what}`, ...one.flags ?? []].join(" "), () => runRow(one));
  }
}

Deno.test("docs/inputs.md has a line for each shape of a row", async () => {
  const page = await Deno.readTextFile(PAGE);
  const remedy = "run tests/behaviours/rows/inputs_page.ts";
  assertEquals(generatedLines(page), generatedLines(withTables(page)), remedy);
  assert(ROWS.flatMap(({ cases }) => cases).length >= 40);
});
