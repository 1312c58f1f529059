/** Teachers that join and leave while the engine works. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import type { Row } from "../../lib/row.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { batchesOf, endpointOf, Fixture, rowOf } from "./engine_fixture.ts";
import { playJoining } from "./joining_scene.ts";
import { TimedTeacher } from "./timed_teacher.ts";

Deno.test("a quarter of the teachers leaves and others join: all lanes stay busy, and no row is lost or sent twice", async () => {
  const result = await playJoining({
    teachers: 16,
    change: 4,
    concurrency: 400,
    latencyMs: 20_000,
    halfMs: 60_000,
  });
  assertEquals([result.failed, result.repeated, result.late], [0, 0, 0]);
  assert(result.busy >= 0.98, `${result.busy} of the lanes were busy`);
  for (const share of result.shares) assert(Math.abs(share - 1) <= 0.1, String(result.shares));
});

/** Chats with `tenants` system messages, interleaved. */
function chats(tenants: number, rows: number): Row[] {
  return Array.from({ length: rows }, (_, i) => ({
    ...rowOf(String(i)),
    messages: [
      { role: "system", content: `You answer for tenant ${i % tenants}` },
      { role: "user", content: "Hello" },
    ],
  }));
}

async function tenantsOf(affinity: "prefix" | undefined, tenants: number) {
  using clock = new FakeClock();
  const teachers = Array.from(
    { length: 4 },
    (_, n) =>
      Object.assign(new TimedTeacher(clock, { latencyMs: () => 1_000 }), {
        address: `http://${n}`,
      }),
  );
  const fixture = new Fixture({
    source: batchesOf(chats(tenants, 2_000), 100),
    teachers: teachers.map((teacher) => endpointOf(teacher)),
    concurrency: 40,
    isCareful: false,
    affinity,
    now: clock.now,
    wallClock: clock.now,
    random: () => 0.5,
  });
  await fixture.start();
  await clock.advance(120_000);
  assertEquals(fixture.outcomes.length, 2_000);
  const seen = teachers.map(({ asked }) => asked.map((uid) => Number(uid) % tenants));
  return {
    /** Mean number of teachers per tenant. */
    spread: seen.reduce((sum, one) => sum + new Set(one).size, 0) / tenants,
    most: Math.max(...seen.map(({ length }) => length)) / 2_000,
    wallMs: Math.max(...teachers.flatMap(({ askedAt }) => askedAt)),
  };
}

Deno.test("with affinity, rows of one prefix stay at one teacher while it has room", async () => {
  const without = await tenantsOf(undefined, 99), kept = await tenantsOf("prefix", 99);
  assert(without.spread > 3, `${without.spread}`);
  assert(kept.spread < 2, `${kept.spread}`);
  assert(kept.most < 0.35, `${kept.most}`);
  // One prefix for all rows must leave no teacher idle.
  const single = await tenantsOf("prefix", 1);
  assert(single.wallMs <= 1.1 * without.wallMs, `${single.wallMs} and ${without.wallMs}`);
});

Deno.test("teachers get prefixes by weight, and only the prefixes of a teacher that leaves move, until it is back", async () => {
  using clock = new FakeClock();
  const tenants = 80, weights = [4, 1, 1, 1, 1];
  const teachers = weights.map((_, n) =>
    Object.assign(new TimedTeacher(clock, { latencyMs: () => 1_000 }), { address: `http://${n}` })
  );
  const places = weights.map((weight, n) => ({ ...endpointOf(teachers[n]), weight }));
  const fixture = new Fixture({
    source: batchesOf(chats(tenants, 9_600), 100),
    teachers: places,
    concurrency: 80,
    isCareful: false,
    affinity: "prefix",
    now: clock.now,
    wallClock: clock.now,
    random: () => 0.5,
  });
  /** The teacher of most rows of each tenant in the next 40 s, and the share of those rows. */
  const next = async () => {
    const before = teachers.map(({ asked }) => asked.length);
    await clock.advance(40_000);
    const rows = teachers.map(({ asked }, n) => asked.slice(before[n]).map(Number));
    const counts = Array.from(
      { length: tenants },
      (_, tenant) => rows.map((own) => own.filter((row) => row % tenants === tenant).length),
    );
    const atHome = counts.reduce((sum, count) => sum + Math.max(...count), 0);
    return {
      homes: counts.map((count) => count.indexOf(Math.max(...count))),
      atHome: atHome / rows.flat().length,
      least: Math.min(...rows.map(({ length }) => length).filter((length) => length > 0)),
    };
  };
  await fixture.start();
  const first = await next();
  fixture.engine.removeTeacher(teachers[1]);
  const without = await next();
  fixture.engine.addTeacher(places[1]);
  await clock.advance(10_000);
  const again = await next();
  fixture.engine.stop();
  await clock.advance(2_000);
  const heavyShare = first.homes.filter((home) => home === 0).length / tenants;
  assert(Math.abs(heavyShare - 4 / 8) < 0.1, `the share of its prefixes is ${heavyShare}`);
  const moved = first.homes.filter((home, tenant) => home !== 1 && home !== without.homes[tenant]);
  assertEquals([moved, without.homes.includes(1), again.homes], [[], false, first.homes]);
  for (const { atHome, least } of [first, without, again]) {
    assert(atHome > 0.95 && least > 200, `${atHome} of the rows, ${least} at one teacher`);
  }
});
