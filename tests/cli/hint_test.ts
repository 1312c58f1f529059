import { createConcurrencyHint } from "../../cli/hint.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { ErrorGroup, Snapshot } from "../../lib/progress/events.ts";

const NONE = { p50: 0, p90: 0, p99: 0, max: 0 };

function snapshotOf(fields: Partial<Snapshot>): Snapshot {
  return {
    type: "snapshot",
    state: "running",
    total: 10_000,
    skipped: 0,
    succeeded: 100,
    failed: 0,
    in_flight: 20,
    waiting: 0,
    attempts: 120,
    concurrency: 20,
    rate_per_s: 2,
    eta_s: 5_400,
    eta_is_lower_bound: false,
    elapsed_ms: 50_000,
    prompt_tokens: 0,
    completion_tokens: 0,
    cost_usd: null,
    latency_ms: NONE,
    event_loop_lag_ms: NONE,
    cpu_percent: 0,
    rss_bytes: 0,
    errors: [],
    ...fields,
  };
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

Deno.test("createConcurrencyHint() says nothing of a short run", () => {
  assertEquals(hintsFor({ eta_s: 200 }), []);
});

Deno.test("createConcurrencyHint() says nothing where something else limits the run", () => {
  const error: ErrorGroup = {
    type: "rate_limit",
    status: 429,
    message: "slow down",
    count: 1,
    last_seen: "2026-01-31T12:00:00.000Z",
  };
  assertEquals(
    hintsFor({ in_flight: 7 }, { state: "paused" }, { state: "draining" }, { errors: [error] }),
    [],
  );
});
