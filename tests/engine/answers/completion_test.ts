import { assertEquals } from "../../../lib/deps/std_assert.ts";
import { asCompletion } from "../../../lib/engine/answers/mod.ts";
import { TeacherError } from "../../../lib/errors.ts";
import { ResponseGenerator } from "../../../lib/response_generator.ts";
import type { Completion, Usage } from "../../../lib/teacher/mod.ts";
import { completionOf } from "../engine_fixture.ts";
import { tempDir } from "../../support/temp.ts";

Deno.test("asCompletion() takes any object with a text or none", () => {
  const body = { choices: [{ message: { content: "in the form of the API" } }] };
  const others = [undefined, null, "text", 7, true, [], {}, body, { response: 7 }, {
    response: [],
  }];
  for (const value of others) assertEquals(asCompletion(value), undefined);
  const nothing = { response: undefined, usage: { promptTokens: 1, completionTokens: 1 } };
  for (const value of [nothing, { response: null }, { toolCalls: [{}] }, completionOf({})]) {
    assertEquals(asCompletion(value), value);
  }
});

Deno.test("asCompletion() corrects fields of wrong types, whose lines could not be exported", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  const cases: [wrong: object, right: object][] = [
    [{ reasoning: [{ text: "hm" }] }, { reasoning: '[{"text":"hm"}]' }],
    [{ id: 7, model: 1n, teacher: circle }, { id: "7", model: undefined, teacher: undefined }],
    [{ toolCalls: null, reasoning: null }, { toolCalls: undefined, reasoning: null }],
    [{ toolCalls: { id: "a" } }, { toolCalls: [{ id: "a" }] }],
    [{ toolCalls: "none" }, { toolCalls: undefined }],
  ];
  for (const [wrong, right] of cases) {
    const completion = { ...completionOf({}), ...wrong };
    assertEquals(asCompletion(completion), { ...completion, ...right } as Completion);
  }
});

Deno.test("asCompletion() corrects counts that cannot be summed, and leaves others alone", () => {
  const sound = completionOf({ usage: { promptTokens: 0, completionTokens: 2, costUsd: 0.5 } });
  assertEquals(asCompletion(sound) === sound, true);
  const usageOf = (usage: Partial<Usage>) =>
    asCompletion(completionOf({ usage: usage as Usage }))!.usage;
  const none = { reasoningTokens: undefined, cachedTokens: undefined, cacheWriteTokens: undefined };
  for (const wrong of [-5, NaN, Infinity, "7" as unknown as number, undefined]) {
    assertEquals(usageOf({ promptTokens: wrong, completionTokens: wrong }), null);
    assertEquals(
      usageOf({ promptTokens: wrong, completionTokens: 2.6, reasoningTokens: -1, costUsd: -1 }),
      { promptTokens: 0, completionTokens: 3, ...none, costUsd: undefined },
    );
  }
});

Deno.test("invalid counts of a custom teacher do not spoil the sums of a run", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", [0, 1, 2, 3].map((i) => ({ prompt: String(i) })));
  const usages = [{ promptTokens: NaN, completionTokens: 1 }, {
    promptTokens: 1,
    completionTokens: -1_000,
  }, { promptTokens: 2, completionTokens: 2 }];
  let calls = 0;
  const teacher = {
    complete(): Promise<Completion> {
      const usage = usages[Math.min(calls++, 2)];
      const completion = completionOf({ usage });
      if (calls > 1) return Promise.resolve(completion);
      const partial = completion;
      return Promise.reject(new TeacherError("broke off", { type: "request", partial }));
    },
  };
  const generator = new ResponseGenerator({ teacher, concurrency: 1 });
  const summary = await generator.run({ input: dir.path("in.jsonl"), output: dir.path("out/") });
  assertEquals([summary.succeeded, summary.failed], [4, 0]);
  // Usage with a negative count of the answer's tokens is unknown as a whole.
  assertEquals([summary.promptTokens, summary.completionTokens], [6, 7]);
});

Deno.test("an empty answer is requested again whether its usage is null, missing or 0", async () => {
  for (const usage of [null, undefined, { promptTokens: 3, completionTokens: 0 }]) {
    let calls = 0;
    const teacher = {
      complete(): Promise<Completion> {
        const empty = { ...completionOf({}), response: "", usage } as Completion;
        return Promise.resolve(++calls === 1 ? empty : completionOf({}));
      },
    };
    const generator = new ResponseGenerator({ teacher });
    const [answer] = await Array.fromAsync(generator.generate([{ prompt: "x" }]));
    assertEquals([answer.ok, calls], [true, 2], JSON.stringify(usage));
  }
});
