/** Tests of the worker that checks answers, seen from the other thread. @module */
import { type Batch, type Setup, type Verdict, WorkerCheck } from "../../lib/checks/checks.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Completion } from "../../lib/teacher/mod.ts";

/** A worker that is ready at once. It cannot check answers with a "!", and crashes at a "?". Its
 * messages still arrive after it was terminated, as those that are on their way do. */
class FakeWorker {
  static readonly batches: (readonly string[])[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;

  postMessage(message: Setup | Batch): void {
    queueMicrotask(() => {
      if (!("texts" in message)) return this.onmessage?.({ data: "" });
      const { texts } = message;
      FakeWorker.batches.push(texts);
      if (texts.includes("?")) {
        return this.onerror?.({ message: "crashed", preventDefault: () => {} });
      }
      const failed = texts.findIndex((text) => text.includes("!"));
      const checked = failed < 0 ? texts : texts.slice(0, failed + 1);
      const unchecked = (text: string) => ({ unchecked: `not ${text}`, isFinal: true });
      const data = checked.map((text) => text.includes("!") ? unchecked(text) : `said ${text}`);
      this.onmessage?.({ data });
    });
  }

  terminate(): void {}
}

/** Calls `use` with a worker, which is closed afterwards. */
async function withWorker<T>(use: (worker: WorkerCheck) => Promise<T>): Promise<T> {
  const realWorker = globalThis.Worker;
  globalThis.Worker = FakeWorker as unknown as typeof Worker;
  FakeWorker.batches.length = 0;
  try {
    const worker = await WorkerCheck.start({ pattern: /x/, jsonSchema: undefined });
    const result = await use(worker);
    worker.close();
    return result;
  } finally {
    globalThis.Worker = realWorker;
  }
}

const check = (worker: WorkerCheck, response: string) =>
  worker.check({ response, toolCalls: [] } as Partial<Completion> as Completion);

/** The verdicts on answers that are checked at the same time, and the batches that were sent. */
function verdictsOn(answers: readonly string[], later: readonly string[] = []) {
  return withWorker(async (worker) => {
    const verdicts: Verdict[] = [];
    for (const texts of [answers, later]) {
      verdicts.push(...await Promise.all(texts.map((text) => check(worker, text))));
    }
    return { verdicts, batches: FakeWorker.batches.map((texts) => texts.join("")) };
  });
}

const failed = (unchecked: string) => ({ unchecked, isFinal: true });

Deno.test("WorkerCheck sends the answers again that followed an answer that could not be checked", async () => {
  assertEquals(await verdictsOn(["a", "b", "c!", "d!", "e", "f!", "g"]), {
    verdicts: [
      "said a",
      "said b",
      failed("not c!"),
      failed("not d!"),
      "said e",
      failed("not f!"),
      "said g",
    ],
    batches: ["a", "bc!d!ef!g", "d!ef!g", "ef!g", "g"],
  });
});

Deno.test("WorkerCheck halts the run after three answers in a row, and checks no others", async () => {
  const halt = "3 answers in a row could not be checked. The last one: not e!";
  const unchecked =
    "The answer was not checked, because the answers before it could not be checked";
  assertEquals(await verdictsOn(["a!", "b", "c!", "d!", "e!", "f"], ["g"]), {
    verdicts: [
      failed("not a!"),
      "said b",
      failed("not c!"),
      failed("not d!"),
      { ...failed("not e!"), halt },
      { unchecked, isFinal: false, halt },
      { unchecked, isFinal: false, halt },
    ],
    batches: ["a!", "bc!d!e!f", "d!e!f", "e!f"],
  });
});

Deno.test("WorkerCheck halts the run if its worker ends", async () => {
  const halt = "The worker that checks answers has ended: crashed";
  const unchecked = { unchecked: halt, isFinal: false, halt };
  assertEquals(await verdictsOn(["a", "b", "?"], ["c"]), {
    verdicts: ["said a", unchecked, unchecked, unchecked],
    batches: ["a", "b?"],
  });
});

Deno.test("WorkerCheck ignores what an ended worker still says", async () => {
  const unchecked = "The run has ended before the answer was checked";
  await withWorker(async (worker) => {
    const verdict = check(worker, "a");
    worker.close();
    assertEquals(await verdict, { unchecked, isFinal: false });
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(FakeWorker.batches, [["a"]]);
  });
});
