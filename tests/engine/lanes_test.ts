import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { checkConcurrency, Lanes, type LaneWork } from "../../lib/engine/lanes.ts";
import { settled } from "../support/fake_clock.ts";

/** Lanes that take numbers from a list and hold each until the test releases it. */
class Yard {
  readonly todo: number[] = [];
  readonly holding: { item: number; letGo: () => Promise<void> }[] = [];
  readonly errors: unknown[] = [];
  readonly lanes: Lanes<number, void>;
  isFinished = false;
  idleCalls = 0;

  constructor(target: number, overrides: Partial<LaneWork<number, void>> = {}) {
    this.lanes = new Lanes<number, void>(target, {
      next: () => this.todo.shift(),
      work: (item) =>
        new Promise((resolve) => {
          const entry = {
            item,
            letGo: () => {
              this.holding.splice(this.holding.indexOf(entry), 1);
              resolve();
              return settled();
            },
          };
          this.holding.push(entry);
        }),
      deliver: () => Promise.resolve(),
      isFinished: () => this.isFinished && this.todo.length === 0 && this.holding.length === 0,
      onIdle: () => this.idleCalls++,
      onError: (error) => {
        this.errors.push(error);
        this.lanes.close();
      },
      ...overrides,
    });
  }

  get items(): number[] {
    return this.holding.map(({ item }) => item);
  }
}

Deno.test("Lanes.run() resolves once all lanes have ended", async () => {
  const yard = new Yard(2);
  yard.todo.push(1, 2, 3);
  const run = yard.lanes.run();
  await settled();
  assertEquals(yard.items, [1, 2]);
  yard.isFinished = true;
  while (yard.holding.length > 0) await yard.holding[0].letGo();
  await run;
  assertEquals(yard.lanes.isClosed, true);
  assertEquals(yard.lanes.hasIdle, false);
});

Deno.test("Lanes.wake() gives new work to idle lanes", async () => {
  const yard = new Yard(3);
  const run = yard.lanes.run();
  await settled();
  assertEquals(yard.lanes.hasIdle, true);
  yard.todo.push(1, 2);
  yard.lanes.wake();
  await settled();
  assertEquals(yard.items, [1, 2]);
  assertEquals(yard.lanes.hasIdle, true);
  const { idleCalls } = yard;
  yard.lanes.wake();
  assertEquals(yard.idleCalls, idleCalls + 1);
  yard.lanes.close();
  while (yard.holding.length > 0) await yard.holding[0].letGo();
  await run;
});

Deno.test("Lanes.close() lets lanes finish their work and take no more", async () => {
  const yard = new Yard(2);
  yard.todo.push(1, 2, 3);
  const run = yard.lanes.run();
  await settled();
  yard.lanes.close();
  yard.lanes.close();
  await yard.holding[0].letGo();
  assertEquals(yard.items, [2]);
  await yard.holding[0].letGo();
  await run;
  assertEquals(yard.todo, [3]);
});

Deno.test("Lanes.setTarget() runs the requested number of lanes, repeatedly", async () => {
  const yard = new Yard(1);
  yard.todo.push(...Array.from({ length: 500 }, (_, index) => index));
  const run = yard.lanes.run();
  for (const target of [1, 40, 3, 3, 17, 2, 1, 60]) {
    yard.lanes.setTarget(target);
    await settled();
    while (yard.holding.length > target) await yard.holding[0].letGo();
    for (let i = 0; i < 5; i++) await yard.holding[0].letGo();
    assertEquals(yard.holding.length, target);
    assertEquals(yard.lanes.target, target);
  }
  yard.isFinished = true;
  while (yard.holding.length > 0) await yard.holding[0].letGo();
  await run;
});

Deno.test("Lanes.run() reports an error and still resolves", async () => {
  const failure = new Error("Broken");
  const yard = new Yard(3, {
    work: (item) => item === 2 ? Promise.reject(failure) : Promise.resolve(),
  });
  yard.todo.push(1, 2, 3, 4, 5, 6, 7, 8, 9);
  await yard.lanes.run();
  assertEquals(yard.errors, [failure]);
});

Deno.test("checkConcurrency() returns a value in range", () => {
  for (const target of [1, 20, 100_000]) assertEquals(checkConcurrency(target), target);
  for (const target of [0, 100_001, 1.5, NaN]) {
    assertThrows(() => checkConcurrency(target), RangeError, String(target));
  }
});
