import {
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { checkPrices, pricesOf } from "../../lib/prices/prices.ts";
import type { Completion, Teacher, Usage } from "../../lib/teacher/teacher.ts";
import { REPOSITORY, runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

const NOON = Date.UTC(2026, 8, 30, 12);

function teacherAt(address: string | undefined, model: string | undefined): Teacher {
  return { address, model, complete: () => Promise.reject(new Error("not asked here")) };
}

function answer(usage: Partial<Usage> | null, modelAsked?: string): Completion {
  return {
    response: "yes",
    finishReason: "stop",
    model: "whatever it is called there",
    modelAsked,
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
    // Cached and reasoning tokens are not told apart.
    assertEquals(priceOf!(answer({ ...MILLIONS, reasoningTokens: 1e6 }), teacher), 14);
    assertEquals(priceOf!(answer(null), teacher), undefined);
  }
  const free = await pricesOf([LOCAL], { priceIn: 0, priceOut: 0 });
  assertEquals(free.priceOf!(answer(MILLIONS), LOCAL), 0);
});

Deno.test("pricesOf() takes public prices where none are given, and says so", async () => {
  const { priceOf, unpriced, notes } = await pricesOf([OPENAI], {}, () => NOON);
  assertEquals(unpriced, []);
  assertAlmostEquals(priceOf!(answer(MILLIONS), OPENAI)!, 0.25 + 0.025 + 3 * 2, 1e-9);
  assertEquals(priceOf!(answer(null), OPENAI), undefined);
  assertEquals(notes.length, 1);
  assertStringIncludes(
    notes[0],
    '"gpt-5-mini" at https://api.openai.com/v1 by a list of public prices: $0.25 for a million ' +
      "prompt tokens, $2 for a million completion tokens (--price-in",
  );
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
    const { priceOf, unpriced } = await pricesOf(teachers, {}, () => NOON);
    assertEquals(priceOf, undefined);
    assertEquals(unpriced, teachers.filter((teacher) => teacher !== OPENAI));
  }
});

Deno.test("pricesOf() prices each teacher, and each model that a row asks for, on its own", async () => {
  const big = teacherAt("https://api.openai.com/v1", "gpt-5");
  const { priceOf, notes } = await pricesOf([OPENAI, big, OPENAI], {}, () => NOON);
  const usage = { completionTokens: 1e6 };
  assertEquals([OPENAI, big].map((one) => priceOf!(answer(usage), one)), [2, 10]);
  assertEquals(priceOf!(answer(usage, "gpt-5-nano"), big), 0.4);
  // Not free: a budget would not hold.
  assertEquals(priceOf!(answer(usage, "no such model"), big), 10);
  assertEquals(notes.length, 2);
});

Deno.test("checkPrices() wants both prices or none, and amounts of money", async () => {
  assertThrows(() => checkPrices({ priceIn: 1 }), RangeError, "add --price-out (priceOut)");
  assertThrows(() => checkPrices({ priceOut: 1 }), RangeError, "add --price-in (priceIn)");
  for (const usd of [-1, NaN, Infinity]) {
    assertThrows(() => checkPrices({ priceIn: usd, priceOut: 1 }), RangeError, `value is ${usd}`);
    assertThrows(() => checkPrices({ priceIn: 1, priceOut: usd }), RangeError, "--price-out");
  }
  await assertRejects(() => pricesOf([LOCAL], { priceIn: 1 }), RangeError);
});

Deno.test("the list of public prices is loaded when it is needed, without any permission", async () => {
  await using dir = await tempDir();
  const script = await dir.write(
    "script.ts",
    `import { pricesOf } from "file://${REPOSITORY}/lib/prices/prices.ts";
     const at = (address) => ({ address, model: "gpt-5-mini", complete: () => Promise.reject() });
     const timed = async (...given) => {
       const startedAt = performance.now();
       await pricesOf(...given);
       return performance.now() - startedAt;
     };
     const local = await timed([at("http://localhost:8000/v1")]);
     const given = await timed([at("https://api.openai.com/v1")], { priceIn: 1, priceOut: 1 });
     const listed = await timed([at("https://api.openai.com/v1")]);
     console.log(local + given < listed);`,
  );
  const { code, stdout, stderr } = await runCli([], { script, permissions: ["--no-prompt"] });
  assertEquals([code, stdout, stderr], [0, "true\n", ""]);
});
