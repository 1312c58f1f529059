/**
 * Teachers that join and leave in simulated time, for the test and the bench.
 *
 * @module
 */

import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import { endpointOf, Fixture } from "./engine_fixture.ts";
import { endlessRows, TimedTeacher } from "./timed_teacher.ts";

export interface JoiningScene {
  /** How many teachers the run starts with. */
  readonly teachers: number;
  /** How many of them leave half-way, and how many others join then. */
  readonly change: number;
  /** Attempts in flight over all teachers. */
  readonly concurrency: number;
  /** The time of an answer, in milliseconds. */
  readonly latencyMs: number;
  /** How long the run is measured before the change, and again after it, in milliseconds. */
  readonly halfMs: number;
}

export interface JoiningResult {
  /** The share of lanes with an attempt in flight, after the start. */
  readonly busy: number;
  /** For each new teacher, its attempts in flight at the end relative to its fair share. */
  readonly shares: readonly number[];
  readonly failed: number;
  /** Rows that were sent more than once. */
  readonly repeated: number;
  readonly answered: number;
  /** Attempts made at teachers after they had left. */
  readonly late: number;
  /** The length of the scene, with the time for the last answers. */
  readonly simulatedMs: number;
}

const STEP_MS = 250;

export async function playJoining(scene: JoiningScene): Promise<JoiningResult> {
  const { teachers: count, change, concurrency, latencyMs, halfMs } = scene;
  using clock = new FakeClock();
  const random = seededRandom(7);
  const make = (n: number) =>
    Object.assign(
      new TimedTeacher(clock, { latencyMs: () => latencyMs * (0.8 + 0.4 * random()) }),
      { address: `http://${n}` },
    );
  const all = Array.from({ length: count }, (_, n) => make(n));
  const fixture = new Fixture({
    source: endlessRows(),
    teachers: all.map((teacher) => endpointOf(teacher)),
    concurrency,
    isCareful: false,
    now: clock.now,
    wallClock: clock.now,
    random,
  });
  await fixture.start();
  let busy = 0, looks = 0;
  const look = async (untilMs: number) => {
    while (clock.now() < untilMs) {
      await clock.advance(STEP_MS);
      busy += fixture.engine.inFlight / concurrency;
      looks++;
    }
  };
  await clock.advance(1_000);
  await look(halfMs);
  const left = all.slice(0, change);
  const joined = Array.from({ length: change }, (_, n) => make(count + n));
  for (const teacher of joined) fixture.engine.addTeacher(endpointOf(teacher));
  for (const teacher of left) fixture.engine.removeTeacher(teacher);
  const askedBefore = left.reduce((sum, { asked }) => sum + asked.length, 0);
  await look(2 * halfMs);
  const shares = joined.map(({ inFlight }) => inFlight / (concurrency / count));
  const late = left.reduce((sum, { asked }) => sum + asked.length, 0) - askedBefore;
  fixture.engine.stop();
  await clock.advance(2 * latencyMs);
  const asked = [...all, ...joined].flatMap((teacher) => teacher.asked);
  return {
    busy: busy / looks,
    shares,
    failed: fixture.outcomes.filter(({ failure }) => failure !== undefined).length,
    repeated: asked.length - new Set(asked).size,
    answered: fixture.outcomes.length,
    late,
    simulatedMs: clock.now(),
  };
}
