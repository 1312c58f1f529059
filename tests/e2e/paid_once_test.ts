/** One attempt is one POST: the attempts on disk are those that the teacher can bill. @module */

import { assert, assertEquals, assertGreater } from "../../lib/deps/std_assert.ts";
import { openaiCompatible, ResponseGenerator } from "../../mod.ts";
import { serveRaw } from "../support/raw_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "./fixture.ts";

/** Attempts in both files. */
async function attemptsOnDisk(dir: TempDir): Promise<number> {
  const results = await dir.rows("out/in.jsonl"), failures = await dir.rows("out/in_error.jsonl");
  return results.reduce((sum, { distill }) => sum + distill.attempts, 0) +
    failures.reduce((sum, { error }) => sum + error.attempts, 0);
}

Deno.test("a server that closes reused connections has as many POSTs as there are attempts on disk", async () => {
  await using dir = await tempDir();
  let hangups = 0;
  await using server = serveRaw(({ n, onConnection }) => {
    if (onConnection === 1 || n % 3 !== 0) return "answer";
    hangups++;
    return "hangup";
  });
  const input = await dir.write("in.jsonl", numberedRows(300));
  const args = [input, "-o", dir.path("out/"), "-c", "10", "--max-attempts", "2"];
  const { code, stderr } = await distill(server, args);
  assert(code === 0 || code === 3, stderr);
  // The first ten teach the client to use each connection to this server once.
  assertGreater(hangups, 2);
  assertEquals(await attemptsOnDisk(dir), server.posts);
  const settled = [...await dir.rows("out/in.jsonl"), ...await dir.rows("out/in_error.jsonl")];
  assertEquals(new Set(settled.map(({ uid }) => uid)).size, 300);
});

Deno.test("each row is sent as often as its line says, whatever the server does", async () => {
  await using dir = await tempDir();
  await using server = serveRaw(({ n, asked, onConnection }) => {
    if (asked === 1 && n % 4 === 0) return "half";
    return onConnection > 1 && n % 5 === 0 ? "hangup" : "answer";
  });
  await using stack = new AsyncDisposableStack();
  const teacher = openaiCompatible({ baseUrl: server.url, model: "test-model" });
  stack.defer(() => teacher.close());
  const generator = new ResponseGenerator({ teacher, concurrency: 10, random: () => 0 });
  const input = [await dir.write("in.jsonl", numberedRows(300))];
  const summary = await generator.run({ input, output: dir.path("out/") });
  assertEquals(summary.attempts, server.posts);
  assertGreater(summary.retries, 50);
  for (const { prompt, distill } of await dir.rows("out/in.jsonl")) {
    assertEquals(distill.attempts, server.prompts.get(prompt), prompt);
  }
  for (const { prompt, error } of await dir.rows("out/in_error.jsonl")) {
    assertEquals(error.attempts, server.prompts.get(prompt), prompt);
  }
  assertExit(
    await distill(server, [...input, "-o", dir.path("out/")]),
    summary.failed === 0 ? 0 : 3,
  );
  assertEquals(server.posts, summary.attempts);
});
