import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RowNumbers } from "../../lib/merge/row_numbers.ts";
import { seededRandom } from "../support/simulated_load.ts";

Deno.test("the number of each row is found by its slot, whatever else has a slot or none", () => {
  const random = seededRandom();
  const numbers = new RowNumbers(), expected = new Map<number, number>(), skipped: number[] = [];
  let slot = 0;
  for (let number = 1; number <= 20_000; number++) {
    const event = random();
    if (event < 0.1) continue; // A duplicate or a bad row has no new slot.
    // An answer without a result has a slot before the row with its uid.
    if (event < 0.2) skipped.push(slot++);
    const older = event > 0.98 ? skipped.shift() : undefined;
    const rowSlot = older ?? slot++;
    numbers.set(rowSlot, number);
    expected.set(rowSlot, number);
  }
  for (const [slot, number] of expected) assertEquals(numbers.get(slot), number, `slot ${slot}`);
});
