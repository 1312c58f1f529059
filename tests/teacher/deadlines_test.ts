import { assertEquals } from "../../lib/deps/std_assert.ts";
import { type Deadline, Deadlines, type Timed } from "../../lib/teacher/deadlines.ts";

class Probe implements Timed {
  readonly expired: Promise<Deadline>;
  expire!: (deadline: Deadline) => void;

  constructor(readonly startedAt: number, readonly lastTokenAt = -1, readonly completeAt = -1) {
    this.expired = new Promise((resolve) => this.expire = resolve);
  }
}

Deno.test("Deadlines end exactly those attempts whose time is up", async () => {
  const now = 100_000;
  const deadlines = new Deadlines({ timeoutMs: 50_000, streamIdleTimeoutMs: 100, now: () => now });
  const late = new Probe(50_000);
  const silent = new Probe(99_000, 99_900);
  const draining = new Probe(0, 0, 98_000);
  const fine = [new Probe(50_001), new Probe(99_000, 99_901), new Probe(0, 0, 98_001)];
  const ended: Probe[] = [];
  for (const probe of fine) probe.expired.then(() => ended.push(probe));
  for (const probe of [late, silent, draining, ...fine]) deadlines.add(probe);
  assertEquals(await Promise.all([late, silent, draining].map((probe) => probe.expired)), [
    "attempt",
    "silence",
    "drain",
  ]);
  assertEquals(ended, []);
  for (const probe of [late, silent, draining, ...fine]) deadlines.delete(probe);
  // The sanitizers would find a timer that is left.
  assertEquals(deadlines.size, 0);
});
