/** A teacher with a rate limit gets as many requests as it accepts, and hardly more. @module */

import { assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { serveLimited } from "../support/limited_server.ts";
import { tempDir } from "../support/temp.ts";
import { runLibrary } from "./library_run.ts";

const PER_SECOND = 100;
const ROWS = 1_500;
const CONCURRENCY = 200;

Deno.test("a teacher that takes 100 requests a second refuses little, and is kept busy", async () => {
  await using dir = await tempDir();
  await using server = serveLimited({ perSecond: PER_SECOND, burst: 10, latencyMs: 50 });
  const { summary } = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY });
  assertEquals([summary.state, summary.succeeded, summary.failed], ["done", ROWS, 0]);
  assertEquals(summary.attempts, server.ledger.length);
  assertEquals(summary.refused_for_load, server.count(429));
  // On a busy machine. In simulated time it is 10 %, and the run takes 1.3 times the least time:
  // see tests/engine/scenes/refusals_test.ts. Here it is halted after four times the least time.
  assertLessOrEqual(server.count(429), 0.2 * server.ledger.length);
});
