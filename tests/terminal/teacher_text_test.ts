import { assertEquals } from "../../lib/deps/std_assert.ts";
import { teacherTroubleText } from "../../lib/terminal/status.ts";
import { teacherLines } from "../../lib/terminal/summary_text.ts";
import { makeTeacher } from "../progress/fixtures.ts";

const UNTIL = new Date(2026, 0, 1, 12, 3, 7).toISOString();

Deno.test("teacherTroubleText() is empty where all teachers are up, or where there is only one", () => {
  assertEquals(teacherTroubleText([makeTeacher(), makeTeacher()]), []);
  assertEquals(teacherTroubleText([makeTeacher({ state: "down" })]), []);
  assertEquals(teacherTroubleText([]), []);
});

Deno.test("teacherTroubleText() names the teachers that are not up, and why", () => {
  const teachers = [
    makeTeacher({ state: "cooling_down", until: UNTIL, reason: "429" }),
    makeTeacher({ address: "https://api.example.com/v1" }),
    makeTeacher({ address: "a table", state: "halted", until: UNTIL, reason: "no\x1b[2J credit" }),
    makeTeacher({ address: "http://gpu9:8000/v1", state: "left" }),
  ];
  assertEquals(
    teacherTroubleText(teachers),
    ["1 of 3 teachers up: gpu1:8000 cooling down until 12:03:07 (429), a table halted (no credit)"],
  );
});

Deno.test("teacherLines() gives each teacher a line, in columns", () => {
  const teachers = [
    makeTeacher({ answered: 12_600, failed: 0 }),
    makeTeacher({ address: "http://天地:80/v1", model: "qwen3-32b", answered: 400, failed: 1200 }),
    makeTeacher({
      address: "",
      model: "",
      answered: 0,
      state: "down",
      until: UNTIL,
      reason: "refused",
    }),
    makeTeacher({ answered: 7, failed: 0, state: "left" }),
  ];
  assertEquals(teacherLines(teachers), [
    "http://gpu1:8000/v1  qwen3      12,600 answered",
    "http://天地:80/v1    qwen3-32b     400 answered · 1,200 not answered",
    "                                     0 answered · 12 not answered · down, next check at 12:03:07 (refused)",
    "http://gpu1:8000/v1  qwen3           7 answered · left",
  ]);
});

Deno.test("teacherLines() leaves out a column that is empty, and counts teachers past the fourth", () => {
  const teachers = Array.from({ length: 5 }, () => makeTeacher({ model: "", failed: 0 }));
  const line = "http://gpu1:8000/v1  411 answered";
  assertEquals(teacherLines(teachers.slice(1)), [line, line, line, line]);
  assertEquals(teacherLines(teachers), [line, line, line, "and 2 more: 822 answered"]);
});

Deno.test("teacherLines() sums up the teachers that left, also those that are no longer listed", () => {
  const left = Array.from({ length: 3 }, () => makeTeacher({ state: "left", answered: 10 }));
  left.push(makeTeacher({ address: "(earlier teachers)", state: "left", teachers: 897 }));
  assertEquals(teacherLines([makeTeacher(), ...left]), [
    "http://gpu1:8000/v1  qwen3  411 answered · 12 not answered",
    "900 teachers that left: 441 answered · 48 not answered",
  ]);
});
