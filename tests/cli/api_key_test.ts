/** Tests of cli/connection.ts: when the user is prompted for a key. @module */

import { Keys } from "../../cli/connection.ts";
import type { Io } from "../../cli/io.ts";
import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { tempDir } from "../support/temp.ts";

const HOST = "api.openai.com";

/** Sets up a user who types `typed` when prompted; undefined: who cannot be prompted. */
function setUp(typed: string | null | undefined, mayAsk = true, env: Record<string, string> = {}) {
  const asked: string[] = [];
  const askSecret = typed === undefined ? undefined : (question: string) => {
    asked.push(question);
    return Promise.resolve(typed);
  };
  const io = { env: (name: string) => env[name], askSecret } as unknown as Io;
  return { keys: new Keys(io, mayAsk ? "ask" : "refuse"), asked };
}

Deno.test("the user is prompted once for a missing OpenAI key, or an empty file or variable", async () => {
  await using dir = await tempDir();
  const file = await dir.write("key.txt", "\n");
  const places = [{}, { variable: "MY_KEY" }, { file }];
  for (const place of places) {
    const { keys, asked } = setUp(" sk-typed\n", true, { MY_KEY: "  " });
    assertEquals(await keys.read(place, HOST, "no key"), "sk-typed");
    assertEquals(await keys.read(place, HOST, "no key"), "sk-typed");
    assertEquals(asked.length, 1);
    assert(asked[0].includes(HOST));
  }
});

Deno.test("the user is not prompted if a key is given, none is needed, or there is no terminal", async () => {
  const env = { OPENAI_API_KEY: "sk-env" };
  const named = setUp("sk-typed", true, env);
  assertEquals(await named.keys.read({}, HOST, "no key"), "sk-env");
  const unneeded = setUp("sk-typed");
  assertEquals(await unneeded.keys.read({}, "127.0.0.1:8000"), undefined);
  assertEquals([...named.asked, ...unneeded.asked], []);
  for (const { keys, asked } of [setUp("sk-typed", false), setUp(undefined), setUp("")]) {
    await assertRejects(() => keys.read({}, HOST, "no key"), UsageError, "no key");
    const problem = "the variable MY_KEY, which api-key-env names, is not set";
    await assertRejects(() => keys.read({ variable: "MY_KEY" }, HOST), UsageError, problem);
    assert(asked.every((question) => !question.includes("MY_KEY")));
  }
});

Deno.test("a typed key that cannot be sent is refused without being shown", async () => {
  const { keys } = setUp("sk typed");
  const error = await assertRejects(() => keys.read({}, HOST, "no key"), UsageError, "was typed");
  assert(!error.message.includes("sk typed"));
});
