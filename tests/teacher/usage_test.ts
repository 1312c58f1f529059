/** How an answer was billed. @module */

import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { isCounted } from "../../lib/answer.ts";
import { readUsage } from "../../lib/teacher/completion.ts";
import { chatAnswer } from "../support/ledger_server.ts";
import { ask, pair, stream } from "./pair.ts";

const COUNTS = { prompt_tokens: 20, completion_tokens: 198 };

Deno.test("readUsage() counts the thoughts that Gemini includes only in the total", () => {
  const read = (total: number, more = {}) => {
    const usage = readUsage({ ...COUNTS, total_tokens: total, ...more }, "gemini-2.5-flash")!;
    return [usage.completionTokens, usage.reasoningTokens];
  };
  assertEquals(read(623), [603, 405]);
  assertEquals(read(218), [198, 0]);
  assertEquals(read(0), [198, 0]);
  // Behind a gateway that renames Gemini, the total alone shows that thoughts come on top.
  const counted = { completion_tokens_details: { reasoning_tokens: 60 } };
  const gateway = { prompt_tokens: 21, completion_tokens: 0, total_tokens: 81 };
  assertEquals(readUsage({ ...gateway, ...counted }, "m")?.completionTokens, 60);
  assertEquals(readUsage(gateway, "m")?.completionTokens, 0);
});

Deno.test("readUsage() recognizes servers' names for caches", () => {
  const cached = (more: object) => {
    const { cachedTokens, cacheWriteTokens = 0 } = readUsage({ ...COUNTS, ...more })!;
    return [cachedTokens, cacheWriteTokens];
  };
  assertEquals(cached({ cached_tokens: 7 }), [7, 0]);
  assertEquals(cached({ prompt_cache_hit_tokens: 7 }), [7, 0]);
  assertEquals(
    cached({ prompt_tokens_details: { cached_tokens: 7, cache_write_tokens: 3 } }),
    [7, 3],
  );
  assertEquals(cached({ prompt_tokens_details: { cache_creation_tokens: 3 } }), [0, 3]);
  const ofAnthropic = { cache_read_input_tokens: 7, cache_creation_input_tokens: 3 };
  assertEquals(cached(ofAnthropic), [7, 3]);
  assertEquals(readUsage({ ...COUNTS, ...ofAnthropic })?.promptTokens, 20);
  // Anthropic itself counts cached tokens separately.
  assertEquals(readUsage({ input_tokens: 20, output_tokens: 1, ...ofAnthropic })?.promptTokens, 30);
});

Deno.test("readUsage() recognizes other names of the counts", () => {
  const counted = (usage: object) => {
    const { promptTokens, completionTokens, reasoningTokens } = readUsage(usage)!;
    return [promptTokens, completionTokens, reasoningTokens];
  };
  assertEquals(counted({ inputTokens: 7, outputTokens: 11 }), [7, 11, 0]);
  assertEquals(counted({ promptTokens: 7, completionTokens: 11 }), [7, 11, 0]);
  const cached = { cacheReadInputTokens: 90, cacheWriteInputTokens: 3 };
  assertEquals(counted({ inputTokens: 7, outputTokens: 11, ...cached }), [100, 11, 0]);
  const read = { prompt_tokens: null, input_tokens: 10, cache_read_input_tokens: 90 };
  assertEquals(counted({ ...read, output_tokens: 1 }), [100, 1, 0]);
  const details = { output_tokens_details: { reasoning_tokens: 4 } };
  assertEquals(counted({ ...COUNTS, ...details }), [20, 198, 4]);
  const named = { input_tokens: 7, output_tokens: 11, input_tokens_details: { cached_tokens: 3 } };
  assertEquals(counted(named), [7, 11, 0]);
  assertEquals(readUsage(named)?.cachedTokens, 3);
  const empty = { completion_tokens: "", completion_tokens_details: [], output_tokens: 11 };
  assertEquals(counted({ prompt_tokens: 7, ...empty, ...details }), [7, 11, 4]);
});

Deno.test("readUsage() reads counts as text, and derives a missing one from the total", () => {
  const counted = (usage: object) => {
    const { promptTokens, completionTokens, reasoningTokens, cachedTokens } = readUsage(usage)!;
    return [promptTokens, completionTokens, reasoningTokens, cachedTokens];
  };
  const texts = {
    prompt_tokens: "20",
    completion_tokens: "30",
    total_tokens: "60",
    prompt_tokens_details: { cached_tokens: "5" },
    completion_tokens_details: { reasoning_tokens: "10" },
  };
  assertEquals(counted(texts), [20, 40, 10, 5]);
  assertEquals(counted({ prompt_tokens: 20, total_tokens: 60 }), [20, 40, 0, 0]);
  assertEquals(counted({ completion_tokens: 40, total_tokens: 60 }), [20, 40, 0, 0]);
  assertEquals(counted({ prompt_tokens: 20, total_tokens: 20 }), [20, 0, 0, 0]);
  const gemini = readUsage({ prompt_tokens: 20, total_tokens: 60 }, "gemini-2.5-pro")!;
  assertEquals([gemini.completionTokens, gemini.reasoningTokens], [40, 40]);
});

Deno.test("readUsage() takes counts that would make an answer free as unknown", () => {
  const prompt_tokens = 20;
  for (
    const usage of [
      { prompt_tokens },
      { prompt_tokens, completion_tokens: null },
      { prompt_tokens, completion_tokens: -5, total_tokens: 15 },
      { prompt_tokens, completion_tokens: 1e300 },
      { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
      { total_tokens: 60 },
      {},
      null,
    ]
  ) assertEquals(readUsage(usage), null, JSON.stringify(usage));
  const stated = { prompt_tokens: 0, completion_tokens: 0, cost: 0.5 };
  assertEquals(readUsage(stated)?.costUsd, 0.5);
});

Deno.test("readUsage() reads what an answer costs, as each API says it", () => {
  const cases: [more: object, usd: number | undefined][] = [
    [{ cost: 0.95 }, 0.95],
    [{ cost: 0.05, is_byok: true, cost_details: { upstream_inference_cost: 1 } }, 1.05],
    [{ cost: 0.95, cost_details: { upstream_inference_cost: 1 } }, 0.95],
    [{ cost: { total_cost: 0.2 } }, 0.2],
    [{ estimated_cost: 0.3 }, 0.3],
    [{ cost_in_usd_ticks: 37_756_000 }, 0.0037756],
    [{ cost: -1 }, undefined],
    [{ cost: "free" }, undefined],
    [{}, undefined],
  ];
  for (const [more, usd] of cases) {
    const { costUsd } = readUsage({ ...COUNTS, ...more })!;
    if (usd === undefined) assertEquals(costUsd, undefined);
    else assertAlmostEquals(costUsd!, usd, 1e-12);
  }
});

Deno.test("the service tier is that of the answer, else the requested one", async () => {
  let told: string | null | undefined;
  for (const isStream of [false, true]) {
    await using one = pair(() => {
      if (!isStream) return Response.json(chatAnswer("hi", { service_tier: told }));
      const choice = { index: 0, delta: { content: "hi" }, finish_reason: "stop" };
      const chunk = { choices: [choice], service_tier: told };
      return stream([`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`]);
    }, { stream: isStream });
    const tier = async (params = {}) => (await ask(one.teacher, params)).serviceTier;
    told = undefined;
    assertEquals(await tier(), undefined);
    assertEquals(await tier({ service_tier: "flex" }), "flex");
    // Priority was full: billed as standard.
    told = "default";
    assertEquals(await tier({ service_tier: "priority" }), "default");
    told = null;
    assertEquals(await tier({ service_tier: "priority" }), "priority");
  }
});

Deno.test("readUsage() keeps a stated cost without token counts", () => {
  for (const counts of [{}, { prompt_tokens: 7 }, { prompt_tokens: 0, completion_tokens: 0 }]) {
    const usage = readUsage({ ...counts, cost: 0.25 });
    assertEquals([usage?.costUsd, usage?.promptTokens, usage?.completionTokens], [0.25, 0, 0]);
    // With the prompt tokens alone, the answer would count as one of 0 tokens.
    assertEquals(isCounted(usage), false);
    assertEquals(readUsage(counts), null);
  }
});
