/** Tests of the commands that the data page suggests for some of its rows. */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { contextOf, isOfChosenRun, isOfFiles } from "../../web/view/page/actions.js";
import { AskError, save, UnknownPageError } from "../../web/view/page/ask.js";

const RESULTS = ["a/x.jsonl", "a/sub/y.jsonl.gz", "ab.jsonl"];
const CONTEXT = {
  program: "retort",
  paths: ["a", "ab.jsonl"],
  results: RESULTS,
  runs: RESULTS.map((output) => ({ input: "p.jsonl", output, model: "m" })),
};

function namedFor(hasRows: (path: string) => boolean): string[] {
  const { results, runs } = contextOf(CONTEXT, hasRows);
  assertEquals(runs.map(({ output }) => output), results);
  return [...results];
}

Deno.test("commands for the rows of one of two runs name the results of that run only", () => {
  const chosen = (only: string[], not: string[] = []) =>
    namedFor((path) => isOfChosenRun(path, { field: "compared_run", only, not }));
  assertEquals(chosen(["a"]), ["a/x.jsonl", "a/sub/y.jsonl.gz"]);
  assertEquals(chosen(["a/"]), ["a/x.jsonl", "a/sub/y.jsonl.gz"]);
  assertEquals(chosen(["ab.jsonl"]), ["ab.jsonl"]);
  assertEquals(chosen([], ["ab.jsonl"]), ["a/x.jsonl", "a/sub/y.jsonl.gz"]);
  assertEquals(chosen([]), RESULTS);
  assertEquals(chosen(["a", "ab.jsonl"]), RESULTS);
});

Deno.test("commands for selected rows name the results of their files only", () => {
  const selected = (...files: string[]) => namedFor((path) => isOfFiles(path, files));
  assertEquals(selected("a/x.jsonl"), ["a/x.jsonl"]);
  assertEquals(selected("ab_error.jsonl", "a/sub/y_error.jsonl.gz"), RESULTS.slice(1));
  // A failures file alone has no results to name.
  assertEquals(selected("other_error.jsonl"), RESULTS);
});

Deno.test("a page whose program was restarted says so where it should save ids", async () => {
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.resolve(new Response("no token", { status: 401 }));
  try {
    await assertRejects(
      () => save({ ids: [] }),
      UnknownPageError,
      "restarted. Open the address",
    );
  } finally {
    globalThis.fetch = fetch;
  }
});

Deno.test("an answer that is not JSON is not reported as the status 200", async () => {
  const { fetch } = globalThis;
  globalThis.fetch = () => Promise.resolve(new Response("<html>Log in</html>"));
  try {
    await assertRejects(() => save({ ids: [] }), AskError, "The server's answer is not JSON");
  } finally {
    globalThis.fetch = fetch;
  }
});
