/** A run continues whatever becomes of its standard output and standard error. @module */

import { assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { cleanEnv, DENO_RUN, REPOSITORY } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { argsFor, assertVerified, numberedRows, startLimited } from "./fixture.ts";

/** A run that waits for its reader would never end. */
const PATIENCE_MS = 30_000;

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "a run ends well where standard error is a file on a full disk, or closed",
  ignore,
  async fn() {
    for (const redirection of ["2>/dev/full", "2>&-"]) {
      await using dir = await tempDir();
      await using server = serveLedger();
      const input = await dir.write("in.jsonl", numberedRows(20));
      const args = argsFor(server, [input, "-o", dir.path("out/")]);
      await using child = startLimited(`exec ${redirection}`, args, dir);
      const { code } = await child.status;
      assertEquals([redirection, code, server.posts], [redirection, 0, 20]);
      await assertVerified(dir, "in.jsonl", "out/");
    }
  },
});

Deno.test({
  name: "a command whose standard output is a file on a full disk says so, and does not end with 0",
  ignore,
  async fn() {
    await using dir = await tempDir();
    await using child = startLimited("exec >/dev/full", ["help"], dir, "piped");
    const stderr = await new Response(child.stderr).text();
    assertMatch(stderr, /^Cannot write to standard output: No space left/);
    assertEquals((await child.status).code, 6);
  },
});

Deno.test({
  name: "a run continues while no one reads what it says, and says the end to who reads again",
  ignore,
  async fn() {
    await using dir = await tempDir();
    await using server = serveLedger();
    const rows = 20;
    const input = await dir.write("in.jsonl", numberedRows(rows));
    // The first event names the model, and fills a pipe (64 KiB).
    const model = "m".repeat(100_000);
    const args = [input, "-o", dir.path("out/"), "--progress", "json", "-m", model];
    await using child = new Deno.Command(Deno.execPath(), {
      args: [...DENO_RUN, "-A", "cli.ts", ...argsFor(server, args)],
      cwd: REPOSITORY,
      clearEnv: true,
      env: cleanEnv(dir.path("home")),
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const limit = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    await Promise.race([server.untilPosts(rows), child.status]);
    clearTimeout(limit);
    assertEquals(server.posts, rows);
    const { code, stdout } = await child.output();
    assertEquals(code, 0);
    const events = new TextDecoder().decode(stdout).trimEnd().split("\n").map((l) => JSON.parse(l));
    assertEquals([events[0].type, events.at(-1).type], ["run-start", "run-end"]);
  },
});
