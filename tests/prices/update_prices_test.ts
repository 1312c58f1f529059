/** The script that writes the list of public prices. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { PROVIDER_IDS } from "../../lib/prices/public_prices.ts";
import { convertTable } from "../../tools/update_prices.ts";

/** US dollars per million tokens, as LiteLLM writes them. */
function per(usd: number): number {
  return usd / 1e6;
}

const PRICED = {
  litellm_provider: "openai",
  mode: "chat",
  input_cost_per_token: per(1),
  output_cost_per_token: per(4),
};

function ratesOf(entry: object, key = "m"): string | undefined {
  const models = convertTable({ [key]: { ...PRICED, ...entry } }, "LiteLLM 1", "2026-01-01").models;
  return Object.values(models).flatMap((byName) => Object.values(byName))[0];
}

Deno.test("convertTable() writes a model's prices as one line of text", () => {
  const cases: [entry: object, rates: string | undefined][] = [
    [{}, "1 4"],
    [{ cache_read_input_token_cost: per(0.1) }, "1 4 cached 0.1"],
    [{ cache_read_input_token_cost: per(1), output_cost_per_reasoning_token: per(4) }, "1 4"],
    [{ cache_creation_input_token_cost: per(1.25) }, "1 4 written 1.25"],
    [{ cache_creation_input_token_cost: 0 }, "1 4"],
    [
      { input_cost_per_token_flex: per(0.5), output_cost_per_token_flex: per(2) },
      "1 4; flex 0.5 2",
    ],
    // A tier without cache prices gets those of the model.
    [
      {
        cache_read_input_token_cost: per(0.7),
        input_cost_per_token_flex: per(0.5),
        output_cost_per_token_flex: per(2),
      },
      "1 4 cached 0.7; flex 0.5 2",
    ],
    [
      {
        input_cost_per_token_above_200k_tokens: per(2),
        output_cost_per_token_above_200k_tokens: per(6),
        input_cost_per_token_priority: per(3),
        output_cost_per_token_priority: per(9),
      },
      "1 4; >200000 2 6; priority 3 9",
    ],
    [
      {
        input_cost_per_token_above_200k_tokens: per(2),
        output_cost_per_token_above_200k_tokens: per(6),
        input_cost_per_token_flex: per(0.5),
        output_cost_per_token_flex: per(2),
      },
      "1 4; >200000 2 6; flex 0.5 2; flex>200000 2 6",
    ],
    [
      { input_cost_per_token_batches: per(0.5), output_cost_per_token_batches: per(2) },
      "1 4; batch 0.5 2",
    ],
    [
      {
        off_peak_pricing: {
          input_cost_per_token: per(0.5),
          output_cost_per_token: per(2),
          windows: [{ hours_utc: ["10:00-00:00"], weekdays: [1, 2, 3, 4, 5] }],
          weekday_timezone: "Asia/Shanghai",
        },
      },
      "1 4; at +8 1-5 10:00-24:00 0.5 2",
    ],
    [{ regional_processing_uplift_multiplier_eu: 1.1 }, "1 4; region eu 1.1"],
    [{ input_cost_per_token: 0, output_cost_per_token: 0 }, undefined],
    [{ mode: "embedding" }, undefined],
    [{ litellm_provider: "someone else" }, undefined],
    [
      {
        tiered_pricing: [
          { range: [0, 32_000], input_cost_per_token: per(1), output_cost_per_token: per(2) },
          { range: [32_000, 64_000], input_cost_per_token: per(3), output_cost_per_token: per(4) },
        ],
      },
      "1 2; >32000 3 4",
    ],
  ];
  for (const [entry, rates] of cases) assertEquals(ratesOf(entry), rates, JSON.stringify(entry));
});

Deno.test("convertTable() names models as their providers do, and follows aliases", () => {
  const table = {
    "gemini/g-1": { ...PRICED, litellm_provider: "gemini" },
    "g-latest": { alias_of: "gemini/g-1" },
  };
  const { models, source, date } = convertTable(table, "LiteLLM 1", "2026-01-01");
  assertEquals(models.gemini, { "g-1": "1 4", "g-latest": "1 4" });
  assertEquals([source, date, Object.keys(models)], ["LiteLLM 1", "2026-01-01", PROVIDER_IDS]);
});
