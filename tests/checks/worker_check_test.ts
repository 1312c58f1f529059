/** Tests of the worker that checks answers, seen from the other thread. @module */
import { type Batch, type Setup, WorkerCheck } from "../../lib/checks/worker_check.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Completion } from "../../lib/teacher/mod.ts";

/**
 * A worker that is ready at once, and crashes at the last answer of its first batch. Terminated
 * workers still write to their notes.
 */
class CrashingWorker {
  static readonly notes: Int32Array[] = [];
  onmessage: ((event: unknown) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;

  postMessage(message: Setup | Batch): void {
    const { notes } = CrashingWorker;
    if ("progress" in message) {
      notes.push(new Int32Array(message.progress));
      queueMicrotask(() => this.onmessage?.({ data: "" }));
      return;
    }
    notes.at(-1)![0] = 2 * (message.texts.length - 1);
    for (const ended of notes.slice(0, -1)) ended[0] = 0;
    queueMicrotask(() => this.onerror?.({ message: "crashed", preventDefault: () => {} }));
  }

  terminate(): void {}
}

Deno.test("WorkerCheck ignores what an ended worker still writes", async () => {
  const realWorker = globalThis.Worker;
  globalThis.Worker = CrashingWorker as unknown as typeof Worker;
  try {
    const checks = await WorkerCheck.start({ pattern: /x/, jsonSchema: undefined });
    const blamed: string[] = [];
    // The first answer goes to the first worker at once, and the others together to the next one.
    const verdicts = ["a", "b", "c", "d"].map(async (response) => {
      await checks.check({ response } as Completion);
      blamed.push(response);
    });
    while (blamed.length < 2) await Promise.resolve();
    assertEquals(blamed, ["a", "d"]);
    checks.close();
    await Promise.all(verdicts);
  } finally {
    globalThis.Worker = realWorker;
  }
});
