import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { adviceForRejections, haltWords } from "../../lib/engine/evidence.ts";
import { haltReason } from "../../lib/engine/teacher_blame.ts";
import { TeacherError } from "../../lib/errors.ts";
import type { Completion, Teacher } from "../../lib/teacher/teacher.ts";
import { completionOf } from "./engine_fixture.ts";

const TEACHER: Teacher = { complete: () => Promise.reject(new Error("Not asked")) };

const ENDS: readonly [message: string, words: string][] = [
  ["No credit", "No credit. Pay"],
  ["No credit.", "No credit. Pay"],
  ["No credit... ", "No credit. Pay"],
  ["No credit!", "No credit! Pay"],
  ["余额不足。", "余额不足。 Pay"],
];
for (const [message, words] of ENDS) {
  Deno.test(`haltReason() joins ${JSON.stringify(message)} and the way out`, () => {
    const failure = { type: "request", status: 402, message } as const;
    const { sentence } = haltReason(TEACHER, "rejects all rows", failure, "Pay");
    assertEquals(sentence, `The teacher rejects all rows (402): ${words}`);
  });
}

Deno.test("haltReason() returns the cause only, starting with its status", () => {
  const teacher = { ...TEACHER, address: "http://a/v1" };
  const failure = { type: "request", status: null, message: "It is closed." } as const;
  assertEquals(haltReason(teacher, "rejects all rows", failure, undefined), {
    cause: "It is closed.",
    sentence: "The teacher at http://a/v1 rejects all rows: It is closed.",
  });
  const { cause } = haltReason(teacher, "rejects all rows", { ...failure, status: 401 }, "Pay");
  assertEquals(cause, "401: It is closed.");
});

Deno.test("adviceForRejections() names a flag only if that changes something", () => {
  assertStringIncludes(adviceForRejections(3), "-p, --params");
  assertStringIncludes(adviceForRejections(3), "--no-careful-start");
  assertEquals(adviceForRejections(20).includes("--no-careful-start"), false);
  const message = "Function tools with reasoning_effort are not supported for gpt-6-sol in " +
    "/v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.";
  assertStringIncludes(adviceForRejections(3, message), "--endpoint responses");
  assertEquals(adviceForRejections(3).includes("--endpoint"), false);
});

for (const finishReason of [null, ""]) {
  Deno.test(`haltWords() names the flag that accepts the finish reason ${JSON.stringify(finishReason)}`, () => {
    const partial = { ...completionOf(), finishReason } as Completion;
    const error = new TeacherError("No reason", { partial });
    assertStringIncludes(haltWords("endings", 3, error, true)[1]!, "--accept-ending none");
  });
}

Deno.test("haltWords() quotes a finish reason for the shell", () => {
  const partial = { ...completionOf(), finishReason: "max turns" } as Completion;
  const error = new TeacherError("No reason", { partial });
  assertStringIncludes(haltWords("endings", 3, error, false)[1]!, "--accept-ending 'max turns'");
});

Deno.test("haltWords() names what answers instead of a teacher", () => {
  const wordsOf = (code: string) =>
    haltWords("otherServer", 3, new TeacherError("m", { code }), false)[0];
  for (const code of ["web_page", "other_api", "no_http"]) {
    assertEquals(wordsOf(code), "is not an OpenAI-compatible endpoint");
  }
  assertEquals(wordsOf("odd"), "has not answered any row; last error");
});

Deno.test("haltWords() advises no one to accept answers that were interrupted", () => {
  const partial = { ...completionOf(), finishReason: "", doubt: "use -c 1" };
  const error = new TeacherError("No reason: use -c 1", { partial });
  assertEquals(haltWords("endings", 20, error, true)[1], undefined);
  // This teacher may mark no answer.
  assertStringIncludes(haltWords("endings", 3, error, false)[1]!, "--accept-ending none");
});
