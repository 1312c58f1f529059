import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
} from "../../lib/deps/std_assert.ts";
import { calcPrice, findProvider } from "../../lib/deps/genai_prices.ts";
import { publicPrice } from "../../lib/prices/public_prices.ts";

const NOON = Date.UTC(2026, 8, 30, 12);
const now = () => NOON;
const MILLION_OUT = { promptTokens: 0, completionTokens: 1e6 };

Deno.test("publicPrice() knows the models of public APIs at their addresses", () => {
  for (
    const [address, model] of [
      ["https://api.openai.com/v1", "gpt-5-mini"],
      ["https://api.openai.com", "gpt-5-mini-2025-08-07"],
      ["https://api.openai.com:443/v1/", "o3"],
      ["https://api.anthropic.com/v1", "claude-sonnet-4-5"],
      ["https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"],
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
    assertGreater(price.usdOut, 0);
    assertAlmostEquals(price.costOf(MILLION_OUT), price.usdOut, 1e-9);
  }
});

Deno.test("publicPrice() gives no public price to servers that go by the name of a public model", () => {
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

Deno.test("publicPrice() does not guess at models that the list does not know", () => {
  for (const model of ["", "gpt-5-mini-of-mine", "claude-sonnet-4-5", "whisper-1", "__proto__"]) {
    assertEquals(publicPrice(model, "https://api.openai.com/v1", now), undefined, model);
  }
});

Deno.test("publicPrice() counts every model of the list as the list does", () => {
  let compared = 0;
  const usages = [0, 150, 250_000, 900_000].flatMap((promptTokens) =>
    [0, 0.3, 1].map((share) => ({
      promptTokens,
      cachedTokens: Math.floor(promptTokens * share),
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
      const price = publicPrice(id, address, now);
      if (price === undefined) continue;
      for (const usage of usages) {
        const listed = calcPrice(
          {
            input_tokens: usage.promptTokens,
            cache_read_tokens: usage.cachedTokens,
            output_tokens: usage.completionTokens,
            output_reasoning_tokens: usage.reasoningTokens,
          },
          id,
          { providerId: provider.id, timestamp: new Date(NOON) },
        )!;
        assertAlmostEquals(price.costOf(usage), listed.total_price, 1e-9, `${provider.id}:${id}`);
        compared++;
      }
    }
  }
  assertGreater(compared, 5_000);
});

Deno.test("publicPrice() follows prices that change with the hour and from a day on", () => {
  let nowMs = Date.UTC(2026, 7, 16, 12);
  const price = publicPrice("deepseek-v4-flash", "https://api.deepseek.com", () => nowMs)!;
  assertAlmostEquals(price.costOf(MILLION_OUT), 0.28, 1e-9);
  nowMs = Date.UTC(2026, 7, 18, 0, 59, 30);
  assertAlmostEquals(price.costOf(MILLION_OUT), 0.66, 1e-9);
  nowMs += 61_000; // within the dear hours
  assertAlmostEquals(price.costOf(MILLION_OUT), 1.32, 1e-9);
});

Deno.test("publicPrice() bears with counts that do not add up", () => {
  const price = publicPrice("gpt-5-mini", "https://api.openai.com/v1", now)!;
  const odd = { promptTokens: 10, completionTokens: 5, cachedTokens: 1e9, reasoningTokens: 1e9 };
  const most = { ...odd, cachedTokens: 10, reasoningTokens: 5 };
  assertEquals(price.costOf(odd), price.costOf(most));
});
