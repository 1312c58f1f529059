import {
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../../lib/deps/std_assert.ts";
import { asCompletion } from "../../../lib/engine/answers/mod.ts";
import { Budget, checkLimits } from "../../../lib/engine/answers/budget.ts";
import { UsageError } from "../../../lib/errors.ts";
import type { Completion, Teacher, Usage } from "../../../lib/teacher/teacher.ts";

const TEACHER: Teacher = {
  model: "qwen3",
  address: "http://127.0.0.1:8000/v1",
  complete: () => Promise.reject(new Error("not asked here")),
};

const ENDPOINT = endpointOf(TEACHER);

function endpointOf(teacher: Teacher) {
  return {
    teacher,
    costUsd: 0,
    paid(usd: number) {
      this.costUsd += usd;
    },
  };
}

/** A cent per completion token. */
const priceOf = ({ usage }: Pick<Completion, "usage">) =>
  usage ? usage.completionTokens / 100 : undefined;

function answer(usage: Partial<Usage> | null): Completion {
  return {
    response: "yes",
    finishReason: "stop",
    model: "qwen3",
    usage: usage === null ? null : { promptTokens: 0, completionTokens: 0, ...usage },
  };
}

Deno.test("Budget.add() returns the cost of an answer and adds it up", () => {
  const budget = new Budget({ priceOf });
  assertEquals(budget.costUsd, 0);
  assertEquals(budget.add(answer({ completionTokens: 150 }), ENDPOINT), 1.5);
  assertEquals(budget.add(answer({ completionTokens: 50 }), ENDPOINT), 0.5);
  assertEquals([budget.costUsd, budget.maxCostUsd], [2, null]);
  assertEquals(budget.exhaustedReason, undefined);
});

Deno.test("Budget.add() asks for the price at the teacher that answered", () => {
  const other = { ...TEACHER, model: "free" };
  const budget = new Budget({ priceOf: (_, teacher) => teacher === other ? 0 : 3 });
  const given = [TEACHER, other].map((one) =>
    budget.add(answer({ completionTokens: 1 }), endpointOf(one))
  );
  assertEquals([...given, budget.costUsd], [3, 0, 3]);
});

Deno.test("Budget without prices knows no cost", () => {
  const budget = new Budget();
  assertEquals(budget.add(answer({ completionTokens: 150 }), ENDPOINT), null);
  assertEquals([budget.costUsd, budget.maxCostUsd, budget.exhaustedReason], [
    null,
    null,
    undefined,
  ]);
});

for (const [share, whole] of [[10, 40], [10, 10]]) {
  Deno.test(`Budget.exhaustedReason of a shard with $${share} of $${whole} says that its earlier runs count`, () => {
    const budget = new Budget({ priceOf });
    budget.setMaxCost(whole);
    budget.setShare(share / whole, 9);
    budget.add(answer({ completionTokens: 100 }), ENDPOINT);
    assertEquals(
      budget.exhaustedReason,
      "All runs of this shard have cost $10.00 of $10.00, its share of the limit of " +
        `$${whole}.00 (--max-cost). Raise the limit to continue`,
    );
  });
}

Deno.test("Budget.exhaustedReason names what was spent as soon as the limit is reached", () => {
  const budget = new Budget({ priceOf, maxCostUsd: 10 });
  budget.add(answer({ completionTokens: 999 }), ENDPOINT);
  assertEquals(budget.exhaustedReason, undefined);
  budget.add(answer({ completionTokens: 1 }), ENDPOINT);
  assertEquals(budget.exhaustedReason, "The run has cost $10.00 of at most $10.00 (--max-cost)");
  budget.add(answer({ completionTokens: 234_502 }), ENDPOINT);
  assertEquals(budget.exhaustedReason, "The run has cost $2,355.02 of at most $10.00 (--max-cost)");
});

for (
  const [costUsd, maxCostUsd, words] of [
    [0.0203, 0.02, "$0.0203 of at most $0.0200 "],
    [2.003, 2, "$2.00 of at most $2.00 "],
    [2.000_000_000_1, 2, "$2.00 of at most $2.00 "],
    [0.0001234, 0.0001, "$0.0001 of at most $0.0001 "],
  ] as const
) {
  Deno.test(`Budget.exhaustedReason shows ${costUsd} beside ${maxCostUsd} as summaries do`, () => {
    const budget = new Budget({ priceOf: () => costUsd, maxCostUsd });
    budget.add(answer({}), ENDPOINT);
    assertStringIncludes(budget.exhaustedReason!, words);
  });
}

Deno.test("Budget counts completion tokens, with prices or without", () => {
  const budget = new Budget({ maxCompletionTokens: 1_000_000 });
  budget.add(answer({ promptTokens: 5_000_000, completionTokens: 999_999 }), ENDPOINT);
  assertEquals(budget.exhaustedReason, undefined);
  budget.add(answer({ completionTokens: 124 }), ENDPOINT);
  assertEquals(
    budget.exhaustedReason,
    "The run has received 1,000,123 completion tokens of at most 1,000,000 " +
      "(--max-completion-tokens-total)",
  );
});

Deno.test("Budget.setMaxCost() applies from then on, and null removes the limit", () => {
  const budget = new Budget({ priceOf });
  budget.add(answer({ completionTokens: 500 }), ENDPOINT);
  budget.setMaxCost(4);
  assertEquals(budget.maxCostUsd, 4);
  assertStringIncludes(budget.exhaustedReason!, "$5.00 of at most $4.00");
  budget.setMaxCost(6);
  assertEquals(budget.exhaustedReason, undefined);
  budget.setMaxCost(1);
  budget.setMaxCost(null);
  assertEquals([budget.maxCostUsd, budget.exhaustedReason], [null, undefined]);
});

Deno.test("a limit to the cost needs a price, and the message says where one is missing", () => {
  const unpriced = [TEACHER, TEACHER];
  const error = assertThrows(() => new Budget({ maxCostUsd: 10, unpriced }), UsageError);
  assertEquals(
    error.message,
    'Cannot limit the run to $10.00 (--max-cost): the price of "qwen3" at ' +
      "http://127.0.0.1:8000/v1 is not known. Add --price-in and --price-out, US dollars per " +
      "million tokens",
  );
  const nameless = [{ complete: TEACHER.complete }];
  const limit = () => new Budget({ maxCostUsd: 10, unpriced: nameless });
  assertThrows(limit, UsageError, "the price of the teacher is not known");
  const budget = new Budget({ maxCompletionTokens: 5 });
  assertThrows(() => budget.setMaxCost(1), UsageError, "the price is not known");
  budget.setMaxCost(null);
});

Deno.test("a limit cannot be enforced if most answers come without token counts", () => {
  const limited = new Budget({ priceOf, maxCostUsd: 10 });
  const unlimited = new Budget({ priceOf });
  for (let i = 0; i < 9; i++) limited.add(answer(null), ENDPOINT);
  assertEquals(limited.exhaustedReason, undefined);
  for (const budget of [limited, unlimited]) {
    for (let i = 0; i < 11; i++) budget.add(answer(null), ENDPOINT);
  }
  assertEquals(
    limited.exhaustedReason,
    "The limit --max-cost cannot be enforced: 20 of 20 answers came without the usage " +
      "that determines their cost. Leave it out; --limit and --deadline limit a run as well",
  );
  assertEquals(unlimited.exhaustedReason, undefined);
  for (let i = 0; i < 20; i++) limited.add(answer({ completionTokens: 1 }), ENDPOINT);
  assertEquals(limited.exhaustedReason, undefined);
});

Deno.test("wrong token counts of a teacher cannot disable the limit", () => {
  const budget = new Budget({ priceOf, maxCostUsd: 10, maxCompletionTokens: 2_000 });
  for (const completionTokens of [NaN, -5_000, undefined as unknown as number]) {
    const spent = budget.add(asCompletion(answer({ completionTokens }))!, ENDPOINT);
    assertEquals(spent, null);
  }
  const tokens = new Budget({ maxCompletionTokens: 2_000 });
  for (const completionTokens of [NaN, 2_000]) {
    tokens.add(asCompletion(answer({ completionTokens }))!, ENDPOINT);
  }
  assertStringIncludes(tokens.exhaustedReason!, "4,000 completion tokens of at most 2,000");
  const nonsense = new Budget({ priceOf: () => NaN, maxCostUsd: 10 });
  assertEquals(nonsense.add(answer({ completionTokens: 1 }), ENDPOINT), null);
  assertEquals(nonsense.costUsd, null);
  assertAlmostEquals(budget.add(answer({ completionTokens: 300 }), ENDPOINT)!, 3);
  assertStringIncludes(budget.exhaustedReason!, "$12.00");
});

Deno.test("answers without token counts cost the mean of the others", () => {
  const budget = new Budget({ priceOf, maxCostUsd: 10 });
  for (let pair = 0; pair < 2; pair++) {
    budget.add(answer({ completionTokens: 200 }), ENDPOINT);
    budget.add(answer(null), ENDPOINT);
  }
  assertEquals([budget.costUsd, budget.exhaustedReason], [8, undefined]);
  budget.add(answer({ completionTokens: 250 }), ENDPOINT);
  assertEquals(
    budget.exhaustedReason,
    "The run has cost $10.50 of at most $10.00 (--max-cost), counting 2 answers of unknown " +
      "cost as the mean of the others",
  );
  assertEquals(budget.costUsd, 10.5);
});

Deno.test("answers without token counts that came first are estimated once an answer has counts", () => {
  const dear = endpointOf({ ...TEACHER }), cheap = endpointOf({ ...TEACHER });
  const budget = new Budget({
    priceOf: (completion, teacher) => {
      const usd = priceOf(completion);
      return usd === undefined || teacher === cheap.teacher ? usd : usd * 10;
    },
    maxCostUsd: 30,
  });
  for (let i = 0; i < 2; i++) budget.add(answer(null), dear);
  budget.add(answer(null), cheap);
  assertEquals([budget.costUsd, budget.exhaustedReason], [null, undefined]);
  budget.add(answer({ completionTokens: 100 }), cheap);
  assertEquals([dear.costUsd, cheap.costUsd, budget.costUsd], [20, 2, 22]);
  budget.add(answer(null), dear);
  assertStringIncludes(budget.exhaustedReason!, "$32.00 of at most $30.00");
  assertStringIncludes(budget.exhaustedReason!, "counting 4 answers of unknown cost");
});

Deno.test("tokens of answers that came before the first count are estimated", () => {
  const budget = new Budget({ maxCompletionTokens: 1_000 });
  for (let i = 0; i < 2; i++) budget.add(answer(null), ENDPOINT);
  budget.add(answer({ completionTokens: 400 }), ENDPOINT);
  assertStringIncludes(budget.exhaustedReason!, "1,200 completion tokens of at most 1,000");
});

Deno.test("an answer with a stated cost but no token counts costs that much, and is not taken for 0 tokens", () => {
  const budget = new Budget({
    priceOf: ({ usage }) => usage?.costUsd,
    maxCostUsd: 10,
    maxCompletionTokens: 1_000,
  });
  const stated = asCompletion(answer({ completionTokens: NaN, costUsd: 4 }))!;
  assertEquals([budget.add(stated, ENDPOINT), budget.costUsd], [4, 4]);
  budget.add(answer({ completionTokens: 500, costUsd: 1 }), ENDPOINT);
  assertStringIncludes(budget.exhaustedReason!, "1,000 completion tokens of at most 1,000");
});

Deno.test("an answer without token counts has the price of its own teacher", () => {
  const free = endpointOf({ ...TEACHER });
  const budget = new Budget({
    priceOf: (completion, teacher) => teacher === free.teacher ? 0 : priceOf(completion),
    maxCostUsd: 10,
  });
  for (let pair = 0; pair < 5; pair++) {
    budget.add(answer({ completionTokens: 100 }), ENDPOINT);
    budget.add(answer(null), free);
  }
  assertEquals([budget.costUsd, budget.exhaustedReason], [5, undefined]);
  budget.add(answer(null), ENDPOINT);
  assertEquals(budget.exhaustedReason, undefined);
  for (let i = 0; i < 4; i++) budget.add(answer(null), ENDPOINT);
  assertStringIncludes(budget.exhaustedReason!, "has cost $10.00");
});

Deno.test("an answer without a stated cost costs the mean of the answers that state it", () => {
  const budget = new Budget({ priceOf: ({ usage }) => usage?.costUsd, maxCostUsd: 10 });
  const unstated = () => budget.add(answer({ completionTokens: 7 }), ENDPOINT);
  assertEquals([unstated(), budget.costUsd], [null, null]);
  budget.add(answer({ costUsd: 4 }), ENDPOINT);
  assertEquals([unstated(), budget.costUsd], [null, 12]);
  budget.add(answer(null), ENDPOINT);
  assertStringIncludes(budget.exhaustedReason!, "has cost $16.00 of at most $10.00");
});

Deno.test("answers that cost nothing need no token counts for a limit to the cost", () => {
  const free = new Budget({ priceOf: () => 0, maxCostUsd: 10 });
  for (let i = 0; i < 20; i++) free.add(answer(null), ENDPOINT);
  assertEquals([free.costUsd, free.exhaustedReason], [0, undefined]);
});

Deno.test("rounding errors of a sum let no further answer be sent", () => {
  const budget = new Budget({ priceOf: () => 0.01, maxCostUsd: 0.07 });
  for (let i = 0; i < 7; i++) budget.add(answer({}), ENDPOINT);
  assertStringIncludes(budget.exhaustedReason!, "has cost $0.0700 of at most $0.0700");
});

Deno.test("wrong counts of the answer make usage unknown: an answer of 0 tokens would be free", () => {
  for (const completionTokens of [NaN, -1, undefined as unknown as number]) {
    assertEquals(asCompletion(answer({ promptTokens: 5, completionTokens }))!.usage, null);
  }
});

Deno.test("checkLimits() rejects an invalid limit", () => {
  for (const maxCostUsd of [0, -1, NaN, Infinity]) {
    assertThrows(() => checkLimits({ maxCostUsd }), RangeError, `value is ${maxCostUsd}`);
  }
  for (const maxCompletionTokens of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => checkLimits({ maxCompletionTokens }), RangeError, "whole number");
  }
  checkLimits({});
  checkLimits({ maxCostUsd: 0.001, maxCompletionTokens: 1 });
});
