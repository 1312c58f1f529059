/** The main job of a user: prompts in, a dataset out, again, and again with `--retry`. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { chatAnswer, errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import {
  assertExit,
  assertVerified,
  distill,
  numberedRows,
  type PromptRow,
  realPrompts,
} from "./fixture.ts";

function promptOfRow(row: PromptRow): string {
  return row.question ?? row.prompt!;
}

Deno.test("distill sends each real prompt once, and nothing when it is run again", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(undefined, { keep: false });
  const { text, rows } = await realPrompts();
  const input = await dir.write("real.jsonl", text);
  const args = [input, "-o", dir.path("out/"), "-c", "50"];

  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, rows.length);
  assertEquals(server.prompts.size, rows.length);
  await assertVerified(dir, "real.jsonl", "out/");
  const results = await dir.read("out/real.jsonl");

  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, rows.length);
  assertEquals(await dir.read("out/real.jsonl"), results);

  const written = await dir.rows("out/real.jsonl");
  assertEquals(written.length, rows.length);
  for (const row of written) assertEquals(row.response, `answer to ${promptOfRow(row)}`);
  assertEquals(await dir.read("out/real_error.jsonl"), "");
});

Deno.test("export gives one training row for each real prompt, in input order", async () => {
  await using dir = await tempDir();
  // Late answers first, so that the results are not in input order already.
  await using server = serveLedger(async ({ n, prompt }) => {
    await new Promise((resolve) => setTimeout(resolve, n % 7));
    return Response.json(chatAnswer(`answer to ${prompt}`));
  }, { keep: false });
  const { text, rows } = await realPrompts();
  const input = await dir.write("real.jsonl", text);
  assertExit(await distill(server, [input, "-o", dir.path("out/"), "-c", "50"]), 0);
  const written = await dir.rows("out/real.jsonl");
  assert(written.some((row, i) => promptOfRow(row) !== promptOfRow(rows[i])));

  for (const format of ["messages", "prompt-completion", "sharegpt", "alpaca"]) {
    const train = dir.path(`${format}.jsonl`);
    const results = dir.path("out/real.jsonl");
    assertExit(await runCli(["export", results, "-o", train, "--format", format]), 0);
  }
  const asked = rows.map(promptOfRow);
  const pairs = asked.map((prompt) => [prompt, `answer to ${prompt}`]);
  assertEquals(
    (await dir.rows("messages.jsonl")).map(({ messages }) =>
      messages.map((message: { content: string }) => message.content)
    ),
    pairs,
  );
  assertEquals(
    (await dir.rows("prompt-completion.jsonl")).map((row) => [
      row.prompt[0].content,
      row.completion[0].content,
    ]),
    pairs,
  );
  assertEquals(
    (await dir.rows("sharegpt.jsonl")).map(({ conversations }) =>
      conversations.map((turn: { value: string }) => turn.value)
    ),
    pairs,
  );
  assertEquals(
    (await dir.rows("alpaca.jsonl")).map((row) => [row.instruction, row.output]),
    pairs,
  );
});

Deno.test("refused rows are sent once, skipped, and sent again only by --retry", async () => {
  await using dir = await tempDir();
  const { text, rows } = await realPrompts();
  const refused = new Set(rows.filter((_, i) => i % 100 >= 87).map(promptOfRow));
  let isHealed = false;
  await using server = serveLedger(
    ({ prompt }) => !isHealed && refused.has(prompt) ? errorAnswer(400) : undefined,
    { keep: false },
  );
  const input = await dir.write("real.jsonl", text);
  const args = [input, "-o", dir.path("out/"), "-c", "50"];

  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, rows.length);
  for (const prompt of refused) assertEquals(server.prompts.get(prompt), 1);
  const failures = await dir.rows("out/real_error.jsonl");
  assertEquals(new Set(failures.map(promptOfRow)), refused);
  for (const { error } of failures) {
    assertEquals([error.type, error.status, error.attempts], ["request", 400, 1]);
  }
  assertExit(await runCli(["verify", input, "-o", dir.path("out/")]), 3);
  const earlier = await dir.read("out/real.jsonl");

  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, rows.length);
  assertEquals(await dir.read("out/real.jsonl"), earlier);

  isHealed = true;
  assertExit(await distill(server, [...args, "--retry"]), 0);
  assertEquals(server.posts, rows.length + refused.size);
  for (const [prompt, asked] of server.prompts) assertEquals(asked, refused.has(prompt) ? 2 : 1);
  const now = await dir.read("out/real.jsonl");
  assert(now.startsWith(earlier));
  assertEquals(await dir.read("out/real_error.jsonl"), "");
  await assertVerified(dir, "real.jsonl", "out/");
});

Deno.test("rows that are refused again by --retry are in the failures file once", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() => errorAnswer(400, "no such thing"));
  const input = await dir.write("in.jsonl", numberedRows(2));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, args), 3);
  const before = await dir.rows("out/in_error.jsonl");
  assertExit(await distill(server, ["retry", ...args]), 3);
  const after = await dir.rows("out/in_error.jsonl");
  assertEquals(server.posts, 4);
  assertEquals(after.map(({ uid }) => uid).sort(), before.map(({ uid }) => uid).sort());
  assert(after.every(({ error }, i) => error.created > before[i].error.created));
});

Deno.test("retry with types sends only the failures of these types, and no pending row", async () => {
  await using dir = await tempDir();
  let isHealed = false;
  await using server = serveLedger(({ prompt }) => {
    const number = Number(prompt.split(" ")[1]);
    if (isHealed || number > 5) return;
    if (number < 2) return errorAnswer(400);
    if (number < 4) return errorAnswer(422);
    return Response.json(chatAnswer("half an ans", { finish_reason: "length" }));
  });
  const input = await dir.write("in.jsonl", numberedRows(10));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--limit", "8"]), 3);
  const failures = await dir.rows("out/in_error.jsonl");
  assertEquals(failures.length, 6);
  const truncated = failures.filter(({ error }) => error.type === "truncated");
  assertEquals(truncated.map(({ partial }) => partial.response), ["half an ans", "half an ans"]);
  assertEquals(truncated[0].partial.completion_tokens, 11);

  isHealed = true;
  const askedBy = async (...more: string[]) => {
    const before = server.posts;
    const result = await distill(server, ["retry", ...args, ...more]);
    const asked = server.requests.slice(before).map(({ prompt }) => prompt).sort();
    return { code: result.code, asked };
  };
  assertEquals(await askedBy("--retry=timeout"), { code: 3, asked: [] });
  const { stderr } = await distill(server, ["retry", ...args, "--retry=timeout"]);
  assertStringIncludes(stderr, "There is no failed row to retry among those chosen");
  assertStringIncludes(stderr, "This retry leaves out 2 pending rows: it sends failed rows only");
  const chosen = await distill(server, ["retry", ...args, "--dry-run", "--uids", failures[0].uid]);
  assertStringIncludes(chosen.stderr, ": it sends the rows of --uids only");
  const missing = await distill(server, ["retry", ...args, "--dry-run", "-q", "--uids", "nope"]);
  assertEquals(missing.stderr, 'Warning: --uids has 1 id that no row has: "nope"\n');
  assertEquals(await askedBy("--retry=truncated"), { code: 3, asked: ["prompt 4", "prompt 5"] });
  assertEquals(await askedBy("--retry=timeout,422"), { code: 3, asked: ["prompt 2", "prompt 3"] });
  // The rows that were never sent are pending, not finished.
  const { summary } = JSON.parse(await dir.read("out/in.run.json"));
  const { total, skipped, succeeded, failed, pending } = summary;
  assertEquals([total, skipped, succeeded, failed, pending], [10, 6, 2, 0, 2]);
  assertEquals(await askedBy(), { code: 3, asked: ["prompt 0", "prompt 1"] });
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  assertExit(await distill(server, args), 0);
  const last = server.requests.slice(-2).map(({ prompt }) => prompt);
  assertEquals(last.toSorted(), ["prompt 8", "prompt 9"]);
  assert(/no failed row to retry$/m.test((await distill(server, ["retry", ...args])).stderr));
  const limited = await distill(server, ["retry", ...args, "--limit", "2"]);
  assertStringIncludes(limited.stderr, "There is no failed row to retry among those chosen");
  await assertVerified(dir, "in.jsonl", "out/");
});
