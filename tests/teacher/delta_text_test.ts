import { assertEquals } from "../../lib/deps/std_assert.ts";
import { DeltaText } from "../../lib/teacher/stream_events.ts";

function textOf(pieces: Iterable<string>): string {
  const text = new DeltaText();
  for (const piece of pieces) text.add(piece);
  return text.text;
}

Deno.test("DeltaText joins pieces", () => {
  assertEquals(textOf(["", "ha", "ha", "", "haha", "!"]), "hahahaha!");
  assertEquals(textOf(["\n", "\n\n", "\n\n\nif", " x"]), "\n\n\n\n\n\nif x");
  assertEquals(textOf(["a", "ab"]), "aab");
});

Deno.test("DeltaText takes the last of the snapshots that some servers send", () => {
  const whole = "The answer is 42, and always was: ask a mouse.";
  const snapshots = Array.from(whole, (_, i) => whole.slice(0, i + 1));
  for (const count of [3, 10, whole.length]) {
    assertEquals(textOf(snapshots.slice(0, count)), whole.slice(0, count));
    assertEquals(
      textOf([...snapshots.slice(0, count), whole.slice(0, count)]),
      whole.slice(0, count),
    );
  }
  assertEquals(textOf([...snapshots, " Twice."]), `${whole} Twice.`);
});

Deno.test("DeltaText takes the whole text at the end once", () => {
  const text = new DeltaText();
  for (const piece of ["4", "2"]) text.add(piece);
  for (const whole of ["42.", "42.", "4", "other"]) text.extendTo(whole);
  assertEquals(text.text, "42.");
});
