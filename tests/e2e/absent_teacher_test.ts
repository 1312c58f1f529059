/** Messages about an address without a teacher, and `--wait`. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { unusedPort } from "../support/ports.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, assertVerified, distill, distillHere, numberedRows } from "./fixture.ts";

/** An address at which nothing listens. */
function freeAddress(): { port: number; url: string } {
  const port = unusedPort();
  return { port, url: `http://127.0.0.1:${port}/v1` };
}

Deno.test("a run ends with exit code 5 where nothing listens, or the host does not exist", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", numberedRows(20));
  const cases = [
    [freeAddress(), ["--wait=1s"], /cannot be reached: .*connection refused\. Start it, or/],
    [freeAddress(), ["--wait", "1s"], /cannot be reached: .*connection refused\. Start it, or/],
    [
      { url: "http://retort-test.invalid/v1" },
      ["--deadline", "20s"],
      /cannot be reached: .*no such host\. Check/,
    ],
  ] as const;
  await Promise.all(cases.map(async ([server, more, words], index) => {
    const args = [input, "-o", dir.path(`out${index}/`), ...more];
    const result = await distill(server, args);
    assertExit(result, 5);
    // Without a name server it is unknown whether the host exists.
    if (/could not be looked up/.test(result.stderr)) return;
    assertMatch(result.stderr, words);
    assertStringIncludes(result.stderr, "--wait waits until");
    assertEquals(await dir.read(`out${index}/in_error.jsonl`), "");
  }));
});

Deno.test("--wait waits for a teacher that is still starting", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", numberedRows(20));
  const address = freeAddress();
  await using child = distillHere(address, [input, "-o", dir.path("out/"), "--wait"]);
  await child.untilStderr(/No response from .* Retrying; Ctrl-C stops/);
  await using server = serveLedger(undefined, { port: address.port });
  assertExit(await child.output(), 0);
  assertEquals(server.posts, 20);
  await assertVerified(dir, "in.jsonl", "out/");
});
