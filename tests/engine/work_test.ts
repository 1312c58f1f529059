import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { asTeacherError, Work } from "../../lib/engine/work.ts";
import { AnswerPolicy } from "../../lib/engine/answers/policy.ts";
import { TeacherError } from "../../lib/errors.ts";
import type { Failure } from "../../lib/row.ts";
import { completionOf, rowOf } from "./engine_fixture.ts";

const FAILURE: Failure = { type: "server", message: "Broken", status: 500 };

Deno.test("a new Work shares the parameters of the run until a row sets its own", () => {
  const params = { temperature: 1, seed: 1 };
  assert(new Work(rowOf("a"), 0, params).params === params);
  assertEquals(new Work(rowOf("a", { seed: 2 }), 0, params).params, { temperature: 1, seed: 2 });
  assertEquals(params.seed, 1);
});

Deno.test("Work.outcome() adds the last rejected answer to a failure", () => {
  const work = new Work(rowOf("a"), 7, {});
  work.latencyMs = 5;
  assertEquals(work.outcome(undefined, FAILURE).completion, undefined);
  work.rejected = { completion: completionOf({ response: "half of an" }), failure: FAILURE };
  const { completion, failure, sequence, latencyMs } = work.outcome(undefined, FAILURE);
  assertEquals(completion, work.rejected.completion);
  assertEquals({ failure, sequence, latencyMs }, { failure: FAILURE, sequence: 7, latencyMs: 5 });
  const better = completionOf();
  assert(work.outcome(better, undefined).completion === better);
});

Deno.test("Work.resume() knows which model the row named for its earlier answer", () => {
  const policy = new AnswerPolicy({
    onTruncated: "error",
    acceptEndings: ["weird"],
    checks: [],
    params: {},
  });
  const failure: Failure = { type: "unfinished", message: "Weird", status: null };
  const rejected = { completion: completionOf({ finishReason: "weird" }), failure };
  for (const model of ["big", undefined]) {
    const work = new Work(rowOf("a", { model }), 0, {});
    work.resume({ isSame: true, next: undefined, rejected }, policy);
    assertEquals(work.undecided?.response, "42");
    assertEquals(work.undecided?.modelAsked, model);
  }
});

Deno.test("asTeacherError() gives anything thrown a type and a message", () => {
  const error = new TeacherError("Too many requests", { status: 429 });
  assert(asTeacherError(error) === error);
  const told = [new TypeError("x is not a function"), "no", undefined, { code: 7 }]
    .map(asTeacherError)
    .map(({ type, message }) => [type, message]);
  assertEquals(told, [
    ["teacher", "TypeError: x is not a function"],
    ["teacher", "no"],
    ["response", "The teacher returned something that is not a completion"],
    ["teacher", "The teacher threw an object without a message"],
  ]);
});
