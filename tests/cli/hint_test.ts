import { createConcurrencyHint } from "../../cli/screen.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Snapshot } from "../../lib/progress/events.ts";
import { makeErrorGroup, makeSnapshot } from "../progress/fixtures.ts";

/** A long run of 20 lanes, all busy. */
function snapshotOf(fields: Partial<Snapshot>): Snapshot {
  return makeSnapshot({
    state: "running",
    in_flight: 20,
    concurrency: 20,
    limit: 20,
    eta_s: 5_400,
    eta_is_lower_bound: false,
    errors: [],
    ...fields,
  });
}

function hintsFor(...snapshots: Partial<Snapshot>[]): string[] {
  const said: string[] = [];
  const hint = createConcurrencyHint((message) => said.push(message));
  for (const fields of snapshots) hint(snapshotOf(fields));
  return said;
}

Deno.test("createConcurrencyHint() says once that the concurrency limits a long run", () => {
  const said = hintsFor({}, {}, { eta_s: 9_000 });
  assertEquals(said.length, 1);
  assertEquals(said[0].startsWith("About 1h 30m left at concurrency 20, "), true, said[0]);
});

Deno.test("createConcurrencyHint() says nothing while the time left is not known", () => {
  assertEquals(hintsFor({ eta_s: null }, { eta_is_lower_bound: true }), []);
});

Deno.test("createConcurrencyHint() is silent for a short run", () => {
  assertEquals(hintsFor({ eta_s: 200 }), []);
});

Deno.test("createConcurrencyHint() is silent if something else limits the run", () => {
  assertEquals(
    hintsFor({ in_flight: 7 }, { state: "paused" }, { state: "draining" }, {
      errors: [makeErrorGroup()],
    }),
    [],
  );
});

Deno.test("createConcurrencyHint() is silent if the concurrency is not used", () => {
  // After a careful start, or because the teacher throttled more.
  assertEquals(hintsFor({ limit: 19 }), []);
  assertEquals(hintsFor({ limit: 19 }, {}).length, 1);
});
