import { assert, assertEquals } from "../../../lib/deps/std_assert.ts";
import { generatedLines } from "../../support/generated_page.ts";
import { RowParser } from "../../../lib/source/mod.ts";
import { RowProblem } from "../../../lib/source/parsed_row.ts";
import { DATASETS } from "./datasets.ts";
import { PAGE, withTables } from "./inputs_page.ts";
import { ROWS } from "./rows.ts";
import { runRow } from "./run_row.ts";

for (const { title, cases } of ROWS) {
  if (cases === DATASETS.cases) continue;
  for (const one of cases) {
    Deno.test([`${title}: ${one.what}`, ...one.flags ?? []].join(" "), () => runRow(one));
  }
}

// Sixty runs would take five seconds; how a run sends what was parsed, the other tables show.
Deno.test("RowParser reads one row of each well-known dataset", () => {
  for (const { what, flags = [], rows: [text], sent, bad, help, says } of DATASETS.cases) {
    const parser = parserOf(flags);
    const row = parser.parse(text);
    if (row instanceof RowProblem) {
      assertEquals([row.problem, row.hint()], [bad, help ?? ""], what);
      continue;
    }
    const { messages, params } = row;
    assertEquals([JSON.stringify({ messages, ...params }).slice(1, -1)], sent, what);
    const unsent = new Set<string>();
    parser.addUnsent(row, unsent, 100);
    assertEquals(unsent.size === 0 ? undefined : `not sent: ${[...unsent].join(", ")}`, says, what);
  }
});

Deno.test("docs/inputs.md has a line for each shape of a row", async () => {
  const page = await Deno.readTextFile(PAGE);
  const remedy = "run tests/behaviors/rows/inputs_page.ts";
  assertEquals(generatedLines(page), generatedLines(withTables(page)), remedy);
  assert(ROWS.flatMap(({ cases }) => cases).length >= 40);
});

Deno.test('the table "Shapes" of docs/inputs.md has every shape of these rows', async () => {
  const page = await Deno.readTextFile(PAGE);
  const section = page.slice(page.indexOf("\n## Shapes\n"), page.indexOf("\nIn addition, "));
  const named = [...section.matchAll(/^\| `([\w-]+)` /gm)].map(([, name]) => name);
  const shapes = new Set<string>();
  for (const { rows, flags = [] } of ROWS.flatMap(({ cases }) => cases)) {
    const row = parserOf(flags).parse(rows[0]);
    if (!(row instanceof RowProblem)) shapes.add(row.shape);
  }
  assertEquals(named.toSorted(), [...shapes].sort());
});

function parserOf(flags: readonly string[]): RowParser {
  const valueOf = (flag: string) =>
    flags.includes(flag) ? flags[flags.indexOf(flag) + 1] : undefined;
  return new RowParser({
    promptField: valueOf("--prompt-field"),
    template: valueOf("--template"),
  });
}
