/**
 * Rows that fail once are sent exactly twice. `tests/engine/scenes/` holds how long that takes.
 * @module
 */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { errorAnswer } from "../support/ledger_server.ts";
import { serveLimited } from "../support/limited_server.ts";
import { tempDir } from "../support/temp.ts";
import { runLibrary } from "./library_run.ts";

const ROWS = 500;
const CONCURRENCY = 20;
const LATENCY_MS = 10;

Deno.test("40 % of the rows fail once, and each of them is sent twice", async () => {
  await using dir = await tempDir();
  const failed = new Set<string>();
  await using server = serveLimited({
    latencyMs: LATENCY_MS,
    answer({ prompt }) {
      const isBad = Number(/\d+/.exec(prompt)![0]) % 5 < 2;
      if (!isBad || failed.has(prompt)) return undefined;
      failed.add(prompt);
      return errorAnswer(500);
    },
  });
  const { summary } = await runLibrary(dir, [server], { rows: ROWS, concurrency: CONCURRENCY });
  const posts = server.ledger.length;
  assertEquals([summary.succeeded, summary.failed, posts], [ROWS, 0, 1.4 * ROWS]);
  assertEquals(server.count(500), 0.4 * ROWS);
});
