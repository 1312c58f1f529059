/** Tests of cli/view_command.ts: signals while files are opened. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Io } from "../../cli/io.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { viewCommand } from "../../cli/view_command.ts";
import { delay } from "../../lib/timer.ts";
import { tempDir } from "../support/temp.ts";

Deno.test({
  name: "a second signal ends a view at once, also while it waits for a file to be opened",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const fifo = dir.path("x.jsonl");
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    let interrupt = () => {};
    const codes: number[] = [];
    const io = {
      writeErr() {},
      onSignal(signal: string, handler: () => void) {
        if (signal === "SIGINT") interrupt = handler;
        return () => {};
      },
      exit: (code: number) => codes.push(code),
    } as Partial<Io> as Io;
    const viewing = viewCommand(parseCommandLine(["view", fifo]), io);
    await delay(100);
    interrupt();
    await delay(600);
    interrupt();
    // In a test the process does not end, so the open file gets a writer.
    (await Deno.open(fifo, { write: true })).close();
    assertEquals([await viewing, codes], [0, [130]]);
  },
});
