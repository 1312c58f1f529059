import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { readAhead } from "../../lib/run/jobs.ts";
import { settled } from "../support/fake_clock.ts";

/** Counts batches and records whether the source was closed. */
class Source {
  made = 0;
  isClosed = false;

  async *batches(count: number, error?: Error): AsyncGenerator<number> {
    try {
      while (this.made < count) {
        await Promise.resolve();
        yield ++this.made;
      }
      if (error !== undefined) throw error;
    } finally {
      this.isClosed = true;
    }
  }
}

Deno.test("readAhead() yields every batch in order and closes its source", async () => {
  const source = new Source();
  assertEquals(await Array.fromAsync(readAhead(source.batches(5))), [1, 2, 3, 4, 5]);
  assertEquals(source.isClosed, true);
});

Deno.test("readAhead() is one batch ahead and no more", async () => {
  const source = new Source();
  const batches = readAhead(source.batches(5));
  await settled();
  assertEquals(source.made, 0);
  await batches.next();
  await settled();
  assertEquals(source.made, 2);
  await batches.next();
  await settled();
  assertEquals(source.made, 3);
  await batches.return(undefined);
  assertEquals([source.made, source.isClosed], [3, true]);
});

Deno.test("readAhead() yields what came before an error, then throws it", async () => {
  const error = new Error("The disk is gone");
  const batches = readAhead(new Source().batches(2, error));
  assertEquals([(await batches.next()).value, (await batches.next()).value], [1, 2]);
  await settled();
  assertEquals(await assertRejects(() => batches.next()), error);
});
