/** A full disk, simulated by a limit on the size of files. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
} from "../../lib/deps/std_assert.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import {
  argsFor,
  assertExit,
  assertVerified,
  distill,
  numberedRows,
  startLimited,
} from "./fixture.ts";

const ROWS = 60;
const CONCURRENCY = 4;

/** A shell that lets no file grow past 16 KiB (32 blocks of 512 bytes), without a signal for it. */
const LIMITED = `trap "" XFSZ; ulimit -f 32`;

Deno.test({
  name: "a run on a full disk ends at its deadline, and loses no answer",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    // Two answers fit into a file.
    await using server = serveLedger(({ prompt }) =>
      Response.json(chatAnswer(`${prompt} ${"x".repeat(7_000)}`))
    );
    const input = await dir.write("in.jsonl", numberedRows(8));
    const args = [input, "-o", dir.path("out/"), "-c", "2"];
    await using child = startLimited(LIMITED, argsFor(server, [...args, "--deadline", "10s"]), dir);
    assertEquals((await child.status).code, 6);
    const { running } = JSON.parse(await dir.read("out/in.lock"));
    assertEquals(running, false);
    assertExit(await distill(server, args), 0);
    await assertVerified(dir, "in.jsonl", "out/");
    assertEquals(server.posts, 8);
  },
});

Deno.test({
  name: "a run on a full disk sends nothing more, ends at the second Ctrl-C, and continues later",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    await using server = serveLedger(({ prompt }) =>
      Response.json(chatAnswer(`${prompt} ${"x".repeat(1_000)}`))
    );
    const input = await dir.write("in.jsonl", numberedRows(ROWS));
    const args = [input, "-o", dir.path("out/"), "-c", String(CONCURRENCY)];
    await using child = startLimited(LIMITED, argsFor(server, args), dir, "piped");
    let said = "";
    const until = async (pattern: RegExp) => {
      while (!pattern.test(said)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`It ended without ${pattern}:\n${said}`);
        said += value;
      }
    };
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    await until(/no requests are sent until/);
    const unwritten = async () =>
      server.posts - (await dir.read("out/in.jsonl")).split("\n").length + 1;
    const note = async () => JSON.parse(await dir.read("out/in.lock"));
    // A crash would cost what waits in memory: the note holds it as long as the disk is full. What
    // was sent before the warning may reach the server after it.
    let asked = -1;
    while (asked !== server.posts || await unwritten() > (await note()).in_flight) {
      asked = server.posts;
      await new Promise((resolve) => setTimeout(resolve, 1_200));
    }
    assertGreater(await unwritten(), 0);
    assertLessOrEqual((await note()).in_flight, CONCURRENCY);
    child.kill("SIGINT");
    await until(/Waiting for space on the disk, to write paid answers; press Ctrl-C again/);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    assertEquals(server.posts, asked);
    // The file stays full: without the second one the run would wait forever.
    child.kill("SIGINT");
    await until(/Ending now/);
    assert(!said.includes("finishing calls in flight"), said);
    const limit = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const { code } = await child.status;
    clearTimeout(limit);
    await reader.cancel();
    assertEquals(code, 130, said);
    assertEquals((await note()).running, false);
    assertExit(await distill(server, args), 0);
    await assertVerified(dir, "in.jsonl", "out/");
    assertEquals(server.posts, ROWS);
  },
});
