/** Reading files that other processes replace. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { readReplacedJson } from "../../lib/sink/mod.ts";
import { tempDir } from "../support/temp.ts";

for (
  const [where, isRemote, waits, text] of [
    ["a remote filesystem", true, 3, '{"a":1}'],
    ["a local filesystem", false, 0, '{"a"'],
  ] as const
) {
  Deno.test(`readReplacedJson() on ${where} waits ${waits} s for the end of a text`, async () => {
    await using dir = await tempDir();
    const path = await dir.write("a.json", '{"a"');
    let waited = 0;
    const read = await readReplacedJson(path, {
      mayBeRemote: () => Promise.resolve(isRemote),
      delay: async () => {
        if (++waited === 3) await dir.write("a.json", '{"a":1}');
      },
    });
    assertEquals([read, waited], [text, waits]);
  });
}

Deno.test("readReplacedJson() returns a text that stays damaged after 25 s", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.json", "{");
  let waitedMs = 0;
  const read = await readReplacedJson(path, {
    mayBeRemote: () => Promise.resolve(true),
    delay: (ms) => Promise.resolve(void (waitedMs += ms)),
  });
  assertEquals([read, waitedMs], ["{", 25_000]);
});

Deno.test("readReplacedJson() reads again after an error of a file that was replaced meanwhile", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.json", "{}"), { readTextFile } = Deno;
  const messages = ["Stale file handle (os error 116)", "Input/output error (os error 5)"];
  let waited = 0;
  Deno.readTextFile = (...args) => {
    const message = messages.shift();
    return message === undefined ? readTextFile(...args) : Promise.reject(new Error(message));
  };
  try {
    const mayBeRemote = () => Promise.resolve(true);
    const delay = () => Promise.resolve(void waited++);
    assertEquals([await readReplacedJson(path, { mayBeRemote, delay }), waited], ["{}", 2]);
    messages.push("Is a directory (os error 21)");
    await assertRejects(() => readReplacedJson(path, { mayBeRemote, delay }), Error, "21");
  } finally {
    Deno.readTextFile = readTextFile;
  }
});
