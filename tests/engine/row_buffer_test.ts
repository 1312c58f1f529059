import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { RowBuffer } from "../../lib/engine/work_queue.ts";
import { settled } from "../support/fake_clock.ts";

async function* batches(...given: number[][]): AsyncGenerator<number[]> {
  yield* given;
}

/** Pulls a batch and waits for it. */
function pulled(intake: RowBuffer<number>): Promise<unknown> {
  return new Promise((resolve) => intake.pull(resolve));
}

Deno.test("RowBuffer returns the rows of a batch, then pulls the next", async () => {
  const intake = new RowBuffer(batches([1, 2], [3]));
  assertEquals(intake.take(), undefined);
  assertEquals(intake.exhausted, false);
  await pulled(intake);
  assertEquals([intake.take(), intake.take(), intake.take()], [1, 2, undefined]);
  await pulled(intake);
  assertEquals(intake.take(), 3);
  assertEquals(intake.exhausted, false);
  await pulled(intake);
  assertEquals(intake.exhausted, true);
  assertEquals(intake.take(), undefined);
});

Deno.test("RowBuffer returns falsy rows too", async () => {
  const intake = new RowBuffer(batches([0, 0]));
  await pulled(intake);
  assertEquals([intake.take(), intake.take(), intake.take()], [0, 0, undefined]);
});

Deno.test("RowBuffer has at most one pull in progress", async () => {
  let pulls = 0;
  const intake = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ value: [++pulls], done: false as const }),
    }),
  });
  let calls = 0;
  for (let i = 0; i < 5; i++) intake.pull(() => calls++);
  await settled();
  assertEquals({ pulls, calls }, { pulls: 1, calls: 1 });
});

Deno.test("RowBuffer pulls nothing by itself, and nothing after the end", async () => {
  let pulls = 0;
  const intake = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({
      next: () => (pulls++, Promise.resolve({ value: undefined, done: true as const })),
    }),
  });
  await settled();
  assertEquals(pulls, 0);
  await pulled(intake);
  intake.pull(() => {
    throw new Error("Must not be called");
  });
  await settled();
  assertEquals(pulls, 1);
});

Deno.test("RowBuffer reports what the source throws, and is then exhausted", async () => {
  const failure = new Error("Broken");
  const intake = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }),
  });
  assertEquals(await pulled(intake), failure);
  assertEquals(intake.exhausted, true);
});

Deno.test("RowBuffer.close() lets the source free what it holds", async () => {
  let isFreed = false;
  async function* source() {
    try {
      yield [1, 2];
    } finally {
      isFreed = true;
    }
  }
  const intake = new RowBuffer(source());
  await pulled(intake);
  await intake.close();
  assertEquals(isFreed, true);
  assertEquals(intake.take(), undefined);
  assertEquals(intake.exhausted, true);
});

Deno.test("RowBuffer.close() rejects with what the source throws while it is closed", async () => {
  const intake = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ value: [1], done: false as const }),
      return: () => Promise.reject(new Error("Cannot close")),
    }),
  });
  await pulled(intake);
  await assertRejects(() => intake.close(), Error, "Cannot close");
});

Deno.test("RowBuffer.pull() pulls nothing while the current batch is not used up", async () => {
  let asked = 0;
  async function* source() {
    for (const batch of [[1, 2], [3]]) {
      asked++;
      yield batch;
    }
  }
  const intake = new RowBuffer(source());
  await pulled(intake);
  intake.pull(() => {});
  assertEquals([asked, intake.isEmpty, intake.take(), intake.take()], [1, false, 1, 2]);
  await pulled(intake);
  assertEquals([asked, intake.take()], [2, 3]);
  await intake.close();
});

Deno.test("RowBuffer.close() does not wait for a pull in progress", async () => {
  const silence = Promise.withResolvers<void>();
  async function* source() {
    yield [1];
    await silence.promise;
    throw new Error("Too late to matter");
  }
  const intake = new RowBuffer(source());
  await pulled(intake);
  assertEquals(intake.take(), 1);
  const rest = pulled(intake);
  await intake.close();
  silence.resolve();
  assertEquals((await rest as Error).message, "Too late to matter");
});
