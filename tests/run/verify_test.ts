/** Tests of lib/run/verify.ts. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SEEN } from "../../lib/index/mod.ts";
import { verify } from "../../lib/run/mod.ts";
import { Audit } from "../../lib/run/verify.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("verify() counts rows as bad that cannot be sent to the run's endpoint", async () => {
  await using dir = await tempDir();
  const system = { role: "system", content: "s" }, user = { role: "user", content: "hi" };
  const input = await dir.write("in.jsonl", [{ messages: [system, user] }, { messages: [user] }]);
  const counts = async (endpoint?: "chat" | "completions") => {
    const [{ rows, badRows }] = await verify({ input, output: dir.path("out/"), endpoint });
    return [rows, badRows];
  };
  assertEquals(await counts(), [2, 0]);
  assertEquals(await counts("chat"), [2, 0]);
  assertEquals(await counts("completions"), [1, 1]);
  // @ts-expect-error -- no such endpoint
  await assertRejects(() => counts("completion"), TypeError);
});

Deno.test("verify() reports a damaged rescued line, but not one that the results hold already", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", ["a", "b"].map((id) => ({ id, prompt: "hi" })));
  const lineOf = (uid: string, response: unknown) => ({
    uid,
    prompt_hash: "0123456789abcdef",
    response,
  });
  await dir.write("out/in.jsonl", [lineOf("a", "x")]);
  const path = await dir.write("out/in.rescued-1.jsonl", [lineOf("a", "x"), lineOf("b", 7)]);
  const [{ damage }] = await verify({ input, output: dir.path("out/"), uidField: ["id"] });
  assertEquals(damage, [{ path, line: 2, problem: 'its "response" is not a string' }]);
});

Deno.test("verify() leaves out a sample that an active run writes while it reads the results", async () => {
  await using dir = await tempDir();
  const line = (uid: string) => ({ uid, prompt_hash: "0123456789abcdef", response: "x" });
  const results = await dir.write("in.jsonl", ["a", "a#2"].map(line));
  const audit = new Audit();
  await audit.readResults(results);
  audit.table.set(audit.table.find("a"), SEEN);
  await Deno.writeTextFile(results, `${JSON.stringify(line("a#1"))}\n`, { append: true });
  assertEquals([await audit.countSurplus(undefined), audit.orphans], [1, 0]);
});

Deno.test("verify() tells further samples from results without a row in files of rescued lines, too", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ id: "a", prompt: "hi" }]);
  const line = (uid: string) => ({ uid, prompt_hash: "0123456789abcdef", response: "x" });
  await dir.write("out/in.jsonl", [line("a")]);
  await dir.write("out/in.rescued-1.jsonl", ["a#1", "b"].map(line));
  const [{ surplus, strangers }] = await verify({ input, output: dir.path("out/") });
  assertEquals([surplus, strangers], [1, 1]);
});
