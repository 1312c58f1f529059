import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { main } from "../../cli.ts";
import { resultLineOf } from "../export/results.ts";
import { fakeIo } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

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

for (const command of ["export", "convert"]) {
  Deno.test(`Ctrl-C ends ${command}, which writes no file`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("x.jsonl", `${resultLineOf({ prompt: "hi" })}\n`);
    const args = [command, input, "-o", dir.path("out.jsonl"), "--format", "messages"];
    let text = "";
    const io = fakeIo({
      writeErr: (more) => void (text += more),
      onSignal: (signal, handler) => {
        if (signal === "SIGINT") queueMicrotask(handler);
        return () => {};
      },
    });
    assertEquals([await main(args, io), text], [130, "Stopped: no complete output was written\n"]);
    assertEquals(await dir.exists("out.jsonl"), false);
    assertEquals(await main(args, fakeIo()), 0);
  });
}
