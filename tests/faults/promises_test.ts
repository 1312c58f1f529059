/** Each promise of docs/reliability.md names an existing test. @module */

import { assert, assertGreater } from "../../lib/deps/std_assert.ts";
import { REPOSITORY } from "../support/process.ts";

const ROW = /^\| .+ \| `(.+?)` +\| `(tests\/.+?)` +\| .+ \|$/gm;

Deno.test("each promise of docs/reliability.md names a test that exists", async () => {
  const page = await Deno.readTextFile(`${REPOSITORY}/docs/reliability.md`);
  const rows = [...page.matchAll(ROW)];
  assertGreater(rows.length, 14);
  for (const [, name, path] of rows) {
    const source = await Deno.readTextFile(`${REPOSITORY}/${path}`);
    assert(source.includes(`Deno.test("${name}"`), `${path} has no test "${name}"`);
  }
});
