import { assertEquals } from "../../lib/deps/std_assert.ts";
import { createJsonLines } from "../../lib/terminal/progress_lines.ts";
import { makeSnapshot, makeSummary } from "../progress/fixtures.ts";

Deno.test("createJsonLines() writes each event as one line that reads back the same", () => {
  const lines: string[] = [];
  const listener = createJsonLines({ write: (text) => lines.push(text) });
  const errors = [{ ...makeSnapshot().errors[0], message: "two\nlines" }];
  const events = [makeSnapshot({ errors }), makeSummary()];
  events.forEach(listener);
  assertEquals(lines.length, 2);
  for (const [index, line] of lines.entries()) {
    assertEquals(line.indexOf("\n"), line.length - 1);
    assertEquals(JSON.parse(line), events[index]);
  }
});
