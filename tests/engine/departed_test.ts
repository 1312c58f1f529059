import { assertEquals } from "../../lib/deps/std_assert.ts";
import { Departed } from "../../lib/engine/flow/departed.ts";
import { sumOf } from "../../lib/figures.ts";
import { makeTeacher } from "../progress/fixtures.ts";

Deno.test("Departed keeps the sums of any number of teachers, and names the last 100", () => {
  const departed = new Departed();
  for (let pod = 0; pod < 1_000; pod++) {
    departed.add(makeTeacher({ address: `http://10.0.0.${pod}`, answered: 3, cost_usd: 0.5 }));
  }
  const all = departed.with([makeTeacher({ answered: 1, cost_usd: 1 })]);
  assertEquals(all.length, 102);
  assertEquals(all[1].address, "http://10.0.0.999");
  assertEquals(
    all.slice(1).every(({ state, in_flight }) => state === "left" && in_flight === 0),
    true,
  );
  assertEquals(sumOf(all, ({ answered }) => answered), 3_001);
  assertEquals(sumOf(all, ({ cost_usd }) => cost_usd), 501);
});
