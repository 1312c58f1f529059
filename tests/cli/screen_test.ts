import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { openScreen, type ProgressStyle } from "../../cli/screen.ts";
import { makeSnapshot, makeSummary } from "../progress/fixtures.ts";
import { fakeIo } from "../support/process.ts";

function setUp(style: ProgressStyle, isTerminal: boolean) {
  const written = { out: "", err: "" };
  const io = fakeIo({
    writeOut: (text) => void (written.out += text),
    writeErr: (text) => void (written.err += text),
    isTerminal,
  });
  return { ...openScreen(style, io), written };
}

Deno.test("openScreen() draws a bar for each run, the second one below the first", () => {
  const { listener, say, close, written } = setUp("auto", true);
  listener(makeSnapshot({ succeeded: 100 }));
  listener(makeSummary());
  say("again");
  const { length } = written.err;
  assertStringIncludes(written.err, "again\n");
  listener(makeSnapshot({ succeeded: 300 }));
  assertEquals(written.err.length > length, true);
  listener(makeSummary());
  const ended = written.err;
  close();
  assertEquals(written.err, ended);
});

Deno.test("openScreen() prints messages on standard error, whatever the style", () => {
  for (const style of ["bar", "plain", "json", "none"] as const) {
    const { say, written } = setUp(style, false);
    say("Monitor: http://127.0.0.1:1/");
    assertStringIncludes(written.err, "Monitor: http://127.0.0.1:1/\n");
    assertEquals(written.out, "");
  }
});
