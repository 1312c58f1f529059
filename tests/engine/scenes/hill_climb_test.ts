import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "../../../lib/deps/std_assert.ts";
import { HillClimb } from "../../../lib/engine/flow/hill_climb.ts";
import { ConcurrencyLimit } from "../../../lib/engine/flow/concurrency.ts";
import {
  BatchingServer,
  fixedGate,
  limitGate,
  QueueingServer,
  RefusingServer,
  seededRandom,
  type SimulatedAttempt,
  SimulatedLoad,
  type SimulatedServer,
} from "../../support/simulated_load.ts";

/** The mean length of an answer, in tokens. An idle teacher generates 50 tokens per second. */
const TOKENS = 500;
const SPEED = 50;
/** The time of such an answer at an idle teacher, in seconds. */
const ROUND_S = TOKENS / SPEED;

type MakeServer = () => SimulatedServer;

const TEACHERS: Record<string, MakeServer> = {
  "works on 8": () => new QueueingServer(8, SPEED),
  "works on 100": () => new QueueingServer(100, SPEED),
  "works on 2,000": () => new QueueingServer(2_000, SPEED),
  "slows down with its batch": () => new BatchingServer((batch) => SPEED / (1 + batch / 400)),
  "is full with 200": () => new BatchingServer((batch) => SPEED * Math.min(1, 200 / batch)),
  "loses speed past 150": () => new BatchingServer((b) => SPEED * Math.min(1, (150 / b) ** 2.5)),
};

/** Lengths of answers: some short, some long. */
function lengths(random: () => number, mean = () => TOKENS): () => number {
  return () => Math.max(1, -mean() * Math.log(1 - random()));
}

/** Tokens per second at the best constant concurrency. */
function bestFixed(make: MakeServer): number {
  const tokens = [32, 64, 100, 150, 200, 256, 512, 1_024].map((concurrency) => {
    const random = seededRandom(9);
    const load = new SimulatedLoad({ now: 0 }, make(), fixedGate(concurrency), lengths(random));
    load.run(30 * ROUND_S);
    return load.run(60 * ROUND_S).tokensPerS;
  });
  return Math.max(...tokens);
}

/** A limit that explores, and its effect on a teacher. */
class Exploration {
  readonly time = { now: 0 };
  readonly limit: ConcurrencyLimit;
  readonly load: SimulatedLoad;
  meanTokens = TOKENS;

  constructor(server: SimulatedServer, seed: number, tokens?: () => number) {
    const random = seededRandom(seed);
    const now = () => this.time.now;
    this.limit = new ConcurrencyLimit({
      ceiling: 1_024,
      isExploring: true,
      isCareful: true,
      now,
      random,
    });
    tokens ??= lengths(random, () => this.meanTokens);
    this.load = new SimulatedLoad(this.time, server, limitGate(this.limit), tokens);
  }
}

for (const [name, make] of Object.entries(TEACHERS)) {
  Deno.test(`HillClimb settles within 25 % of the best goodput of a teacher that ${name}`, () => {
    const best = bestFixed(make);
    for (const seed of [1, 2, 3]) {
      const { load } = new Exploration(make(), seed);
      load.run(60 * ROUND_S);
      const ratio = load.run(200 * ROUND_S).tokensPerS / best;
      assertGreaterOrEqual(ratio, 0.75, `${ratio.toFixed(2)} of the best, seed ${seed}`);
    }
  });

  Deno.test(`HillClimb does not collapse when answers of a teacher that ${name} get 10 × longer`, () => {
    const best = bestFixed(make);
    for (const seed of [1, 2, 3]) {
      const exploration = new Exploration(make(), seed);
      exploration.load.run(100 * ROUND_S);
      exploration.meanTokens = 10 * TOKENS;
      exploration.load.run(20 * 10 * ROUND_S);
      const ratio = exploration.load.run(80 * 10 * ROUND_S).tokensPerS / best;
      assertGreaterOrEqual(ratio, 0.75, `${ratio.toFixed(2)} of the best, seed ${seed}`);
    }
  });
}

Deno.test("HillClimb follows a teacher that gets four times as big, and back", () => {
  const server = new QueueingServer(60, SPEED);
  const { limit, load } = new Exploration(server, 1);
  load.run(100 * ROUND_S);
  server.slots = 240;
  load.run(100 * ROUND_S);
  assertGreaterOrEqual(load.run(50 * ROUND_S).tokensPerS, 0.75 * 240 * SPEED);
  assertGreaterOrEqual(limit.value, 181);
  server.slots = 60;
  load.run(100 * ROUND_S);
  assertGreaterOrEqual(load.run(50 * ROUND_S).tokensPerS, 0.75 * 60 * SPEED);
});

Deno.test("HillClimb uses answers if the teacher counts no tokens", () => {
  for (const [slots, least, most] of [[8, 32, 128], [2_000, 724, 1_024]]) {
    const time = { now: 0 };
    const now = () => time.now;
    const limit = new ConcurrencyLimit({
      ceiling: 1_024,
      isExploring: true,
      isCareful: true,
      now,
      random: Math.random,
    });
    const { answered, ...rest } = limitGate(limit);
    const gate = {
      ...rest,
      answered: (attempt: SimulatedAttempt, inFlight: number) =>
        answered({ ...attempt, tokens: 0 }, inFlight),
    };
    const load = new SimulatedLoad(time, new QueueingServer(slots, SPEED), gate, () => TOKENS);
    load.run((slots === 8 ? 400 : 40) * ROUND_S);
    assertGreaterOrEqual(limit.value, least);
    assertLessOrEqual(limit.value, most);
  }
});

Deno.test("HillClimb is not misled by answers that arrive together because they were requested together", () => {
  const limitsWith = (latencyMs: (limit: number) => number): Set<number> => {
    let now = 0;
    const explorer = new HillClimb({ ceiling: 1_024, now: () => now, random: () => 0.5 });
    const seen = new Set([explorer.limit]);
    for (let round = 0; round < 40; round++) {
      const together = explorer.limit;
      now += latencyMs(together);
      for (let answer = 0; answer < together; answer++) explorer.answered(1);
      seen.add(explorer.limit);
    }
    return seen;
  };
  for (const latencyMs of [700, 900, 1_500, 1_900]) {
    assertEquals([...limitsWith(() => latencyMs)], [32, 64, 128, 256, 512, 1_024]);
    // As fast with 32 as with more: the search tries 64 and 45, and stays.
    assertEquals([...limitsWith((limit) => latencyMs * limit / 32)], [32, 64, 45]);
  }
});

Deno.test("HillClimb leaves the limit to refusals if the teacher refuses", () => {
  const random = seededRandom(1);
  const server = new RefusingServer(200, () => 1_000 + 4_000 * random());
  const { limit, load } = new Exploration(server, 1);
  load.run(240);
  const { answersPerS, refused } = load.run(120);
  assertGreaterOrEqual(answersPerS, 0.9 * 200 / 3);
  assertLessOrEqual(refused, 0.01 * 120 * answersPerS);
  assertLessOrEqual(limit.value, 210);
});

Deno.test("HillClimb measures nothing while refusals keep the limit below its own", () => {
  const time = { now: 0 };
  const now = () => time.now;
  const limit = new ConcurrencyLimit({
    ceiling: 1_024,
    isExploring: true,
    isCareful: false,
    now,
    random: Math.random,
  });
  limit.congested({ startedAt: 0, inFlight: 20 });
  while (time.now++ < 3_000) {
    limit.answered({ startedAt: time.now, inFlight: limit.value, tokens: 10 });
  }
  assertLessOrEqual(limit.value, 20);
  for (let tick = 0; tick < 600; tick++) {
    time.now += 100;
    limit.tick();
  }
  assertEquals(limit.value, 32);
});

Deno.test("HillClimb measures nothing while its limit is not used", () => {
  const { limit, load, time } = new Exploration(new QueueingServer(2_000, SPEED), 1, () => TOKENS);
  load.run(40 * ROUND_S);
  const before = limit.value;
  for (let answer = 0; answer < 20_000; answer++) {
    time.now += 100;
    limit.tick();
    limit.answered({ startedAt: time.now, inFlight: 3, tokens: 10 });
  }
  assertEquals(limit.value, before);
});

Deno.test("HillClimb keeps what it has measured when its ceiling is set to the same value", () => {
  for (const raise of [0, 1]) {
    const time = { now: 0 };
    const explorer = new HillClimb({ ceiling: 500, now: () => time.now, random: () => 0.5 });
    for (let answer = 0; answer < 10_000; answer++) {
      time.now += 1_000 / explorer.limit;
      explorer.setCeiling(500 + raise * answer);
      explorer.answered(1);
    }
    assertGreater(explorer.limit, 100);
  }
});

Deno.test("HillClimb respects its ceiling, and uses a higher one", () => {
  const time = { now: 0 };
  const now = () => time.now;
  const explorer = new HillClimb({ ceiling: 20, now, random: () => 0.5 });
  const seen = new Set<number>();
  const answers = (): void => {
    for (let answer = 0; answer < 10_000; answer++) {
      time.now += 1_000 / explorer.limit;
      explorer.answered(1);
      seen.add(explorer.limit);
    }
  };
  answers();
  assertEquals([...seen], [20]);
  explorer.setCeiling(60);
  answers();
  assertEquals(Math.max(...seen), 60);
  assertGreater(explorer.limit, 40);
  explorer.setCeiling(10);
  assertEquals(explorer.limit, 10);
});
