/** Tests of `view`: signals while files are opened, and files that cannot be. @module */

import { assertEquals, assertMatch, assertRejects } from "../../lib/deps/std_assert.ts";
import type { Io } from "../../cli/io.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { monitorCommand, simulateCommand, viewCommand } from "../../cli/serve_commands.ts";
import { Interruption } from "../../cli/exit.ts";
import { findDataFiles } from "../../lib/data/find_files.ts";
import { UsageError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { fakeIo } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("a second signal ends a view at once, also where it waits for something else", async () => {
  using clock = new FakeClock();
  let interrupt = () => {};
  const codes: number[] = [];
  const io = {
    onSignal(signal: string, handler: () => void) {
      if (signal === "SIGINT") interrupt = handler;
      return () => {};
    },
    exit: (code: number) => codes.push(code),
  } as Partial<Io> as Io;
  using interruption = new Interruption(io);
  interrupt();
  const { signal, received } = interruption;
  assertEquals([signal.aborted, received, codes], [true, "SIGINT", []]);
  await interruption.firstSignal;
  // One signal may arrive twice within half a second.
  interrupt();
  assertEquals(codes, []);
  await clock.advance(600);
  interrupt();
  assertEquals(codes, [130]);
});

Deno.test({
  name: "a pipe is refused by name, and left out of a folder: opening it would wait",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    const fifo = dir.path("x.jsonl");
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    const view = async () => {
      const io = { onSignal: () => () => {}, writeErr() {} } as Partial<Io> as Io;
      await viewCommand(parseCommandLine(["view", fifo]), io);
    };
    await assertRejects(view, UsageError, "it is a FIFO, which cannot be read again");
    // A file that cannot be looked at is shown with the reason.
    await Deno.symlink("loop.jsonl", dir.path("loop.jsonl"));
    assertEquals([...(await findDataFiles([dir.root])).runs.keys()], [dir.path("loop.jsonl")]);
  },
});

Deno.test({
  name: "a file that is named twice, or in a folder with links to it, is found once",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = await tempDir();
    const path = await dir.write("out/x.jsonl", "{}\n"), other = dir.path("out/../out/x.jsonl");
    await dir.write("out/x_error.jsonl", "");
    await Deno.symlink(path, dir.path("link.jsonl"));
    const link = dir.path("link.jsonl"), files = [path, dir.path("out/x_error.jsonl")];
    const { runs, notes } = await findDataFiles([path, path, other, link, dir.path("out")]);
    assertEquals([...runs.keys()], files);
    assertEquals(notes, [
      `"${other}" is left out: it is the same file as "${path}"`,
      `"${other.replace("x.jsonl", "x_error.jsonl")}" is left out: it is the same file as "${
        files[1]
      }"`,
      `"${link}" is left out: it is the same file as "${path}"`,
    ]);
    assertEquals([...(await findDataFiles([dir.root])).runs.values()], [0, 0]);
    // The run file is beside the file, not beside the link.
    await Deno.symlink("x.jsonl", dir.path("out/latest.jsonl"));
    assertEquals([...(await findDataFiles([dir.path("out")])).runs.keys()], files);
  },
});

Deno.test("monitor names what is wrong with no path or two", async () => {
  const monitor = (...paths: string[]) =>
    monitorCommand(parseCommandLine(["monitor", ...paths]), fakeIo());
  await assertRejects(() => monitor(), UsageError, "Cannot monitor without an output: name the");
  await assertRejects(() => monitor("a", "b"), UsageError, "Cannot monitor 2 outputs at once");
});

Deno.test("a page on all interfaces is not printed with an address of this machine alone", async () => {
  await using dir = await tempDir();
  const args = parseCommandLine(["monitor", dir.root, "--monitor-host", "0.0.0.0"]);
  let interrupt = () => {}, said = "";
  const io = fakeIo({
    onSignal(_signal, handler) {
      interrupt = handler;
      return () => {};
    },
    writeOut(text) {
      said += text;
      interrupt();
    },
  });
  assertEquals(await monitorCommand(args, io), 0);
  assertMatch(said, /^Monitor: http:\/\/ADDRESS-OF-THIS-MACHINE:\d+\/\?token=/);
});

Deno.test("view, monitor and simulate print their address on standard output", async () => {
  await using dir = await tempDir();
  for (
    const [command, args, start] of [
      [viewCommand, ["view", dir.root], "View: http://127.0.0.1:"],
      [monitorCommand, ["monitor", dir.root], "Monitor: http://127.0.0.1:"],
      [
        simulateCommand,
        ["simulate", "--port=0"],
        "A simulated teacher listens on http://127.0.0.1:",
      ],
    ] as const
  ) {
    let interrupt = () => {}, said = "";
    const io = fakeIo({
      onSignal(_signal, handler) {
        interrupt = handler;
        return () => {};
      },
      writeOut(text) {
        said += text;
        interrupt();
      },
    });
    assertEquals(await command(parseCommandLine([...args]), io), 0);
    assertEquals(said.slice(0, start.length), start);
    assertMatch(said, /press ctrl-c to end it\n$/i);
  }
});
