import { assertCurrent } from "../support/generated_page.ts";
import { runCase } from "./run_case.ts";
import { SERVERS } from "./servers.ts";
import { PAGE, withTables } from "./teachers_page.ts";

for (const { title, cases } of SERVERS) {
  for (const one of cases) {
    const { who, sends, flags = [] } = one;
    const name = [`${title}: ${who}: ${sends}`, ...flags].join(" ");
    Deno.test(name, () => runCase(one));
  }
}

Deno.test("docs/teachers.md has a line for each behavior", async () => {
  const page = await Deno.readTextFile(PAGE);
  assertCurrent(page, withTables(page), "tests/behaviors/teachers_page.ts");
});
