/** Reading files that other processes replace. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
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
