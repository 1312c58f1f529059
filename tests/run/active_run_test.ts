import { assertEquals } from "../../lib/deps/std_assert.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { Teacher } from "../../lib/teacher/teacher.ts";

Deno.test("ActiveRun applies a cost limit that is set while the run is prepared", async () => {
  const usage = { promptTokens: 1e6, completionTokens: 1e6 };
  const teacher: Teacher = {
    complete: () => Promise.resolve({ response: "42", finishReason: "stop", usage, model: "m" }),
  };
  const generator = new ResponseGenerator({ teacher, concurrency: 1, priceIn: 1, priceOut: 1 });
  const outcomes = generator.generate(Array.from({ length: 9 }, (_, i) => ({ prompt: `${i}` })));
  const first = outcomes.next();
  generator.setMaxCost(4);
  await first;
  let answers = 1, message = "";
  try {
    for await (const _ of outcomes) answers++;
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals([answers, message], [2, "The run has cost $4.00 of at most $4.00 (--max-cost)"]);
});

Deno.test("ActiveRun survives listeners that throw or reject, and calls the others", async () => {
  const teacher: Teacher = {
    complete: () =>
      Promise.resolve({ response: "42", finishReason: "stop", usage: null, model: "m" }),
  };
  const generator = new ResponseGenerator({ teacher });
  const seen: string[] = [];
  generator.onOutcomes(() => {
    throw new Error("Thrown");
  });
  generator.onOutcomes(() => Promise.reject(new Error("Rejected")) as unknown as void);
  const leave = generator.onOutcomes((outcomes) => {
    seen.push(...outcomes.map(({ row }) => row.uid));
  });
  const rows = ["a", "b"].map((uid) => ({ uid, prompt: uid }));
  for await (const { ok } of generator.generate(rows)) assertEquals(ok, true);
  leave();
  for await (const { ok } of generator.generate([{ uid: "c", prompt: "c" }])) {
    assertEquals(ok, true);
  }
  assertEquals(seen, ["a", "b"]);
});
