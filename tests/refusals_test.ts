/** Tests of lib/refusals.ts. @module */

import { assertEquals } from "../lib/deps/std_assert.ts";
import { isRefusal, resemblesRefusal } from "../lib/refusals.ts";

const REFUSALS = [
  "I'm sorry, but I can't assist with that request.",
  "I’m sorry, but I can’t help with that.",
  "I am sorry, I cannot help you with that.",
  "Sorry, I can't do that.",
  "I cannot provide instructions for that.",
  "I can't create that content.",
  "I won't help with creating malware.",
  "\n I'm unable to assist with this request.",
  "I apologize, but I'm not able to generate that.",
  "Unfortunately, I cannot comply with this request.",
  "I must decline this request.",
  "As an AI language model, I cannot express opinions.",
  "As an AI, I don't have personal feelings.",
  "This request violates our usage policies.",
  "抱歉，我无法提供这方面的帮助。",
  "很抱歉，我不能回答这个问题。",
  "对不起，作为一个人工智能助手，我无法满足该请求。",
  "我无法协助完成这个请求。",
  "申し訳ありませんが、そのリクエストにはお応えできません。",
  "죄송합니다. 그 요청은 도와드릴 수 없습니다.",
  "Es tut mir leid, aber dabei kann ich nicht helfen.",
  "Ich kann dir dabei leider nicht helfen.",
  "Je suis désolé, mais je ne peux pas vous aider.",
  "Lo siento, pero no puedo ayudar con eso.",
  "Desculpe, mas não posso ajudar com isso.",
  "Извините, но я не могу помочь с этим запросом.",
];

const ANSWERS = [
  "",
  "42",
  "I can help with that. First, open the file.",
  "Sorry to hear that! Here is what you can do.",
  "The model said: I'm sorry, but I can't assist with that.",
  "I can't believe it: the answer is 42.",
  "You cannot divide by zero.",
  "If I can't help it, I laugh.",
  "I can't help but share her view: the poem is about loss.",
  "I'm sorry, but I can't help thinking that the author is wrong.",
  "As an AI researcher, I study models.",
  "我不能同意更多：答案是42。",
  "Ich kann nicht schlafen, sagte sie und stand auf.",
  "Lo siento, no puedo ir a la fiesta, dijo Ana.",
  "Je ne peux que vous recommander ce livre.",
];

/** Answers that are marked, but not discarded. */
const DOUBTFUL = [
  "As an AI researcher, I study models.",
  "That is a hard question. I am afraid I cannot help you with all of it, but here is a start.",
  "Es tut mir leid, das kann man so nicht sagen.",
];

Deno.test("isRefusal() knows the common phrases", () => {
  for (const text of REFUSALS) assertEquals(isRefusal(text), true, text);
});

Deno.test("resemblesRefusal() marks each refusal, and more", () => {
  for (const text of [...REFUSALS, ...DOUBTFUL]) assertEquals(resemblesRefusal(text), true, text);
  for (const text of DOUBTFUL) assertEquals(isRefusal(text), false, text);
});

Deno.test("isRefusal() leaves answers alone that use the same words", () => {
  for (const text of ANSWERS) assertEquals(isRefusal(text), false, text);
});

Deno.test("isRefusal() is quick on a long answer", () => {
  const before = performance.now();
  isRefusal("i can't ".repeat(100_000));
  resemblesRefusal("leid ".repeat(1_000));
  isRefusal(" ".repeat(1_000_000));
  assertEquals(performance.now() - before < 100, true);
});
