/**
 * Output files that are replaced, cut or removed while a run adds to them lose no answer. @module
 */

import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertMatch,
} from "../../lib/deps/std_assert.ts";
import { chatAnswer, type LedgerServer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import {
  assertExit,
  distill,
  distillHere,
  linesOf,
  numberedRows,
  startDistill,
} from "./fixture.ts";

const ROWS = 400;
/** What leaves time to touch files in mid-run. */
const SLOWLY = ["-c", "4"];
/** Rows that are answered before the files are touched. */
const BEFORE = 40;

/** Rows, and a server that takes its time over them. */
interface Scene extends AsyncDisposable {
  readonly dir: TempDir;
  readonly server: LedgerServer;
  readonly args: string[];
}

/** `held` says what answers wait for. */
async function scene(held?: () => Promise<void> | undefined): Promise<Scene> {
  const dir = await tempDir();
  const server = serveLedger(async () => {
    await new Promise((resolve) => setTimeout(resolve, 40));
    await held?.();
    return Response.json(chatAnswer("42"));
  });
  await dir.write("in.jsonl", numberedRows(ROWS));
  return {
    dir,
    server,
    args: [dir.path("in.jsonl"), "-o", dir.path("out.jsonl")],
    async [Symbol.asyncDispose]() {
      await server.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assertEquals(success, true, `${command} ${args.join(" ")}`);
}

/** Uids in a file of the output. */
async function uidsIn(dir: TempDir, name: string): Promise<string[]> {
  if (!(await dir.exists(name))) return [];
  return linesOf(await dir.read(name)).map((line) => JSON.parse(line).uid);
}

/** What is done to the results in mid-run, and whether that takes lines out of them. */
const CASES: readonly {
  name: string;
  touch: (path: string) => Promise<void>;
  says: RegExp;
  takesAway: boolean;
}[] = [
  {
    name: "replaced by sed -i",
    touch: (path) => run("sed", "-i", "s/x/x/", path),
    says: /another file has taken its place/,
    takesAway: false,
  },
  {
    name: "removed",
    touch: (path) => Deno.remove(path),
    says: /it was removed or renamed/,
    takesAway: true,
  },
  {
    name: "emptied",
    touch: (path) => Deno.truncate(path, 0),
    says: /it was truncated/,
    takesAway: true,
  },
  {
    name: "cut inside a line",
    touch: async (path) =>
      await Deno.truncate(path, (await Deno.readTextFile(path)).indexOf("\n") + 90),
    says: /it was truncated/,
    takesAway: true,
  },
];

for (const { name, touch, says, takesAway } of CASES) {
  Deno.test({
    name: `results that are ${name} during a run end it, and what was paid for since is kept`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using one = await scene();
      const { dir, server, args } = one;
      await using child = distillHere(server, [...args, ...SLOWLY]);
      await server.untilPosts(BEFORE);
      const before = linesOf(await dir.read("out.jsonl")).length;
      await touch(dir.path("out.jsonl"));
      const ended = await child.output();
      assertExit(ended, 6);
      assertMatch(ended.stderr, says);
      assertMatch(ended.stderr, /out\.rescued-1\.jsonl/);
      const asked = server.posts;
      assertGreater(ROWS, asked);
      const kept = new Set([
        ...await uidsIn(dir, "out.jsonl"),
        ...await uidsIn(dir, "out.rescued-1.jsonl"),
      ]);
      // All answers are there but those that were taken out. More may have come between look and
      // touch.
      assertGreaterOrEqual(kept.size, takesAway ? asked - before - 8 : asked);
      const verified = await runCli(["verify", ...args]);
      assertMatch(verified.stdout, new RegExp(`\\b${kept.size} +have a result`));
      const next = await distill(server, args);
      assertExit(next, 0);
      assertEquals(server.posts, asked + ROWS - kept.size);
      assertEquals((await dir.rows("out.jsonl")).length, ROWS);
      assertEquals(new Set(await uidsIn(dir, "out.jsonl")).size, ROWS);
      assertEquals(await dir.exists("out.rescued-1.jsonl"), false);
      assertExit(await runCli(["verify", ...args]), 0);
    },
  });
}

Deno.test("a lock file that is removed during a run ends it, and lets no second run in", async () => {
  const end = Promise.withResolvers<void>();
  const gate: { held?: Promise<void> } = {};
  await using one = await scene(() => gate.held);
  const { dir, server, args } = one;
  await using child = await startDistill(server, [...args, ...SLOWLY]);
  await server.untilPosts(BEFORE);
  // With calls in flight the first one cannot end.
  gate.held = end.promise;
  await Deno.remove(dir.path("out.lock"));
  assertExit(await distill(server, [...args, "--limit", "20"]), 4);
  end.resolve();
  const ended = await child.output();
  assertExit(ended, 6);
  assertMatch(ended.stderr, /Cannot keep the lock .*out\.lock": (it was removed|another file)/);
  assertGreater(ROWS, server.posts);
  assertEquals((await dir.rows("out.jsonl")).length, server.posts);
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, ROWS);
});

Deno.test("results that are replaced just before the end of a run end it as well", async () => {
  await using one = await scene();
  const { dir, server, args } = one;
  await using child = distillHere(server, [...args, "--limit", "4"]);
  await server.untilPosts(4);
  await dir.write("other.jsonl", "");
  await Deno.rename(dir.path("other.jsonl"), dir.path("out.jsonl"));
  assertExit(await child.output(), 6);
  assertEquals((await dir.rows("out.rescued-1.jsonl")).length, 4);
  assertExit(await distill(server, [...args, "--limit", "4"]), 0);
  assertEquals([server.posts, (await dir.rows("out.jsonl")).length], [4, 4]);
});

Deno.test("rescued answers are not thrown away unasked", async () => {
  await using one = await scene();
  const { dir, server, args } = one;
  await dir.write("out.rescued-1.jsonl", [{ uid: "row-0", prompt_hash: "", response: "paid" }]);
  const refused = await distill(server, [...args, "--no-resume"]);
  assertExit(refused, 2);
  assertMatch(refused.stderr, /out\.rescued-1\.jsonl" is not empty/);
  assertExit(await distill(server, [...args, "--no-resume", "--overwrite", "--limit", "2"]), 0);
  assertEquals([server.posts, await dir.exists("out.rescued-1.jsonl")], [2, false]);
});
