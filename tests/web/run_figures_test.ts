/** Tests of web/run_figures.ts. @module */

import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import type { Outcome } from "../../lib/row.ts";
import { makeTeacher } from "../progress/fixtures.ts";
import { RunFigures } from "../../web/run_figures.ts";
import { makeAnswer } from "./fake_run.ts";

Deno.test("a report has the latency of each teacher though no page has asked for it during the run", () => {
  const clock = { nowMs: 0 };
  const figures = new RunFigures(() => clock.nowMs);
  const teachers = ["http://a/v1", "http://b/v1"].map((address) =>
    makeTeacher({ address, model: "m" })
  );
  for (let row = 0; row < 120; row++) {
    clock.nowMs += 1_000;
    // `a` has no answer in the second minute.
    const { address, model } = teachers[row < 60 ? 0 : 1];
    const teacher = { address, model } as Outcome["teacher"];
    figures.add([{ ...makeAnswer(`row-${row}`), teacher, latencyMs: 500 }]);
  }
  const [a, b] = figures.teachers(teachers);
  assertEquals([a.p50_ms, a.rows_per_s], [null, 0]);
  assertAlmostEquals(b.p50_ms!, 500, 10);
  assertEquals(b.rows_per_s, 1);
});

Deno.test("a long finish reason is cut and counted under one name, also after eight others", () => {
  const figures = new RunFigures(() => 0);
  const answer = makeAnswer("row");
  const long = "model_stopped_because_of_" + "x".repeat(40);
  for (const finishReason of [long, "a", "b", "c", "d", "e", "f", "g", "h", long, long]) {
    figures.add([{ ...answer, completion: { ...answer.completion!, finishReason } }]);
  }
  const [first] = figures.answers().finish_reasons;
  assertEquals(first, [`${long.slice(0, 39)}…`, 3]);
  assertEquals(new Map(figures.answers().finish_reasons).get("other"), 1);
});

Deno.test("an answer at the end of the context is not counted as one at its token limit", () => {
  const figures = new RunFigures(() => 0);
  const answer = makeAnswer("row");
  for (const finishReason of ["model_context_window_exceeded", "length", "stop"]) {
    figures.add([{
      ...answer,
      completion: { ...answer.completion!, finishReason },
      failure: { type: "truncated", message: "The answer stopped", status: null },
    }]);
  }
  assertEquals(figures.answers().endings, { context: 1, limit: 2 });
  assertEquals(figures.answers().truncated, 3);
});

Deno.test("an answer that the engine knows to be truncated is counted as truncated, whatever its finish reason", () => {
  const figures = new RunFigures(() => 0);
  figures.add([{ ...makeAnswer("row"), ending: "limit" }, makeAnswer("row")]);
  assertEquals(figures.answers().endings, { limit: 1, whole: 1 });
  assertEquals(figures.answers().truncated, 1);
});

Deno.test("a teacher that has left is forgotten, and is counted again once it is back", () => {
  const clock = { nowMs: 0 };
  const figures = new RunFigures(() => clock.nowMs);
  const teachers = Array.from({ length: 200 }, (_, pod) => ({
    address: `http://10.0.0.${pod}/v1`,
    model: "m",
  } as Outcome["teacher"]));
  const finish = (teacher: Outcome["teacher"]) => {
    for (let row = 0; row < 60; row++) {
      clock.nowMs += 1_000;
      figures.add([{ ...makeAnswer("row"), teacher, latencyMs: 500 }]);
    }
  };
  for (const teacher of teachers) finish(teacher);
  assert(figures.teacherCount < 5);
  finish(teachers[0]);
  const [back, gone] = figures.teachers(
    [teachers[0], teachers[150]].map((teacher) =>
      makeTeacher({ address: teacher!.address, model: "m" })
    ),
  );
  assertEquals([back.rows_per_s, gone.rows_per_s, gone.p50_ms], [1, 0, null]);
  assertAlmostEquals(back.p50_ms!, 500, 10);
});
