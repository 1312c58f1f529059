import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Marks } from "../../web/marks.ts";
import type { TeacherStatus } from "../../lib/progress/mod.ts";
import { makeSnapshot, makeTeacher } from "../progress/fixtures.ts";

/** Returns the texts of the marks of a teacher that goes through these states, a minute apart. */
function marksOf(states: readonly TeacherStatus["state"][]): string[] {
  const marks = new Marks();
  states.forEach((state, i) =>
    marks.observe(makeSnapshot({ teachers: [makeTeacher({ state })] }), i * 60)
  );
  return marks.all.map(({ kind, text }) => `${kind}: ${text.split(" ").at(-1)}`);
}

Deno.test("a mark says that a teacher is up again only if it takes requests again", () => {
  assertEquals(marksOf(["up", "down", "up"]), ["down: down", "up: up"]);
  assertEquals(marksOf(["up", "down", "cooling_down", "up"]), ["down: down", "up: up"]);
  assertEquals(marksOf(["down", "left"]), []);
  assertEquals(marksOf(["down", "leaving", "left"]), []);
  assertEquals(marksOf(["down", "halted"]), ["down: halted"]);
  assertEquals(marksOf(["cooling_down", "up"]), []);
});
