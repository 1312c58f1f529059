import { assertEquals } from "../../../lib/deps/std_assert.ts";
import type { Check } from "../../../lib/checks/checks.ts";
import {
  type AnsweredAttempt,
  AnswerPolicy,
  type AnswerPolicyOptions,
  type OnTruncated,
  type Rejection,
} from "../../../lib/engine/answers/policy.ts";
import type { FailureType } from "../../../lib/errors.ts";
import type { Completion, Params } from "../../../lib/teacher/teacher.ts";
import { completionOf, rowOf, TOOL_CALLS } from "../../checks/answers.ts";

function acceptanceOf(options: Partial<AnswerPolicyOptions> = {}): AnswerPolicy {
  return new AnswerPolicy({ onTruncated: "error", checks: [], params: {}, ...options });
}

function answeredOf(fields: Partial<AnsweredAttempt>): AnsweredAttempt {
  const cost = { attempts: 1, latencyMs: 0, costUsd: null };
  return { ...cost, row: rowOf(), params: {}, resamples: 0, ...fields };
}

function decide(
  policy: AnswerPolicy,
  fields: Partial<Completion>,
  { own, ...attempt }: Partial<AnsweredAttempt> & { own?: Params } = {},
): Rejection | undefined {
  const row = rowOf(undefined, own);
  const rejection = policy.decide(completionOf(fields), answeredOf({ row, ...attempt }));
  assertEquals(rejection instanceof Promise, false);
  return rejection as Rejection | undefined;
}

const cut: Partial<Completion> = { response: "Half an ans", finishReason: "length" };
const onlyReasoning: Partial<Completion> = {
  response: "\n",
  reasoning: "Hm",
  finishReason: "length",
};
const filtered: Partial<Completion> = { finishReason: "content_filter" };
const toolCall: Partial<Completion> = { response: "", toolCalls: TOOL_CALLS };
const rejects = (reason: string): Check => () => reason;
const rejectsLater = (reason: string): Check => () => Promise.resolve(reason);
const passes: Check = () => undefined;
const passesLater: Check = () => Promise.resolve(undefined);

for (
  const [what, fields, ...types] of [
    ["an answer", {}, undefined, undefined],
    ["one that ended for a reason of the server's own", { finishReason: "eos" }],
    ["one that says nothing of its end", { finishReason: "" }],
    ["one at the token limit", cut, "truncated", undefined],
    ["one at Anthropic's token limit", { finishReason: "max_tokens" }, "truncated", undefined],
    ["one at Gemini's token limit", { finishReason: "MAX_TOKENS" }, "truncated", undefined],
    ["one at the end of the context", { finishReason: "model_length" }, "truncated", undefined],
    ["a filtered answer", filtered, "filtered", undefined],
    ["one that Gemini filtered", { finishReason: "content_filter: SPII" }, "filtered", undefined],
    ["one that Zhipu filtered", { finishReason: "sensitive" }, "filtered", undefined],
    ["an empty answer", { response: "" }, "empty", "empty"],
    ["one of white space", { response: " \n\t\u00a0" }, "empty", "empty"],
    ["nothing but reasoning", { response: "", reasoning: "Hm" }, "empty", "empty"],
    ["nothing but reasoning at the token limit", onlyReasoning, "truncated", "truncated"],
    [
      "nothing but reasoning at the end of the context",
      { ...onlyReasoning, finishReason: "model_length" },
      "truncated",
      "truncated",
    ],
    ["nothing but reasoning and a filter", { ...onlyReasoning, ...filtered }, "filtered", "empty"],
    ["nothing at the token limit", { ...cut, response: "" }, "truncated", "empty"],
    ["a tool call", { ...toolCall, finishReason: "tool_calls" }],
    ["a tool call that says stop", toolCall],
    ["half a tool call", { ...toolCall, finishReason: "length" }, "truncated", undefined],
    ["an empty list of tool calls", { response: "", toolCalls: [] }, "empty", "empty"],
  ] as [string, Partial<Completion>, ...(string | undefined)[]][]
) {
  const both: [OnTruncated, string | undefined][] = [["error", types[0]], ["keep", types[1]]];
  for (const [onTruncated, type] of both) {
    Deno.test(`decide() with "${onTruncated}" says ${type ?? "nothing"} of ${what}`, () => {
      const rejection = decide(acceptanceOf({ onTruncated }), fields);
      assertEquals<string | undefined>(rejection?.failure.type, type);
      if (rejection === undefined) return;
      assertEquals(rejection.failure.status, null);
      assertEquals(rejection.action, "fail");
      assertEquals(rejection.params, undefined);
    });
  }
}

Deno.test("decide() treats missing content as empty", () => {
  const bare = { response: null, finishReason: null, toolCalls: null, usage: undefined, model: "" };
  const policy = acceptanceOf({ checks: [passes] });
  assertEquals(decide(policy, bare as unknown as Completion)?.failure.type, "empty");
  const call = { ...bare, toolCalls: TOOL_CALLS };
  assertEquals(decide(policy, call as unknown as Completion), undefined);
});

const usage = { promptTokens: 5, completionTokens: 4_000, reasoningTokens: 4_000 };

for (
  const [fields, params, onTruncated, message, options = { maxTokensCap: 800 }] of [
    [cut, {}, "error", "The answer stopped at the token limit"],
    [cut, { max_tokens: 64 }, "error", "The answer stopped at the token limit (max_tokens 64)"],
    [
      { ...cut, usage },
      {},
      "error",
      "The answer stopped at the teacher's own token limit (after 4000 tokens)",
    ],
    [
      { ...cut, usage },
      {},
      "escalate",
      "The answer stopped at the teacher's own token limit (after 4000 tokens): " +
      "add --max-tokens-cap (maxTokensCap)",
      {},
    ],
    [
      onlyReasoning,
      { max_completion_tokens: 64 },
      "keep",
      "The reasoning used up the token limit (max_completion_tokens 64) before the answer began: " +
      "raise max_tokens, or use --on-truncated escalate (onTruncated)",
    ],
    [
      { response: "", finishReason: "length", usage },
      {},
      "error",
      "The reasoning used up the teacher's own token limit (after 4000 tokens) before the answer began: " +
      "raise max_tokens, or use --on-truncated escalate (onTruncated)",
    ],
    [
      { response: "", finishReason: "length", usage },
      {},
      "keep",
      "The reasoning used up the teacher's own token limit (after 4000 tokens) before the answer began: " +
      "set a higher max_tokens (--max-tokens)",
      {},
    ],
    [
      { response: "", finishReason: "length", usage },
      {},
      "escalate",
      "The reasoning used up the teacher's own token limit (after 4000 tokens) before the answer began: " +
      "add --max-tokens-cap (maxTokensCap)",
      {},
    ],
    [
      onlyReasoning,
      { max_tokens: 800 },
      "escalate",
      "The reasoning used up the token limit (max_tokens 800) before the answer began: " +
      "raise --max-tokens-cap (maxTokensCap)",
    ],
    [
      { ...onlyReasoning, finishReason: "model_context_window_exceeded" },
      { max_tokens: 64 },
      "escalate",
      "The reasoning used up the model's context window before the answer began",
    ],
  ] as [Partial<Completion>, Params, OnTruncated, string, Partial<AnswerPolicyOptions>?][]
) {
  Deno.test(`decide() says: ${message}`, () => {
    const policy = acceptanceOf({ onTruncated, ...options });
    assertEquals(decide(policy, fields, { params })?.failure.message, message);
  });
}

Deno.test("decide() with escalate asks for longer answers, to 8 times the run's limit", () => {
  const first = { max_tokens: 100, temperature: 0 };
  const policy = acceptanceOf({ onTruncated: "escalate", params: first });
  const limits: unknown[] = [];
  let params: Params | undefined = first;
  while (params !== undefined) {
    limits.push(params.max_tokens);
    const rejection: Rejection | undefined = decide(policy, cut, { params });
    assertEquals(rejection?.failure.type, "truncated");
    assertEquals(rejection?.action, rejection?.params === undefined ? "fail" : "escalate");
    params = rejection?.params;
  }
  assertEquals(limits, [100, 200, 400, 800]);
  assertEquals(first, { max_tokens: 100, temperature: 0 });
});

Deno.test("decide() with escalate raises a limit again only if that made the answer longer", () => {
  const policy = acceptanceOf({ onTruncated: "escalate", params: { max_tokens: 1_000 } });
  const ofTokens = (completionTokens: number) => ({
    ...cut,
    usage: { promptTokens: 3_456, completionTokens },
  });
  const after = (tokens: number, earlier?: number, type: FailureType = "truncated") => {
    const failure = { type, message: "", status: null };
    const rejected = earlier === undefined
      ? undefined
      : { completion: completionOf(ofTokens(earlier)), failure };
    return decide(policy, ofTokens(tokens), { params: { max_tokens: 2_000 }, rejected });
  };
  assertEquals(after(640, 640)?.action, "fail");
  assertEquals(
    after(640, 640)?.failure.message,
    "The answer used up the model's context window, or the teacher's own token limit " +
      "(after 640 tokens)",
  );
  // The limit may have been reached although the count is lower: reasoning may not be counted.
  assertEquals([after(640)?.action, after(640, 320)?.action], ["escalate", "escalate"]);
  assertEquals(after(640, 640, "empty")?.action, "escalate");
  // Counts may be estimates; 0 is unknown.
  for (const tokens of [2_000, 1_998, 0]) assertEquals(after(tokens, tokens)?.action, "escalate");
});

Deno.test("decide() with escalate counts from a row's own limit, and keeps to the cap", () => {
  const options = { onTruncated: "escalate", params: { max_tokens: 100 } } as const;
  const own = { max_tokens: 10 };
  const last = { params: { max_tokens: 60 }, own };
  assertEquals(decide(acceptanceOf(options), cut, last)?.params, { max_tokens: 80 });
  const capped = acceptanceOf({ ...options, maxTokensCap: 70 });
  assertEquals(decide(capped, cut, last)?.params, { max_tokens: 70 });
  assertEquals(decide(capped, cut, { params: { max_tokens: 70 }, own })?.action, "fail");
});

Deno.test("resumedParams() resumes with the row's last seed and limit, within what this run allows", () => {
  const params = { max_tokens: 100, seed: 3 };
  const left = { resample: 2, maxTokens: 400 };
  const resumedParams = (options: Partial<AnswerPolicyOptions>, next = left, row = rowOf("a")) =>
    acceptanceOf({ params, ...options }).resumedParams(row, { ...params, ...row.params }, next);
  const escalating = { onTruncated: "escalate" } as const;
  assertEquals(resumedParams(escalating), { max_tokens: 400, seed: 2_003 });
  assertEquals(resumedParams({ ...escalating, maxTokensCap: 300 }), {
    max_tokens: 300,
    seed: 2_003,
  });
  assertEquals(resumedParams({ ...escalating, maxTokensCap: 50 }), {
    max_tokens: 100,
    seed: 2_003,
  });
  assertEquals(resumedParams({ onTruncated: "keep" }), { max_tokens: 100, seed: 2_003 });
  const own = rowOf("b", { max_tokens: 20 });
  assertEquals(resumedParams(escalating, { resample: 0, maxTokens: 400 }, own).max_tokens, 160);
});

Deno.test("decide() with escalate sets a limit where there is none, if the answer's length and a cap are known", () => {
  const capped = acceptanceOf({ onTruncated: "escalate", maxTokensCap: 6_000 });
  assertEquals(decide(capped, { ...onlyReasoning, usage })?.params, { max_tokens: 6_000 });
  assertEquals(decide(capped, cut)?.action, "fail");
  const uncapped = acceptanceOf({ onTruncated: "escalate" });
  assertEquals(decide(uncapped, { ...cut, usage })?.action, "fail");
});

Deno.test("decide() with escalate does not resend an answer that no token limit has cut off", () => {
  const policy = acceptanceOf({ onTruncated: "escalate", resample: 5 });
  for (const finishReason of ["content_filter", "SAFETY", "refusal", "model_length"]) {
    assertEquals(
      decide(policy, { finishReason }, { params: { max_tokens: 9 } })?.action,
      "fail",
      finishReason,
    );
  }
});

Deno.test("decide() gives the reason of the first check that has one", () => {
  const rejection = decide(
    acceptanceOf({ checks: [passes, rejects("one"), rejects("two")] }),
    {},
  );
  assertEquals(rejection, {
    failure: { type: "rejected", message: "one", status: null },
    action: "fail",
    params: undefined,
  });
});

for (
  const [what, checks, message] of [
    ["passes", [passesLater, passes, passesLater], undefined],
    ["rejects", [passes, rejectsLater("one"), rejects("two")], "one"],
    ["is followed by one that rejects", [passesLater, passesLater, rejects("two")], "two"],
    ["is followed by one that rejects later", [passesLater, rejectsLater("two")], "two"],
  ] as [string, Check[], string | undefined][]
) {
  Deno.test(`decide() waits for a check that takes its time and ${what}`, async () => {
    const judged = acceptanceOf({ checks }).decide(completionOf(), answeredOf({}));
    assertEquals(judged instanceof Promise, true);
    assertEquals((await judged)?.failure.message, message);
  });
}

Deno.test("decide() calls each check once", async () => {
  const asked: string[] = [];
  const checks: Check[] = ["a", "b", "c"].map((name) => () => {
    asked.push(name);
    return name === "b" ? Promise.resolve(undefined) : undefined;
  });
  assertEquals(await acceptanceOf({ checks }).decide(completionOf(), answeredOf({})), undefined);
  assertEquals(asked, ["a", "b", "c"]);
});

Deno.test("decide() calls checks only for complete answers and for truncated answers that are kept", () => {
  const checks = [rejects("no")];
  assertEquals(decide(acceptanceOf({ checks }), cut)?.failure.type, "truncated");
  assertEquals(decide(acceptanceOf({ checks }), { response: "" })?.failure.type, "empty");
  const keeping = acceptanceOf({ checks, onTruncated: "keep" });
  assertEquals(decide(keeping, cut)?.failure.type, "rejected");
});

Deno.test("decide() resends a row with an empty or rejected answer as often as allowed", () => {
  const policy = acceptanceOf({ checks: [rejects("no")], resample: 2 });
  const params = { seed: 7 };
  for (const fields of [{}, { response: "" }]) {
    const actions = [0, 1, 2].map((resamples) => decide(policy, fields, { resamples })?.action);
    assertEquals(actions, ["resample", "resample", "fail"]);
    assertEquals(decide(policy, fields, { params })?.params, { seed: 1_007 });
  }
  assertEquals(params, { seed: 7 });
  assertEquals(decide(policy, cut)?.action, "fail");
  assertEquals(decide(policy, filtered)?.action, "fail");
});

Deno.test("decide() also resends after a slow check", async () => {
  const policy = acceptanceOf({ checks: [rejectsLater("no")], resample: 1 });
  const params = { temperature: 1 };
  const first = await policy.decide(completionOf(), answeredOf({ params }));
  assertEquals([first?.action, first?.params === params], ["resample", true]);
  assertEquals(
    (await policy.decide(completionOf(), answeredOf({ params, resamples: 1 })))?.action,
    "fail",
  );
});
