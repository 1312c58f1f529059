import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { checkPrices, pricesOf } from "../../lib/prices/prices.ts";
import type { Completion, Teacher, Usage } from "../../lib/teacher/teacher.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

const NOON = Date.UTC(2026, 8, 30, 12);

function teacherAt(address: string | undefined, model: string | undefined): Teacher {
  return { address, model, complete: () => Promise.reject(new Error("not asked here")) };
}

function answer(
  usage: Partial<Usage> | null,
  modelAsked?: string,
  serviceTier?: string,
): Completion {
  return {
    response: "yes",
    finishReason: "stop",
    model: "whatever it is called there",
    modelAsked,
    serviceTier,
    usage: usage === null ? null : { promptTokens: 0, completionTokens: 0, ...usage },
  };
}

const OPENAI = teacherAt("https://api.openai.com/v1", "gpt-5-mini");
const LOCAL = teacherAt("http://localhost:8000/v1", "gpt-5-mini");
const MILLIONS = { promptTokens: 2e6, completionTokens: 3e6, cachedTokens: 1e6 };

Deno.test("pricesOf() takes the prices that are given, for every teacher", async () => {
  const { priceOf, unpriced, notes } = await pricesOf([LOCAL, OPENAI], { priceIn: 1, priceOut: 4 });
  assertEquals([unpriced, notes], [[], []]);
  for (const teacher of [LOCAL, OPENAI]) {
    // The user's prices do not distinguish reasoning tokens.
    assertEquals(priceOf!(answer({ ...MILLIONS, reasoningTokens: 1e6 }), teacher), 14);
    assertEquals(priceOf!(answer(null), teacher), undefined);
  }
  const free = await pricesOf([LOCAL], { priceIn: 0, priceOut: 0 });
  assertEquals([answer(MILLIONS), answer(null)].map((a) => free.priceOf!(a, LOCAL)), [0, 0]);
});

Deno.test("pricesOf() takes public prices where none are given, and says so", async () => {
  const { priceOf, unpriced, notes } = await pricesOf([OPENAI], { now: () => NOON });
  assertEquals(unpriced, []);
  assertAlmostEquals(priceOf!(answer(MILLIONS), OPENAI)!, 0.25 + 0.025 + 3 * 2, 1e-9);
  assertEquals(priceOf!(answer(null), OPENAI), undefined);
  assertEquals(notes.length, 1);
  assertStringIncludes(
    notes[0],
    'Public price of "gpt-5-mini" at https://api.openai.com/v1: $0.25 in, $0.025 cached, $2 out per ' +
      "million tokens (",
  );
  assert(notes[0].length < 200, `too long to read at a glance: ${notes[0]}`);
});

Deno.test("pricesOf() knows no cost unless it knows the price of every teacher", async () => {
  for (
    const teachers of [
      [LOCAL],
      [OPENAI, LOCAL],
      [teacherAt(undefined, "gpt-5-mini")],
      [teacherAt("https://api.openai.com/v1", undefined)],
      [],
    ]
  ) {
    const { priceOf, unpriced } = await pricesOf(teachers, { now: () => NOON });
    assertEquals(priceOf, undefined);
    assertEquals(unpriced, teachers.filter((teacher) => teacher !== OPENAI));
  }
});

Deno.test("pricesOf() prices each teacher, and each model that a row asks for, on its own", async () => {
  const big = teacherAt("https://api.openai.com/v1", "gpt-5");
  const { priceOf, notes } = await pricesOf([OPENAI, big, OPENAI], { now: () => NOON });
  const usage = { completionTokens: 1e6 };
  assertEquals([OPENAI, big].map((one) => priceOf!(answer(usage), one)), [2, 10]);
  assertEquals(priceOf!(answer(usage, "gpt-5-nano"), big), 0.4);
  // Not free: a budget would not hold.
  assertEquals(priceOf!(answer(usage, "no such model"), big), 10);
  assertEquals(notes.length, 2);
});

Deno.test("pricesOf() prices the tier of service that an answer was given at", async () => {
  const { priceOf, notes, ratesOf } = await pricesOf([OPENAI], {
    params: { service_tier: "priority" },
  });
  const usage = { promptTokens: 1e6, completionTokens: 1e6 };
  const cost = (tier?: string) => priceOf!(answer(usage, undefined, tier), OPENAI);
  const costs: [tier: string | undefined, usd: number][] = [
    [undefined, 2.25],
    ["default", 2.25],
    ["auto", 2.25],
    ["flex", 1.125],
    ["priority", 4.05],
    ["fast", 4.05],
    ["PRIORITY", 4.05],
    ["batch", 1.125],
    ["unheard-of", 2.25],
  ];
  for (const [tier, usd] of costs) assertAlmostEquals(cost(tier)!, usd, 1e-9, tier);
  const cached = answer({ ...usage, cachedTokens: 1e6 }, undefined, "priority");
  assertAlmostEquals(priceOf!(cached, OPENAI)!, 0.045 + 3.6, 1e-9);
  assertStringIncludes(
    notes[0],
    ", service_tier priority: $0.45 in, $0.045 cached, $3.6 out per million tokens (",
  );
  const { prompt, completion } = ratesOf(OPENAI)!;
  assertEquals([prompt, completion], [0.45, 3.6]);
  const unknown = await pricesOf([OPENAI], { params: { service_tier: "unheard-of" } });
  assertStringIncludes(unknown.notes[0], "no separate price for service_tier unheard-of: $0.25");
});

Deno.test("pricesOf() trusts the cost that known APIs report, but not that of other servers", async () => {
  const at = (address: string) => teacherAt(address, "no model of the lists");
  const router = at("https://openrouter.ai/api/v1");
  const { priceOf, notes, ratesOf } = await pricesOf([router]);
  assertEquals(priceOf!(answer({ completionTokens: 1, costUsd: 0.5 }), router), 0.5);
  assertEquals(priceOf!(answer({ completionTokens: 1 }), router), undefined);
  assertEquals(priceOf!(answer({ completionTokens: 0, costUsd: 0.5 }), router), 0.5);
  assertEquals([notes.length, ratesOf(router)], [1, undefined]);
  for (const address of ["https://gateway.corp.example/v1", "http://openrouter.ai/api/v1"]) {
    assertEquals((await pricesOf([at(address)])).priceOf, undefined);
  }
  const { priceOf: listed } = await pricesOf([OPENAI]);
  assertEquals(listed!(answer({ completionTokens: 1e6, costUsd: 99 }), OPENAI), 2);
  const uncounted = answer({ promptTokens: 0, completionTokens: 0, costUsd: 99 });
  assertEquals(listed!(uncounted, OPENAI), undefined);
  const given = await pricesOf([router], { priceIn: 1, priceOut: 1 });
  assertEquals(given.priceOf!(uncounted, router), undefined);
  assertEquals(given.priceOf!(answer({ completionTokens: 1e6, costUsd: 99 }), router), 1);
});

Deno.test("pricesOf() takes a price for cached tokens", async () => {
  const prices = { priceIn: 1, priceOut: 4, priceCached: 0.1 };
  const { priceOf } = await pricesOf([LOCAL], prices);
  assertAlmostEquals(priceOf!(answer(MILLIONS), LOCAL)!, 1 + 0.1 + 12, 1e-9);
  assertThrows(() => checkPrices({ priceCached: 1 }), RangeError, "Cannot use --price-cached");
});

Deno.test("checkPrices() requires both prices or none", () => {
  assertThrows(() => checkPrices({ priceIn: 1 }), RangeError, "add --price-out (priceOut)");
  assertThrows(() => checkPrices({ priceOut: 1 }), RangeError, "add --price-in (priceIn)");
});

Deno.test("pricesOf() prices a teacher that joins later", async () => {
  const { priceOf, ratesOf } = await pricesOf([OPENAI], { now: () => NOON });
  const usage = { promptTokens: 1e6, completionTokens: 1e6 };
  const joined = { ...OPENAI };
  assertEquals(priceOf!({ usage }, joined), priceOf!({ usage }, OPENAI));
  assertEquals(ratesOf(joined), ratesOf(OPENAI));
  assertEquals(priceOf!({ usage }, { ...OPENAI, address: "http://127.0.0.1/v1" }), undefined);
});

Deno.test("the list of public prices is loaded when it is needed, without any permission", async () => {
  await using dir = await tempDir();
  const repository = new URL("../../", import.meta.url).href;
  const script = await dir.write(
    "script.ts",
    `import { pricesOf } from "${repository}lib/prices/prices.ts";
     const at = (address) => ({ address, model: "gpt-5-mini", complete: () => Promise.reject() });
     const hasPrice = async (...given) => (await pricesOf(...given)).priceOf !== undefined;
     console.log(await hasPrice([at("http://localhost:8000/v1")]));
     console.log(await hasPrice([at("https://api.openai.com/v1")], { priceIn: 1, priceOut: 1 }));
     console.log(await hasPrice([at("https://api.openai.com/v1")]).catch(({ code }) => code));`,
  );
  const list = `${repository}lib/prices/public_prices.ts`;
  const imports = { [list]: "file:///missing.ts" };
  const map = await dir.write("map.json", JSON.stringify({ imports }));
  for (
    const [flags, listed] of [[[], "true"], [
      [`--import-map=${map}`],
      "ERR_MODULE_NOT_FOUND",
    ]] as const
  ) {
    const permissions = ["--no-prompt", ...flags];
    const { code, stdout, stderr } = await runCli([], { script, permissions });
    assertEquals([code, stdout, stderr], [0, `false\ntrue\n${listed}\n`, ""]);
  }
});
