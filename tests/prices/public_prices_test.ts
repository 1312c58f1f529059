import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertMatch,
} from "../../lib/deps/std_assert.ts";
import { calcPrice, findProvider } from "../../lib/deps/genai_prices.ts";
import {
  genaiPrice,
  listedPrice,
  providerAt,
  publicPrice,
} from "../../lib/prices/public_prices.ts";
import list from "../../lib/prices/public_prices.json" with { type: "json" };
import { costOf, parseRates, pricesFor, type PublicPrice } from "../../lib/prices/rates.ts";
import type { Usage } from "../../lib/teacher/mod.ts";

const NOON = Date.UTC(2026, 8, 30, 12);
const now = () => NOON;
/** The cost of an answer. */
function cost(price: PublicPrice, usage: Usage, tier?: string): number {
  return costOf(price.pricesFor(usage.promptTokens, tier), usage);
}

const MILLION_OUT = { promptTokens: 0, completionTokens: 1e6 };

Deno.test("publicPrice() knows the models of public APIs at their addresses", () => {
  for (
    const [address, model] of [
      ["https://api.openai.com/v1", "gpt-5-mini"],
      ["https://api.openai.com", "gpt-5-mini-2025-08-07"],
      ["https://api.openai.com:443/v1/", "o3"],
      ["https://api.anthropic.com/v1", "claude-sonnet-4-5"],
      ["https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"],
      ["https://generativelanguage.googleapis.com/v1beta/openai", "models/gemini-2.5-pro"],
      ["https://api.deepseek.com/v1", "deepseek-chat"],
      ["https://openrouter.ai/api/v1", "openai/gpt-5-mini"],
      ["https://api.moonshot.cn/v1", "kimi-k2-0905-preview"],
      ["https://api.moonshot.ai/v1", "kimi-k2-0905-preview"],
      ["https://mine.openai.azure.com/openai/v1", "gpt-5-mini"],
      ["https://router.huggingface.co/groq/openai/v1", "openai/gpt-oss-20b"],
    ]
  ) {
    const price = publicPrice(model, address, now);
    assert(price !== undefined, `${model} at ${address}`);
    assertGreater(price.pricesFor(0).completion, 0);
    assertAlmostEquals(cost(price, MILLION_OUT), price.pricesFor(0).completion, 1e-9);
  }
});

Deno.test("publicPrice() gives no public price for other servers with the name of a public model", () => {
  for (
    const address of [
      "http://localhost:8000/v1",
      "https://localhost/v1",
      "http://127.0.0.1:11434/v1",
      "http://10.0.0.7/v1",
      "https://gateway.corp.example/v1",
      "https://gateway.corp.example/openai.com/v1",
      "https://gateway.corp.example/https://api.openai.com/v1",
      "https://gateway.corp.example/x.googleapis.com/v1",
      "https://gateway/x.openai.azure.com/v1",
      "https://api.openai.com.corp.example/v1",
      "https://api.openai.community/v1",
      "https://api.openai.com:8443/v1",
      "https://api.moonshot.corp.example/v1",
      "https://corp-api.openai.com/v1",
      "https://api-openai.com/v1",
      "http://api.openai.com/v1",
      "https://user:https%3A%2F%2Fapi.openai.com@gateway.corp.example/v1",
      "api.openai.com/v1",
      "openai",
      "",
    ]
  ) {
    for (const model of ["gpt-5-mini", "gemini-2.5-pro", "kimi-k2-0905-preview"]) {
      assertEquals(publicPrice(model, address, now), undefined, address);
    }
  }
});

Deno.test("publicPrice() gives no price of text to models that speak", () => {
  for (const model of ["gpt-audio", "gpt-audio-mini-2025-12-15", "gpt-4o-audio-preview"]) {
    assertEquals(publicPrice(model, "https://api.openai.com/v1", now), undefined, model);
  }
});

Deno.test("publicPrice() does not guess at models that the list does not know", () => {
  for (const model of ["", "gpt-5-mini-of-mine", "claude-sonnet-4-5", "whisper-1", "__proto__"]) {
    assertEquals(publicPrice(model, "https://api.openai.com/v1", now), undefined, model);
  }
});

Deno.test("genaiPrice() counts every model of the list as the list does", () => {
  let compared = 0;
  const usages = [0, 150, 250_000, 900_000].flatMap((promptTokens) =>
    [0, 0.3, 1].map((share) => ({
      promptTokens,
      cachedTokens: Math.floor(promptTokens * share),
      cacheWriteTokens: Math.floor((promptTokens - Math.floor(promptTokens * share)) / 3),
      completionTokens: 1_000,
      reasoningTokens: Math.floor(1_000 * share),
    }))
  );
  for (
    const address of [
      "https://api.openai.com/v1",
      "https://api.anthropic.com/v1",
      "https://generativelanguage.googleapis.com/v1",
      "https://api.deepseek.com/v1",
      "https://api.perplexity.ai/v1",
      "https://api.groq.com/v1",
      "https://api.x.ai/v1",
      "https://openrouter.ai/api/v1",
    ]
  ) {
    const provider = findProvider({ providerApiUrl: address })!;
    for (const { id } of provider.models) {
      const price = genaiPrice(id, address, now);
      if (price === undefined) continue;
      for (const usage of usages) {
        const listed = calcPrice(
          {
            input_tokens: usage.promptTokens,
            cache_read_tokens: usage.cachedTokens,
            cache_write_tokens: usage.cacheWriteTokens,
            output_tokens: usage.completionTokens,
            output_reasoning_tokens: usage.reasoningTokens,
          },
          id,
          { providerId: provider.id, timestamp: new Date(NOON) },
        )!;
        assertAlmostEquals(cost(price, usage), listed.total_price, 1e-9, `${provider.id}:${id}`);
        compared++;
      }
    }
  }
  assertGreater(compared, 5_000);
});

Deno.test("genaiPrice() follows prices that change with the hour and from a day on", () => {
  let nowMs = Date.UTC(2026, 7, 16, 12);
  const price = genaiPrice("deepseek-v4-flash", "https://api.deepseek.com", () => nowMs)!;
  assertAlmostEquals(cost(price, MILLION_OUT), 0.28, 1e-9);
  nowMs = Date.UTC(2026, 7, 18, 0, 59, 30);
  assertAlmostEquals(cost(price, MILLION_OUT), 0.66, 1e-9);
  nowMs += 61_000; // Within the expensive hours.
  assertAlmostEquals(cost(price, MILLION_OUT), 1.32, 1e-9);
});

Deno.test("publicPrice() tolerates counts that do not add up", () => {
  const price = publicPrice("gpt-5-mini", "https://api.openai.com/v1", now)!;
  const odd = { promptTokens: 10, completionTokens: 5, cachedTokens: 1e9, reasoningTokens: 1e9 };
  const most = { ...odd, cachedTokens: 10, reasoningTokens: 5 };
  assertEquals(cost(price, odd), cost(price, most));
});

Deno.test("listedPrice() follows off-peak hours, long prompts, regions and written cache tokens", () => {
  let nowMs = Date.UTC(2026, 10, 23, 2); // A Monday, within the expensive hours.
  const chat = listedPrice("deepseek-v4-flash", "https://api.deepseek.com/v1", () => nowMs)!;
  const dear = cost(chat, MILLION_OUT), dearIn = chat.pricesFor(0).prompt;
  nowMs = Date.UTC(2026, 10, 23, 12);
  assertAlmostEquals(cost(chat, MILLION_OUT), dear / 2, 1e-9);
  assertAlmostEquals(chat.pricesFor(0).prompt, dearIn / 2, 1e-9);
  nowMs = Date.UTC(2026, 10, 28, 2); // A Saturday.
  assertAlmostEquals(cost(chat, MILLION_OUT), dear / 2, 1e-9);

  const gemini = listedPrice("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta")!;
  const long = { promptTokens: 200_001, completionTokens: 0 };
  const short = { promptTokens: 200_000, completionTokens: 0 };
  assertAlmostEquals(cost(gemini, short), 0.25, 1e-9);
  assertAlmostEquals(cost(gemini, long), 0.5000025, 1e-9);
  assertAlmostEquals(cost(gemini, long, "flex"), 0.25000125, 1e-9);

  const model = "gpt-5.6-terra", usage = { promptTokens: 1_000, completionTokens: 1_000 };
  const world = listedPrice(model, "https://api.openai.com/v1")!;
  const europe = listedPrice(model, "https://eu.api.openai.com/v1")!;
  assertAlmostEquals(cost(europe, usage), cost(world, usage) * 1.1, 1e-12);
  assertAlmostEquals(cost(world, { ...usage, cacheWriteTokens: 1_000 }), 0.0145, 1e-9);
});

Deno.test("listedPrice() knows a fine-tuned model by its base", () => {
  const at = "https://api.openai.com/v1";
  const tuned = listedPrice("ft:gpt-4o-mini-2024-07-18:acme::abc123", at)!;
  assertEquals([tuned.pricesFor(0).prompt, tuned.pricesFor(0).completion], [0.3, 1.2]);
});

Deno.test("every model of the list has prices, and every provider models", () => {
  let models = 0;
  for (const [id, byName] of Object.entries(list.models)) {
    assertGreater(Object.keys(byName).length, 0, id);
    for (const [name, text] of Object.entries(byName)) {
      const { tiers } = parseRates(text);
      const { prompt, completion, cached } = pricesFor(parseRates(text), 0, "", 0);
      assert([prompt, completion, cached].every((usd) => usd >= 0 && usd < 1_000), `${id} ${name}`);
      assert(tiers.has(""), `${id} ${name}`);
      models++;
    }
  }
  assertGreater(models, 1_000);
  assertMatch(list.source, /^LiteLLM \d/);
  assertMatch(list.date, /^\d{4}-\d\d-\d\d$/);
});

Deno.test("providerAt() takes whole hosts over https only", () => {
  assertEquals(providerAt("https://mine.openai.azure.com/openai/v1")?.id, "azure");
  assertEquals(providerAt("https://openai.azure.com/v1"), undefined);
  assertEquals(providerAt("https://api.openai.com.corp.example/v1"), undefined);
  assertEquals(providerAt("http://api.openai.com/v1"), undefined);
});

Deno.test("pricesFor() reads days of another time zone with hours in UTC", () => {
  const rates = parseRates("2 2; at +8 1-5 16:00-24:00 1 1");
  const at = (day: number, hour: number) => pricesFor(rates, 0, "", Date.UTC(2026, 10, day, hour));
  // Sunday the 22nd at 16:00 UTC is Monday in Shanghai; Friday the 27th at 16:00 UTC is Saturday.
  assertEquals([at(22, 16).prompt, at(26, 16).prompt, at(27, 16).prompt], [1, 1, 2]);
});
