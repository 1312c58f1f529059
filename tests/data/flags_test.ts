/** Tests of lib/data/flags.ts. @module */

import { assert, assertEquals, assertLess } from "../../lib/deps/std_assert.ts";
import { finalAnswerOf } from "../../lib/data/comparison.ts";
import { flagNames, FLAGS, flagsOf } from "../../lib/data/flags.ts";
import { fastestMs } from "../support/fastest.ts";

const PROSE =
  "First we add the two numbers. Then we divide the sum by three, because there are three of them. " +
  "The mean is therefore seven, which is what was asked for in the exercise. We check it once more, " +
  "and the check agrees with the sum that was found before.";

const JSON_PARAMS = { response_format: { type: "json_object" } };

const CASES: readonly [
  name: string,
  answer: string | Partial<Parameters<typeof flagsOf>[0]> & { prompt?: string },
  flags: string[],
][] = [
  ["prose", PROSE, []],
  ["a number", "42", []],
  ["gsm8k", "She sells 16 - 3 - 4 = 9 eggs.\n#### 18", []],
  ["I can't help", "I'm sorry, but I can't help with that.", ["refusal"]],
  ["typographic", "I’m sorry, but I can’t assist with that request.", ["refusal"]],
  ["As an AI", "As an AI language model, I do not have feelings. " + PROSE, ["refusal"]],
  ["unable", "I am unable to provide medical advice.", ["refusal"]],
  ["decline", "I must respectfully decline.", ["refusal"]],
  ["German", "Es tut mir leid, aber dabei kann ich nicht helfen.", ["refusal"]],
  ["Chinese", {
    prompt: "请写一首关于春天的诗歌，要押韵",
    response: "抱歉，我无法协助您完成这个请求，请换一个问题",
  }, ["refusal"]],
  ["by the teacher", { response: PROSE, isRefusal: true }, ["refusal"]],
  ["sorry in a story", "The sorry state of the house surprised them. " + PROSE, []],
  [
    "cannot in maths",
    "A square cannot be negative, so there is no solution in the real numbers.",
    [],
  ],
  ["late words", PROSE + " Then he said: I can't help you.", []],
  ["empty", "  \n", ["empty"]],
  ["tool calls only", { response: "", hasToolCalls: true }, []],
  ["short", "Ok.", ["short"]],
  ["loop of a sentence", PROSE + " Wait, let me check.".repeat(30), ["loop"]],
  ["loop that was left", "Wait, let me check that again. ".repeat(30) + PROSE, ["loop"]],
  ["loop of a word", "no ".repeat(100), ["loop"]],
  ["loop of 160 characters at the end", PROSE.repeat(3).slice(0, 700) + " no, 12".repeat(23), [
    "loop",
  ]],
  ["loop at the start", "Wait, let me check that again. ".repeat(13) + PROSE, ["loop"]],
  ["loop of two rounds in one", PROSE + "So it is. So it is. Or is it not? ".repeat(8), ["loop"]],
  [
    "loop within a long answer",
    Array.from({ length: 80 }, (_, i) => `Step ${i * i} adds ${i}. `).join("") +
    "x = x + 1\n".repeat(48) +
    Array.from({ length: 300 }, (_, i) => `Line ${i * i} takes ${i}. `).join(""),
    ["loop"],
  ],
  [
    "lines that are nearly alike",
    Array.from({ length: 40 }, (_, i) => `The train of ${i * 7 % 40} o'clock is late again. `).join(
      "",
    ),
    [],
  ],
  ["loop in Chinese", {
    prompt: "请写一首关于春天的诗歌，要押韵",
    response: "我再检查一遍这个答案。".repeat(20),
  }, ["loop"]],
  ["a table", "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n| 7 | 8 |\n" + PROSE, []],
  [
    "a list",
    Array.from({ length: 20 }, (_, i) => `${i + 1}. item number ${i * 7 % 13} of ${i}`).join("\n"),
    [],
  ],
  ["token limit", { response: PROSE, finishReason: "MAX_TOKENS" }, ["cut_off"]],
  ["full context", { response: PROSE, finishReason: "model_context_window_exceeded" }, ["cut_off"]],
  ["cut in a sentence", PROSE.slice(0, 230), ["cut_off"]],
  ["cut after an accented letter", PROSE.slice(0, 225) + " café", ["cut_off"]],
  [
    "a typographic quotation at the end",
    PROSE.slice(0, 225) + " is what he called “the mean.”",
    [],
  ],
  ["a sign at the end of a proof", PROSE.slice(0, 225) + " as was to be shown. ∎", []],
  ["open fence", "```python\nprint(1)", ["cut_off"]],
  ["closed fence", "```python\nprint(1)\n```", []],
  ["open box", "So the result is \\boxed{\\frac{1}{2}", ["cut_off"]],
  ["closed box", "So the result is \\boxed{\\frac{1}{2}}", []],
  ["think tag", "<think>hm</think>" + PROSE, ["think_leak"]],
  ["end of think", "hm</think>\n" + PROSE, ["think_leak"]],
  ["channel", "<|channel|>final<|message|>" + PROSE, ["think_leak"]],
  ["HTML", "Use <b>bold</b> and [links](http://a.example). " + PROSE, []],
  ["answers in Russian", "Сначала сложим два числа. Затем разделим сумму на три.", ["script"]],
  ["some Chinese", PROSE + " 所以我们得到的答案是七因为总和是二十一然后除以三就是这样", ["script"]],
  ["Greek letters", "The angles α, β and γ sum up to π. " + PROSE, []],
  ["Chinese to Chinese", {
    prompt: "请把这两个数加起来然后除以三",
    response: "首先我们把这两个数加起来，然后除以三。",
  }, []],
  ["English to Chinese", { prompt: "请把这两个数加起来然后除以三", response: PROSE }, ["script"]],
  ["JSON", { params: JSON_PARAMS, response: '{"a":1}' }, []],
  ["JSON in a fence", { params: JSON_PARAMS, response: '```json\n{"a":1}\n```' }, []],
  ["no JSON", { params: JSON_PARAMS, response: '{"a":1' }, ["invalid_json"]],
  ["asked in words", { prompt: "Answer as JSON with the key a.", response: "The key is a." }, [
    "invalid_json",
  ]],
  ["a question about JSON", { prompt: "What is a JSON parser?", response: PROSE }, []],
];

Deno.test("flags: each kind of answer gets its flags", () => {
  for (const [name, answer, expected] of CASES) {
    const {
      prompt = "Add the two numbers and divide the sum by three, please.",
      ...given
    } = typeof answer === "string" ? { response: answer, prompt: undefined } : answer;
    const flags = flagsOf({
      response: "",
      finishReason: "stop",
      hasToolCalls: false,
      isRefusal: false,
      params: {},
      ...given,
    }, prompt);
    assertEquals(flagNames(flags), expected, name);
  }
});

Deno.test("flags: a loop of line feeds or digits takes no longer than another text", async () => {
  const ms = await fastestMs(() => {
    for (
      const response of ["```json" + "\n".repeat(200_000) + "{", `\\boxed{${"1,".repeat(2e5)}x}`]
    ) {
      const rest = { finishReason: "stop", hasToolCalls: false, isRefusal: false };
      flagsOf({ response, params: JSON_PARAMS, ...rest }, "Answer in JSON.");
      finalAnswerOf(response);
    }
  }, 2_000);
  assertLess(ms, 2_000);
});

Deno.test("flags: each has an explanation", () => {
  assert(FLAGS.every(({ help, title }) => help.length > 20 && title.length > 2));
});
