import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { main } from "../../cli.ts";
import { fakeIo } from "../support/process.ts";

for (
  const args of [["convert", "rows.csv"], ["export", "out/x.jsonl", "--format", "messages"]]
) {
  Deno.test(`the error about a missing -o names the command: ${args[0]}`, async () => {
    let text = "";
    const io = fakeIo({ writeErr: (more) => void (text += more) });
    assertEquals(await main(args, io), 2);
    assertStringIncludes(text, `Cannot ${args[0]} without an output: add -o`);
  });
}
