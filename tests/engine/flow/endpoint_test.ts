import { assert, assertEquals, assertLess } from "../../../lib/deps/std_assert.ts";
import {
  Endpoint,
  type EndpointContext,
  type EndpointOptions,
} from "../../../lib/engine/flow/endpoint.ts";
import type { Sent } from "../../../lib/engine/flow/load_control.ts";
import { classify } from "../../../lib/engine/errors/classify.ts";
import { TeacherError } from "../../../lib/errors.ts";
import { completionOf, endpointOf } from "../engine_fixture.ts";

const TEACHER = {
  address: "http://one/v1",
  model: "m",
  complete: () => Promise.reject(new Error("No one asks")),
};

/** An endpoint on a clock that is moved by hand. */
class Bench {
  now = 1_000;
  readonly endpoint: Endpoint;
  #ended = 0;

  constructor(options: Partial<EndpointOptions & EndpointContext> = {}) {
    this.endpoint = new Endpoint(endpointOf(TEACHER, options), {
      concurrency: 100,
      isExploring: false,
      isCareful: false,
      now: () => this.now,
      wallClock: () => this.now,
      random: () => 0,
      ...options,
    });
  }

  get delayMs(): number {
    return this.endpoint.delayMs(this.now);
  }

  /** The next attempt that ends, as if it had been made at a time: they end in their order. */
  sent(startedAt: number): Sent {
    return { ticket: ++this.#ended, startedAt };
  }

  /** Sends as many as may be sent. */
  fill(): number {
    let count = 0;
    for (; this.delayMs === 0 && count < 1_000; count++) this.endpoint.take();
    return count;
  }

  answer(startedAt = this.now): void {
    this.endpoint.answered(this.sent(startedAt), completionOf({ usage: USAGE }));
  }

  /** Fails the attempt of a row of its own. */
  fail(error: TeacherError, startedAt = this.now): boolean {
    return this.endpoint.failed(this.sent(startedAt), error, classify(error), true).counts;
  }
}

const USAGE = { promptTokens: 5, completionTokens: 7 };
const tooMany = (retryAfterMs?: number) => new TeacherError("Slow", { status: 429, retryAfterMs });
/** Nothing is left of a limit. */
const usedUp = (retryAfterMs: number) =>
  new TeacherError("Slow", { status: 429, retryAfterMs, isExhausted: true });
const broken = () => new TeacherError("Broken", { status: 500 });
const gone = () => new TeacherError("Refused", { type: "network", isUnreachable: true });

Deno.test("Endpoint takes as many attempts as the run allows, and no more than its own", () => {
  assertEquals(new Bench().fill(), 100);
  assertEquals(new Bench({ maxConcurrency: 7 }).fill(), 7);
  assertEquals(new Bench({ isCareful: true }).fill(), 1);
  const bench = new Bench({ maxConcurrency: 7 });
  bench.endpoint.setConcurrency(3);
  assertEquals(bench.fill(), 3);
  bench.endpoint.setConcurrency(50);
  assertEquals(bench.fill(), 4);
  assertEquals(bench.delayMs, Infinity);
  bench.answer();
  assertEquals(bench.delayMs, 0);
});

Deno.test("Endpoint keeps to requests a minute", () => {
  const bench = new Bench({ rpm: 60 });
  bench.now += 60_000;
  const sent: number[] = [];
  for (const end = bench.now + 10_000; bench.now < end; bench.now += 10) {
    if (bench.fill() > 0) sent.push(bench.now);
  }
  assert(sent.length >= 10 && sent.length <= 11, sent.join());
});

Deno.test("Endpoint rests at once where nothing is left of a limit, and a little longer than it is told", () => {
  for (const [random, moreMs] of [[0, 0], [0.5, 100], [1, 200]] as const) {
    const bench = new Bench({ random: () => random });
    bench.endpoint.take();
    bench.endpoint.take();
    bench.fail(usedUp(2_000));
    assertEquals(bench.delayMs, 2_000 + moreMs);
    assertEquals(bench.endpoint.restsUntil(bench.now), bench.now + 2_000 + moreMs);
    // An answer that was under way changes nothing, and a shorter wait does not either.
    bench.answer();
    bench.endpoint.take();
    bench.fail(usedUp(100));
    assertEquals(bench.delayMs, 2_000 + moreMs);
    bench.now += 2_000 + moreMs;
    assertEquals(bench.endpoint.restsUntil(bench.now), undefined);
  }
  const long = new Bench({ random: () => 1 });
  long.endpoint.take();
  long.fail(usedUp(3_600_000));
  assertEquals(long.delayMs, 3_601_000);
});

Deno.test("Endpoint rests from the third refusal in a row that says how long, not before", () => {
  const bench = new Bench();
  for (let row = 0; row < 100; row++) {
    bench.endpoint.take();
    bench.answer();
  }
  for (const [refused, delayMs] of [[2, 0], [3, 4_000]]) {
    bench.now += 1_000;
    for (let row = 0; row < refused; row++) {
      assertEquals(bench.delayMs, 0);
      bench.endpoint.take();
      bench.fail(tooMany(4_000));
    }
    assertEquals(bench.delayMs, delayMs);
    bench.now += delayMs;
    bench.endpoint.take();
    bench.answer();
  }
});

Deno.test("Endpoint lets pressure lower its limit, not faults", () => {
  const errors: [TeacherError, boolean][] = [
    [tooMany(), true],
    [new TeacherError("Busy", { status: 503 }), true],
    [new TeacherError("Too slow", { type: "timeout" }), true],
    [gone(), true],
    [broken(), false],
    [new TeacherError("Cut", { type: "network" }), false],
    [new TeacherError("Bad", { status: 400 }), false],
    [new TeacherError("Bad key", { status: 401 }), false],
  ];
  for (const [error, isPressure] of errors) {
    const bench = new Bench();
    bench.fill();
    for (let row = 0; row < 3; row++) bench.fail(error);
    assertEquals(bench.endpoint.limit < 100, isPressure, error.message);
    assertEquals(bench.endpoint.inFlight, 97);
  }
});

Deno.test("Endpoint does not send less for one refusal in fifty", () => {
  const bench = new Bench();
  for (let row = 0; row < 5_000; row++) {
    bench.endpoint.take();
    if (row % 50 === 0) bench.fail(new TeacherError("Busy", { status: row % 100 ? 503 : 429 }));
    else bench.answer();
    bench.now += 10;
  }
  assertEquals([bench.endpoint.limit, bench.delayMs], [100, 0]);
});

Deno.test("Endpoint counts no failure against a row while it is down, and starts low after", () => {
  const bench = new Bench();
  for (let row = 0; row < 40; row++) {
    bench.endpoint.take();
    assertEquals(bench.fail(gone()), row < 2);
    bench.now += 1;
  }
  bench.now += 60_000;
  bench.endpoint.take();
  bench.answer();
  assertEquals(bench.endpoint.isDown, false);
  assertLess(bench.endpoint.limit, 10);
});

Deno.test("Endpoint is never asked again once it is halted", () => {
  const bench = new Bench();
  bench.endpoint.halt("The key is wrong");
  bench.endpoint.halt("Something else");
  assertEquals(bench.delayMs, Infinity);
  bench.now += 1e9;
  assertEquals(bench.delayMs, Infinity);
  assertEquals(bench.endpoint.haltReason, "The key is wrong");
});

Deno.test("Endpoint.status() tells where it stands", () => {
  const bench = new Bench({ weight: 3 });
  const at = (ms: number) => new Date(ms).toISOString();
  assertEquals(bench.endpoint.status(), {
    address: "http://one/v1",
    model: "m",
    state: "up",
    until: null,
    reason: null,
    weight: 3,
    in_flight: 0,
    limit: 100,
    answered: 0,
    failed: 0,
    completion_tokens: 0,
  });
  bench.fill();
  bench.answer();
  bench.fail(usedUp(5_000));
  const cooling = bench.endpoint.status();
  assertEquals(cooling.state, "cooling_down");
  assertEquals(cooling.until, at(bench.now + 5_000));
  assertEquals(cooling.reason, "429: Slow");
  assertEquals([cooling.answered, cooling.failed, cooling.in_flight], [1, 1, 98]);
  assertEquals(cooling.completion_tokens, 7);
  bench.now += 5_000;
  assertEquals(bench.endpoint.status().state, "up");
  for (let row = 0; row < 3; row++) bench.fail(gone());
  const down = bench.endpoint.status();
  assertEquals([down.state, down.until], ["down", at(bench.now + 1_000)]);
  assertEquals(down.reason, "Refused");
  assertLess(down.limit, 100);
  bench.endpoint.halt("No credit");
  const halted = bench.endpoint.status();
  assertEquals([halted.state, halted.until, halted.reason], ["halted", null, "No credit"]);
});
