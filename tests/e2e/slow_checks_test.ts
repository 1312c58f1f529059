/** Checks that never end: a regular expression that takes exponential time. @module */

import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { DENO_RUN } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { argsFor, assertExit, assertVerified, distill, startDistill } from "./fixture.ts";

/** Exponential for `(a+)+$`, and polynomial of a high degree for `(.+)\1{5,}$`. */
const BAD = `${"a".repeat(40)}!`;
const LONG = "ab".repeat(6_000) + "c";
const FREEZING = "(a+)+$";

/** A server that answers each prompt with itself, but for `bad` and `long`. */
function serveEcho() {
  return serveLedger(({ prompt }) =>
    Response.json(chatAnswer(prompt === "bad" ? BAD : prompt === "long" ? LONG : prompt))
  );
}

const rowsOf = (prompts: readonly string[]) => prompts.map((prompt, i) => ({ id: `${i}`, prompt }));

const SCHEMA = {
  type: "object",
  properties: { a: { type: "string", pattern: "^(x+)+$" } },
};
const SLOW: readonly [name: string, prompts: readonly string[], flags: readonly string[]][] = [
  ["a reject pattern", ["good", "bad", "fine"], ["--reject-pattern", FREEZING]],
  ["a back reference", ["good", "long", "fine"], ["--reject-pattern", "(.+)\\1{5,}$"]],
  ["a pattern of a JSON Schema", ['{"a":"xx"}', `{"a":"${"x".repeat(40)}!"}`, "{}"], [
    "--json-schema",
    "schema.json",
  ]],
];

for (const [name, prompts, flags] of SLOW) {
  Deno.test(`${name} that takes too long for an answer fails that row alone, and is not run again`, async () => {
    await using dir = await tempDir();
    await using server = serveEcho();
    const input = await dir.write("in.jsonl", rowsOf(prompts));
    const schema = await dir.write("schema.json", JSON.stringify(SCHEMA));
    const args = [input, "-o", dir.path("out/"), "-c", "1", "--resample", "3"];
    const startedAt = performance.now();
    const result = await distill(server, [
      ...args,
      ...flags.map((flag) => flag === "schema.json" ? schema : flag),
    ]);
    assertExit(result, 3);
    assertLess(performance.now() - startedAt, 60_000);
    assertEquals(server.posts, 3);
    const results = await dir.rows("out/in.jsonl");
    assertEquals(results.map(({ uid }) => uid), ["0", "2"]);
    const [{ uid, error, partial }] = await dir.rows("out/in_error.jsonl");
    assertEquals([uid, error.type, error.attempts], ["1", "rejected", 1]);
    assertMatch(
      error.message,
      /^Cannot check the answer against .*: the check takes more than 1 s\./,
    );
    assertStringIncludes(error.message, flags[0]);
    assert(partial.response.length > 10);
  });
}

Deno.test("three answers in a row that cannot be checked halt the run, and what was paid for is kept", async () => {
  await using dir = await tempDir();
  await using server = serveEcho();
  // The good one comes last: among the first eight, it could be answered between two bad ones.
  const rows = rowsOf([...Array.from({ length: 19 }, () => "bad"), "good"]);
  const input = await dir.write("in.jsonl", rows.map((row) => ({ ...row, n: row.id })));
  const args = [input, "-o", dir.path("out/"), "-c", "8", "--no-careful-start"];
  const result = await distill(server, [...args, "--reject-pattern", FREEZING]);
  assertExit(result, 5);
  assertStringIncludes(result.stderr, "3 answers in a row could not be checked");
  const { posts } = server;
  assertLess(posts, 20);
  const lines = await dir.rows("out/in_error.jsonl");
  assertEquals((await dir.rows("out/in.jsonl")).length + lines.length, posts);
  const final = lines.filter(({ error }) => error.final !== false);
  assertEquals(final.length, 3);
  for (const { partial } of lines) assertEquals(partial.response, BAD);
  // Without the pattern the same command asks the rest, and a retry the three.
  assertExit(await distill(server, args), 3);
  assertExit(await distill(server, [...args, "--retry"]), 0);
  await assertVerified(dir, "in.jsonl", "out/");
});

/**
 * Makes a script that, if it is preloaded, prints "checking" when a bad answer is given to the
 * worker that checks it. The worker never gets it if the checks are endless.
 */
async function announceChecks(dir: TempDir, { areEndless = false } = {}): Promise<string> {
  return await dir.write(
    "announce_checks.ts",
    `const { postMessage } = Worker.prototype;
     Worker.prototype.postMessage = function (message, ...rest) {
       const isBad = JSON.stringify(message ?? "").includes("${BAD}");
       if (isBad) Deno.stderr.writeSync(new TextEncoder().encode("checking"));
       if (!isBad || !${areEndless}) postMessage.call(this, message, ...rest);
     };`,
  );
}

Deno.test("two signals end a run during a check, and the answer is kept", async () => {
  await using dir = await tempDir();
  const isInterrupted = Promise.withResolvers<void>();
  await using server = serveLedger(async () => {
    await isInterrupted.promise;
    return Response.json(chatAnswer(BAD));
  });
  const input = await dir.write("in.jsonl", rowsOf(["bad", "bad"]));
  const args = [input, "-o", dir.path("out/"), "-c", "1", "--reject-pattern", FREEZING];
  // The check takes a second.
  const permissions = ["-A", "--preload", await announceChecks(dir)];
  await using child = await startDistill(server, args, { permissions });
  await server.untilPosts(1);
  child.kill("SIGINT");
  await child.untilStderr(/Waiting for 1 paid call/);
  // Within half a second a second one is the same again.
  await new Promise((resolve) => setTimeout(resolve, 550));
  isInterrupted.resolve();
  await child.untilStderr(/checking/);
  child.kill("SIGINT");
  assertExit(await child.output(), 130);
  const [{ error, partial }] = await dir.rows("out/in_error.jsonl");
  assertEquals(partial.response, BAD);
  assertEquals([error.type, server.posts], ["rejected", 1]);
});

Deno.test("an answer that was being checked when the run was killed is counted by the next one", async () => {
  await using dir = await tempDir();
  await using server = serveEcho();
  const input = await dir.write("in.jsonl", rowsOf(["good", "bad"]));
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  {
    const permissions = ["-A", "--preload", await announceChecks(dir, { areEndless: true })];
    const checked = [...args, "--reject-pattern", FREEZING];
    await using child = await startDistill(server, checked, { permissions });
    await child.untilStderr(/checking/);
    child.kill("SIGKILL");
    await child.output();
  }
  const result = await distill(server, args);
  assertExit(result, 0);
  assertMatch(result.stderr, /1 call/);
});

Deno.test("a script ends by itself after an answer that could not be checked, and its worker ends too", async () => {
  await using dir = await tempDir();
  const script = await dir.write(
    "script.ts",
    `import { distill } from "${new URL("../../mod.ts", import.meta.url)}";
     const complete = () => Promise.resolve(
       { response: "${BAD}", finishReason: "stop", usage: null, model: "m" },
     );
     const rows = [{ id: 1, prompt: "bad" }];
     for await (const { error } of distill(rows, { teacher: { complete }, rejectPattern: "${FREEZING}" })) {
       console.log(error.type);
     }`,
  );
  const command = new Deno.Command(Deno.execPath(), {
    args: [...DENO_RUN, "-A", script],
    signal: AbortSignal.timeout(60_000),
  });
  const { code, stdout } = await command.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "rejected\n"]);
});

Deno.test("a run without patterns starts no worker", async () => {
  await using dir = await tempDir();
  await using server = serveEcho();
  const input = await dir.write("in.jsonl", rowsOf(["{}"]));
  const script = await dir.write(
    "no_worker.ts",
    `globalThis.Worker = class { constructor() { throw new Error("A worker was started"); } };
     const { main } = await import('${new URL("../../cli.ts", import.meta.url)}');
     let said = "";
     const code = await main(Deno.args, {
       writeOut() {}, writeErr: (text) => said += text, env: () => undefined,
       stdin: new ReadableStream(), isTerminal: false, columns: () => 80,
       onSignal: () => () => {}, program: "retort",
     });
     console.error(said);
     Deno.exit(code);`,
  );
  const args = argsFor(server, [input, "-o", dir.path("out/"), "--require-json"]);
  const run = (more: string[]) =>
    new Deno.Command(Deno.execPath(), { args: [...DENO_RUN, "-A", script, ...args, ...more] })
      .output();
  assertEquals((await run([])).code, 0);
  const { code, stderr } = await run(["--reject-pattern", "x", "--no-resume", "--overwrite"]);
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), "Cannot start the worker that checks");
});
