/** Calls that never end give their lane back when their time is up. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
} from "../../lib/deps/std_assert.ts";
import type { TeacherError } from "../../mod.ts";
import { chatAnswer, errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { serveLimited } from "../support/limited_server.ts";
import { serveRaw } from "../support/raw_server.ts";
import { tempDir } from "../support/temp.ts";
import { numberedRows } from "./fixture.ts";
import { type LibraryRun, runLibrary } from "./library_run.ts";

const ROWS = 60;
const CONCURRENCY = 5;
const TIMEOUT_MS = 1_500;
/** The longest time after the deadline until a lane is free, on a busy machine. */
const GRACE_MS = 5_000;

/** As many calls are lost as there are lanes: if one lane were not freed, the run would not end. */
function isLost(prompt: string): boolean {
  return Number(/\d+/.exec(prompt)![0]) % (ROWS / CONCURRENCY) === 3;
}

/** Proves that the lost attempts ended in time, and that their rows were sent again. On a busy
 * machine an attempt that is answered may time out as well. */
function assertGivenBack({ summary, attempts }: LibraryRun): void {
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", ROWS, 0]);
  const ended = attempts.filter(({ error }) => error !== undefined);
  const lost = numberedRows(ROWS).filter(({ prompt }) => isLost(prompt));
  assertEquals(lost.length, CONCURRENCY);
  for (const { id } of lost) assert(ended.some(({ uid }) => uid === id), id);
  for (const { error, startedAt, endedAt } of ended) {
    assertEquals((error as TeacherError).type, "timeout");
    assertGreaterOrEqual(endedAt! - startedAt, TIMEOUT_MS - 5);
    assertLess(endedAt! - startedAt, TIMEOUT_MS + GRACE_MS);
  }
  assertEquals(summary.attempts, ROWS + ended.length);
}

Deno.test("a server that never answers a few requests keeps no lane", async () => {
  await using dir = await tempDir();
  await using server = serveRaw(({ prompt, asked }) =>
    asked === 1 && isLost(prompt) ? "stall" : "answer"
  );
  const http = { timeoutMs: TIMEOUT_MS };
  const run = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY, http });
  assertGivenBack(run);
  assertEquals(server.posts, run.summary.attempts);
});

for (const stream of [true, false]) {
  const name = stream ? "a stream that falls silent" : "a body that never ends";
  Deno.test(`${name} keeps no lane`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger(({ prompt, asked }) => {
      const isWhole = asked > 1 || !isLost(prompt);
      return stream ? eventsOf(prompt, isWhole) : bodyOf(prompt, isWhole);
    });
    const http = stream ? { stream, streamIdleTimeoutMs: TIMEOUT_MS } : { timeoutMs: TIMEOUT_MS };
    const run = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY, http });
    assertGivenBack(run);
    for (const { prompt, response } of await dir.rows("out/in.jsonl")) {
      assertEquals(response, `answer to ${prompt}`);
    }
  });
}

Deno.test("a row whose attempts all time out fails with that type, and others do not wait for it", async () => {
  await using dir = await tempDir();
  await using server = serveRaw(({ prompt }) => prompt === "prompt 7" ? "stall" : "answer");
  const http = { timeoutMs: TIMEOUT_MS };
  const { summary } = await runLibrary(dir, [server], { rows: ROWS, concurrency: 2, http });
  assertEquals([summary.succeeded, summary.failed], [ROWS - 1, 1]);
  const [{ uid, error }] = await dir.rows("out/in_error.jsonl");
  assertEquals([uid, error.type, error.attempts], ["row-7", "timeout", 2]);
});

Deno.test("rowTimeoutMs ends a row between attempts, and one in the middle of an attempt", async () => {
  await using dir = await tempDir();
  const rowTimeoutMs = 3_000;
  const never = Promise.withResolvers<undefined>();
  await using server = serveLedger(({ prompt, asked }) => {
    // The second wait is longer than the row's time, so that this cannot end during an attempt.
    const headers = { "retry-after": asked === 1 ? "0" : "60" };
    if (prompt === "prompt 3") return errorAnswer(500, "Not this one", headers);
    return prompt === "prompt 5" ? never.promise : undefined;
  });
  try {
    const run = await runLibrary(dir, [server], {
      rows: ROWS,
      concurrency: CONCURRENCY,
      rowTimeoutMs,
      maxAttempts: 100,
    });
    assertEquals([run.summary.succeeded, run.summary.failed], [ROWS - 2, 2]);
    for (const { uid, error } of await dir.rows("out/in_error.jsonl")) {
      assertEquals([error.type, error.status], ["timeout", null]);
      const own = run.attempts.filter((attempt) => attempt.uid === uid);
      assertEquals(own.length, error.attempts);
      const took = own.at(-1)!.endedAt! - own[0].startedAt;
      assertLess(took, rowTimeoutMs + GRACE_MS);
      if (uid === "row-5") assertGreaterOrEqual(took, rowTimeoutMs - 5);
      else {
        assertEquals(own.length, 2);
        assertMatch(error.message, /within 3 s.*: Not this one$/);
      }
    }
    assertLess(run.summary.elapsed_ms, rowTimeoutMs + 2 * GRACE_MS);
  } finally {
    never.resolve(undefined);
  }
});

Deno.test("the time of an outage is not the row's", async () => {
  await using dir = await tempDir();
  await using server = serveLimited({ latencyMs: 20 });
  // Until it is known that the teacher is down, which takes a moment, the time is the row's.
  const rowTimeoutMs = 2_000, downMs = 3_000;
  const fate = (async () => {
    await server.untilPosts(ROWS / 2);
    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, downMs));
    server.revive();
  })();
  const options = { rows: ROWS, concurrency: CONCURRENCY, rowTimeoutMs };
  const { summary } = await runLibrary(dir, [server], options);
  await fate;
  assertEquals([summary.succeeded, summary.failed], [ROWS, 0]);
  assertGreater(summary.elapsed_ms, downMs);
});

/** An answer as server-sent events, or its first token and silence. */
function eventsOf(prompt: string, isWhole: boolean): Response {
  const event = (delta: object, finish: string | null) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const rest = event({ content: `to ${prompt}` }, "stop") + "data: [DONE]\n\n";
  const first = event({ role: "assistant", content: "answer " }, null);
  return new Response(bytesOf(isWhole ? first + rest : first, isWhole), {
    headers: { "content-type": "text/event-stream" },
  });
}

/** An answer, or half of it and silence. */
function bodyOf(prompt: string, isWhole: boolean): Response {
  const text = JSON.stringify(chatAnswer(`answer to ${prompt}`));
  return new Response(bytesOf(isWhole ? text : text.slice(0, text.length / 2), isWhole), {
    headers: { "content-type": "application/json" },
  });
}

function bytesOf(text: string, isWhole: boolean): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (isWhole) controller.close();
    },
  });
}
