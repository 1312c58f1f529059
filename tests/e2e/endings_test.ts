/**
 * Answers without a proof that they are complete: other teachers, the next run, and their cost.
 * @module
 */

import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { delay } from "../../lib/timer.ts";
import type { ResponseGenerator } from "../../mod.ts";
import { chatAnswer, type LedgerHandler, serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import { runLibrary } from "./library_run.ts";

const WITHOUT_ENDING: LedgerHandler = ({ prompt }) =>
  Response.json(chatAnswer(`maybe ${prompt}`, { finish_reason: null }));

Deno.test("rows of a teacher that never proves an answer whole go to the others", async () => {
  await using dir = await tempDir();
  await using odd = serveLedger(WITHOUT_ENDING);
  // Its answers wait until the other one is halted: there could be no row left for that.
  let generator: ResponseGenerator | undefined;
  await using good = serveLedger(async () => {
    const isHalted = () => generator!.snapshot()?.teachers[0].state === "halted";
    while (!isHalted() && odd.posts < 100) await delay(5);
  });
  const { summary } = await runLibrary(dir, [odd, good], {
    rows: 30,
    random: () => 0,
    onStart: (one) => generator = one,
  });
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", 30, 0]);
  const [{ state, reason }] = summary.teachers.filter(({ address }) => address === odd.url);
  assertEquals(state, "halted");
  assertStringIncludes(reason ?? "", "without a finish reason");
  for (const { response } of await dir.rows("out/in.jsonl")) {
    assertStringIncludes(response, "answer to");
  }
});

Deno.test("the next run takes answers whose ending the user accepts", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(WITHOUT_ENDING);
  const first = await runLibrary(dir, [server], { rows: 5, random: () => 0 });
  assertEquals([first.summary.state, first.summary.pending], ["halted", 5]);
  assertStringIncludes(first.summary.reason ?? "", "--accept-ending none");
  const paid = new Set(server.requests.map(({ prompt }) => prompt)).size;
  const posts = server.requests.length;
  const { summary } = await runLibrary(dir, [server], { rows: 5, acceptEndings: ["none"] });
  assertEquals([summary.state, summary.succeeded, summary.failures_on_disk], ["done", 5, 0]);
  // Kept answers are not requested again.
  assertEquals(server.requests.length - posts, 5 - paid);
  const { response, distill } = (await dir.rows("out/in.jsonl"))[0];
  assertEquals([response, distill.attempts], ["maybe prompt 0", 0]);
});

Deno.test("a retry takes the answer of a failed row whose ending the user accepts, unless a check rejects it", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(WITHOUT_ENDING);
  const once = { rows: 2, random: () => 0, maxAttempts: 1 };
  const first = await runLibrary(dir, [server], once);
  assertEquals([first.summary.failed, server.requests.length], [2, 2]);
  const accepting = { rows: 2, acceptEndings: ["none"], run: { retry: true } };
  const strict = await runLibrary(dir, [server], {
    ...accepting,
    rejectPattern: "prompt 1",
  });
  assertEquals([strict.summary.succeeded, strict.summary.failed], [1, 1]);
  assertEquals(server.requests.slice(2).map(({ prompt }) => prompt), ["prompt 1"]);
});

Deno.test("answers that the teacher broke off are not results, and their cost counts", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ asked, prompt }) =>
    Response.json(chatAnswer(prompt, { finish_reason: asked < 3 ? "abort" : "stop" }))
  );
  const prices = { priceIn: 1_000_000, priceOut: 1_000_000 };
  const { summary } = await runLibrary(dir, [server], { rows: 2, random: () => 0, ...prices });
  assertEquals([summary.succeeded, summary.failed_attempts], [2, 4]);
  assertEquals(summary.cost_usd, 6 * 18);
  assertEquals(summary.wasted_by_reason, { unfinished: 4 * 11 });
  assertEquals(summary.completion_tokens, 6 * 11);
});
