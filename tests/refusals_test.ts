/** Tests of lib/refusals.ts. @module */

import { assertEquals, assertLess } from "../lib/deps/std_assert.ts";
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
  "I can't help with creating malware. Doing so is illegal and harmful. If you have other questions, I'm happy to help!",
  "I cannot fulfill this request. I am programmed to be harmless. My safety guidelines prohibit it.",
  "I'm sorry, but I can't assist with that.\n\nIs there anything else you would like to know?",
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
  "Ich kann nicht genug betonen, wie sehr Übung beim Lernen hilft.",
  "Ich kann nicht genug helfen.",
  "Ich kann nicht anders als helfen.",
  "Je suis désolé, je ne peux m'empêcher de partager cette histoire.",
  "No puedo evitar pensar en ella.",
  "Lo siento, no puedo evitar compartir esta historia.",
  "Desculpe, não posso deixar de responder.",
  "Извините, не могу не ответить на это.",
  "I cannot not answer such a call.",
  "I can't continue like this.",
  "申し訳ありませんが、この薬はお勧めできません。",
  "죄송하지만 이 문제는 어렵습니다.",
  "抱歉，我不能同意这个观点。",
];

/** Answers that begin like a refusal: marked, but not discarded. */
const BEGINS_LIKE_REFUSAL = [
  "I won't provide a full proof; the key idea is compactness.",
  "I can't provide a full proof, the key idea is compactness.",
  "I can't provide a full proof — the key idea is compactness.",
  "I cannot provide a full proof here. The key idea is compactness.",
  "Unfortunately, I cannot provide real-time data, but here is how to look it up.",
  "Unfortunately, I can't share live prices. Gold was at 2,000 dollars in 2023.",
  "I can't answer that in full. If you need the short form, it is Paris.",
  "I can't help with the oven. Here's the recipe without one.",
  "I cannot create images. Imagine a cat with a hat.",
  "I won't help him, he thought, and closed the door.",
  `I'm sorry, I can't help with that.${" And then she told him everything.".repeat(20)}`,
  "As an AI, I don't have feelings, but blue is often called calming.",
  "抱歉，我无法提供实时数据，但是可以这样计算。",
  "我无法提供完整的证明。关键在于紧致性。",
  "申し訳ありませんが、完全な証明は提供できません。要点はコンパクト性です。",
  "죄송합니다. 전체 증명은 제공할 수 없습니다. 핵심은 콤팩트성입니다.",
  "Leider kann ich die Frage nicht beantworten, aber die Formel hilft weiter.",
  "Leider kann ich die Frage nicht ganz beantworten. Der Kern ist die Kompaktheit.",
  "Je suis désolé, je ne peux pas fournir la preuve, mais l'idée est la compacité.",
  "Lo siento, no puedo ofrecer datos actuales, pero la fórmula es sencilla.",
  "Desculpe, não posso fornecer a prova. A ideia é a compacidade.",
  "К сожалению, не могу предоставить всё доказательство, но идея в компактности.",
];

/** Answers that are marked, but not discarded. */
const DOUBTFUL = [
  ...BEGINS_LIKE_REFUSAL,
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
  resemblesRefusal("leid ".repeat(100_000));
  isRefusal(" ".repeat(1_000_000));
  // It takes 50 ms; in quadratic time it would take minutes.
  assertLess(performance.now() - before, 10_000);
});
