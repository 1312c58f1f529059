import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { RowBuffer } from "../../lib/engine/work_queue.ts";
import { settled } from "../support/fake_clock.ts";

async function* batches(...given: number[][]): AsyncGenerator<number[]> {
  yield* given;
}

/** Pulls a batch and waits for it. Resolves with the error of the source, if any. */
function pulled(buffer: RowBuffer<number>): Promise<unknown> {
  return new Promise((resolve) => buffer.pull((failed) => resolve(failed?.error)));
}

Deno.test("RowBuffer returns the rows of a batch, then pulls the next", async () => {
  const buffer = new RowBuffer(batches([1, 2], [3]));
  assertEquals(buffer.take(), undefined);
  assertEquals(buffer.isExhausted, false);
  await pulled(buffer);
  assertEquals([buffer.take(), buffer.take(), buffer.take()], [1, 2, undefined]);
  await pulled(buffer);
  assertEquals(buffer.take(), 3);
  assertEquals(buffer.isExhausted, false);
  await pulled(buffer);
  assertEquals(buffer.isExhausted, true);
  assertEquals(buffer.take(), undefined);
});

Deno.test("RowBuffer returns falsy rows too", async () => {
  const buffer = new RowBuffer(batches([0, 0]));
  await pulled(buffer);
  assertEquals([buffer.take(), buffer.take(), buffer.take()], [0, 0, undefined]);
});

Deno.test("RowBuffer has at most one pull in progress", async () => {
  let pulls = 0;
  const buffer = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ value: [++pulls], done: false as const }),
    }),
  });
  let calls = 0;
  for (let i = 0; i < 5; i++) buffer.pull(() => calls++);
  await settled();
  assertEquals({ pulls, calls }, { pulls: 1, calls: 1 });
});

Deno.test("RowBuffer pulls nothing by itself, and nothing after the end", async () => {
  let pulls = 0;
  const buffer = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({
      next: () => (pulls++, Promise.resolve({ value: undefined, done: true as const })),
    }),
  });
  await settled();
  assertEquals(pulls, 0);
  await pulled(buffer);
  buffer.pull(() => {
    throw new Error("Must not be called");
  });
  await settled();
  assertEquals(pulls, 1);
});

Deno.test("RowBuffer reports what the source throws, and is then exhausted", async () => {
  const failure = new Error("Broken");
  const buffer = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }),
  });
  assertEquals(await pulled(buffer), failure);
  assertEquals(buffer.isExhausted, true);
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
  const buffer = new RowBuffer(source());
  await pulled(buffer);
  await buffer.close();
  assertEquals(isFreed, true);
  assertEquals(buffer.take(), undefined);
  assertEquals(buffer.isExhausted, true);
});

Deno.test("RowBuffer.close() rejects with what the source throws while it is closed", async () => {
  const buffer = new RowBuffer<number>({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ value: [1], done: false as const }),
      return: () => Promise.reject(new Error("Cannot close")),
    }),
  });
  await pulled(buffer);
  await assertRejects(() => buffer.close(), Error, "Cannot close");
});

Deno.test("RowBuffer.pull() pulls nothing while the current batch is not used up", async () => {
  let asked = 0;
  async function* source() {
    for (const batch of [[1, 2], [3]]) {
      asked++;
      yield batch;
    }
  }
  const buffer = new RowBuffer(source());
  await pulled(buffer);
  buffer.pull(() => {});
  assertEquals([asked, buffer.isEmpty, buffer.take(), buffer.take()], [1, false, 1, 2]);
  await pulled(buffer);
  assertEquals([asked, buffer.take()], [2, 3]);
  await buffer.close();
});

Deno.test("RowBuffer reads one batch ahead and no more, if it may", async () => {
  let asked = 0;
  async function* source() {
    for (; asked < 9; asked++) yield [asked];
  }
  const buffer = new RowBuffer(source(), true);
  const take = async () => {
    const row = buffer.take();
    buffer.pull(() => {});
    await settled();
    return row;
  };
  await settled();
  assertEquals(asked, 0);
  await pulled(buffer);
  assertEquals([await take(), asked], [0, 1]);
  assertEquals([await take(), asked], [1, 2]);
  buffer.pull(() => {
    throw new Error("Must not be called");
  });
  await buffer.close();
  assertEquals([buffer.take(), asked], [undefined, 2]);
});

Deno.test("RowBuffer hands out what was read before an error, then reports it once", async () => {
  const failure = new Error("The disk is gone");
  async function* source() {
    yield [1];
    yield [2, 3];
    throw failure;
  }
  const buffer = new RowBuffer(source(), true);
  await pulled(buffer);
  const errors: unknown[] = [], states: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const row = buffer.take();
    buffer.pull((failed) => failed === undefined || errors.push(failed.error));
    // As in a lane that takes a row: its error must not be reported before the row is returned.
    states.push([row, errors.length]);
    await settled();
  }
  assertEquals(states, [[1, 0], [2, 0], [3, 0]]);
  assertEquals([buffer.isExhausted, errors], [true, [failure]]);
  buffer.pull(() => {
    throw new Error("Must not be called");
  });
  await buffer.close();
});

Deno.test("RowBuffer.close() waits for the batch that it reads ahead", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isFreed = false;
  async function* source() {
    try {
      yield [1];
      await promise;
    } finally {
      isFreed = true;
    }
  }
  const buffer = new RowBuffer(source(), true);
  await pulled(buffer);
  buffer.take();
  buffer.pull(() => {});
  const closed = buffer.close();
  resolve();
  await closed;
  assertEquals(isFreed, true);
});

Deno.test("RowBuffer.close() does not wait for a pull in progress", async () => {
  const silence = Promise.withResolvers<void>();
  async function* source() {
    yield [1];
    await silence.promise;
    throw new Error("Too late to matter");
  }
  const buffer = new RowBuffer(source());
  await pulled(buffer);
  assertEquals(buffer.take(), 1);
  const rest = pulled(buffer);
  await buffer.close();
  silence.resolve();
  assertEquals((await rest as Error).message, "Too late to matter");
});
