/** More inputs, each with an output of its own, than a process may have open files. @module */

import { assert, assertEquals, assertLessOrEqual, assertMatch } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import { argsFor, assertExit, assertVerified, distill, startLimited } from "./fixture.ts";

const FILES = 250;
const CONCURRENCY = 24;
/** 250 outputs with a lock and four handles each would be 1,250. */
const LIMITED = "ulimit -n 320";

Deno.test({
  name: "250 inputs with an output each run under 320 open files, through a kill -9",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    const killed = Promise.withResolvers<void>();
    await using server = serveLedger(async ({ n }) => {
      // The first run is killed while these are in flight.
      if (n > FILES) await killed.promise;
      return undefined;
    }, { keep: false });
    for (let i = 0; i < FILES; i++) {
      const rows = [0, 1].map((row) => ({ id: `${i}-${row}`, prompt: `prompt ${i}-${row}` }));
      await dir.write(`data/f${i}.jsonl`, rows);
    }
    const args = [dir.path("data/"), "-o", dir.path("out/"), "-c", String(CONCURRENCY)];

    await using child = startLimited(LIMITED, argsFor(server, args), dir);
    await server.untilPosts(FILES + CONCURRENCY);
    const locked = await distill(server, [dir.path("data/f7.jsonl"), "-o", dir.path("out/")]);
    assertExit(locked, 4);
    child.kill("SIGKILL");
    await child.status;
    const before = server.posts;
    killed.resolve();

    // The same files, and one of them by itself.
    const one = await distill(server, [dir.path("data/f7.jsonl"), "-o", dir.path("out/")]);
    assertExit(one, 0);
    const resumed = await distill(server, args);
    assertExit(resumed, 0);
    assertMatch(resumed.stderr, /at most 24 calls were in flight/);
    assertLessOrEqual(server.posts - 2 * FILES, CONCURRENCY);
    assert(before > FILES);
    for (let i = 0; i < FILES; i++) {
      const rows = await dir.rows(`out/f${i}.jsonl`);
      assertEquals(rows.map(({ uid }) => uid).sort(), [`${i}-0`, `${i}-1`]);
      assertEquals(await dir.read(`out/f${i}_error.jsonl`), "");
    }
    const posts = server.posts;
    assertExit(await distill(server, args), 0);
    assertEquals(server.posts, posts);
    await assertVerified(dir, "data/", "out/");
  },
});
