/** Tests of the answers of a simulated teacher. @module */

import { assert, assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { answerText, digestOf } from "../../lib/simulate/chat.ts";
import { flagsOf } from "../../lib/data/flags.ts";
import { draw, hashText, planAnswer, SIMULATE_DEFAULTS } from "../../lib/simulate/options.ts";

const PROMPTS = Array.from({ length: 20_000 }, (_, i) => `user\nprompt ${i}\n\n`);

Deno.test("planAnswer() depends only on the seed and the prompt", () => {
  const plan = planAnswer("a", SIMULATE_DEFAULTS, Infinity);
  assertEquals(planAnswer("a", SIMULATE_DEFAULTS, Infinity), plan);
  assert(planAnswer("b", SIMULATE_DEFAULTS, Infinity).hash !== plan.hash);
  assert(planAnswer("a", { ...SIMULATE_DEFAULTS, seed: 2 }, Infinity).hash !== plan.hash);
});

Deno.test("planAnswer() gives another answer for another seed of the request, but no other refusals", () => {
  const options = { ...SIMULATE_DEFAULTS, refusals: 0.5, truncated: 0.5 };
  for (const prompt of PROMPTS.slice(0, 50)) {
    const plans = ["", "1", "2"].map((seed) => planAnswer(prompt, options, Infinity, seed));
    assertEquals(planAnswer(prompt, options, Infinity, "1"), plans[1]);
    assertEquals(new Set(plans.map((plan) => answerText(plan, "Why?"))).size, 3);
    assertEquals(new Set(plans.map((plan) => plan.isRejected)).size, 1);
    assertEquals(new Set(plans.map((plan) => plan.finishReason)).size, 1);
  }
});

Deno.test("planAnswer() meets the requested fractions and means", () => {
  const options = { ...SIMULATE_DEFAULTS, refusals: 0.13, truncated: 0.05, jitter: 0.5 };
  const plans = PROMPTS.map((prompt) => planAnswer(prompt, options, Infinity));
  const mean = (of: (plan: typeof plans[0]) => number) =>
    plans.reduce((sum, plan) => sum + of(plan), 0) / plans.length;
  assertAlmostEquals(mean((plan) => Number(plan.isRejected)), 0.13, 0.01);
  assertAlmostEquals(mean((plan) => Number(plan.finishReason === "length")), 0.05, 0.005);
  assertAlmostEquals(mean((plan) => plan.latencyMs), 500, 5);
  assert(plans.every((plan) => plan.latencyMs >= 250 && plan.latencyMs <= 750));
  const whole = plans.filter((plan) => plan.finishReason === "stop");
  const tokens = whole.reduce((sum, plan) => sum + plan.answerTokens, 0) / whole.length;
  assertAlmostEquals(tokens, 300, 3);
});

Deno.test("planAnswer() gives each prompt a hash of its own", () => {
  assertEquals(new Set(PROMPTS.map((prompt) => hashText(prompt, 1))).size, PROMPTS.length);
});

Deno.test("draw() is independent from one salt to the next", () => {
  let both = 0;
  for (const prompt of PROMPTS) {
    const hash = hashText(prompt, 1);
    if (draw(hash, 100) < 0.5 && draw(hash, 101) < 0.5) both++;
  }
  assertAlmostEquals(both / PROMPTS.length, 0.25, 0.01);
});

Deno.test("planAnswer() stops at max_tokens, reasoning first", () => {
  const options = { ...SIMULATE_DEFAULTS, reasoning: 100 };
  const cut = planAnswer("a", options, 110);
  assertEquals([cut.reasoningTokens, cut.answerTokens, cut.finishReason], [100, 10, "length"]);
  const gone = planAnswer("a", options, 30);
  assertEquals([gone.reasoningTokens, gone.answerTokens, gone.finishReason], [30, 0, "length"]);
});

Deno.test("answerText() names the prompt, quotes it, and is as long as its tokens", () => {
  const plan = planAnswer("a", SIMULATE_DEFAULTS, Infinity);
  const text = answerText(plan, "Why is the sky blue?");
  assert(text.startsWith(`[${digestOf(plan.hash)}] You asked: "Why is the sky blue?"`));
  assertEquals(text.length, plan.answerTokens * 4);
  assertEquals(answerText({ ...plan, answerTokens: 1 }, "x").length, 4);
  assertEquals(answerText({ ...plan, answerTokens: 100_000 }, "x").length, 400_000);
});

Deno.test("answerText() does not split a character", () => {
  const plan = planAnswer("a", SIMULATE_DEFAULTS, Infinity);
  assert(answerText(plan, "a" + "😀".repeat(60)).isWellFormed());
});

Deno.test("answers are varied: statistics flag none as repetitive or cut off", () => {
  const flags = PROMPTS.slice(0, 200).map((prompt) => {
    const plan = planAnswer(prompt, SIMULATE_DEFAULTS, Infinity);
    const response = answerText(plan, prompt);
    const { finishReason } = plan;
    const rest = { hasToolCalls: false, isRefusal: false, params: {} };
    return flagsOf({ response, finishReason, ...rest }, prompt);
  });
  assertEquals(new Set(flags), new Set([0]));
});

Deno.test("answers to two prompts continue differently", () => {
  const texts = PROMPTS.slice(0, 100).map((prompt) => {
    const plan = planAnswer(prompt, SIMULATE_DEFAULTS, Infinity);
    return answerText(plan, "").slice(60, 160);
  });
  assert(new Set(texts).size > 80);
});
