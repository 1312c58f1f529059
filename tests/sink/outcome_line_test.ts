import { assertEquals } from "../../lib/deps/std_assert.ts";
import { outcomeLine } from "../../lib/sink/sink.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { completionOf, failureOf, FORMAT, rowOf, successOf } from "./outcomes.ts";

const DEEP_TEXTS = [
  `${'{"a":[1,'.repeat(10_000)}"é\\n"${"]}".repeat(10_000)}`,
  `${"[".repeat(65)}${"]".repeat(65)}`,
  // A member `toJSON` takes V8 off its fast path, the one without a limit.
  `{"toJSON":0,"a":${"[".repeat(20_000)}{"b":[],"c":{}},null,true${"]".repeat(20_000)}}`,
];

function lineOf(completion: Partial<Completion>, isFailure = false) {
  const make = isFailure ? failureOf : successOf;
  const outcome = make(rowOf('{"x":1}'), { completion: completionOf(completion) });
  const { line, outcome: { failure } } = outcomeLine(outcome, FORMAT);
  return { ...JSON.parse(line), failure };
}

Deno.test("outcomeLine() writes values that are nested too deeply as text", () => {
  for (const text of DEEP_TEXTS) {
    const deep = JSON.parse(text);
    const parts = { toolCalls: [deep, { id: "b" }], kept: { logprobs: deep, seed: 1 } };
    const { response, distill, failure, ...line } = lineOf(parts);
    const [tool_calls, kept] = [JSON.parse(line.tool_calls), JSON.parse(distill.kept)];
    assertEquals([response, tool_calls.length, failure], ["Hello", 2, undefined]);
    const { partial } = lineOf(parts, true);
    // Compared by `===`: the diff of two such texts would be unreadable.
    const written = [tool_calls[0], kept.logprobs, partial.tool_calls[0]];
    assertEquals(written.map((one) => one === text), [true, true, true]);
    assertEquals([tool_calls[1], kept.seed], [{ id: "b" }, 1]);
  }
});

Deno.test("outcomeLine() keeps the text of an answer that JSON cannot hold", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const part of [1n, circle]) {
    const { error, partial, failure } = lineOf({ toolCalls: [part] });
    assertEquals([error.type, failure.type, partial.response], ["response", "response", "Hello"]);
  }
  const { error, partial } = lineOf({ response: 1n as unknown as string });
  assertEquals([error.type, partial], ["response", undefined]);
});
