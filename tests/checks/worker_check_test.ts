/** Tests of the worker that checks answers, seen from the other thread. @module */
import { type Batch, type Setup, type Verdict, WorkerCheck } from "../../lib/checks/checks.ts";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { Completion } from "../../lib/teacher/mod.ts";

/** A worker that is ready at once. It cannot check answers with a "!", and crashes at a "?". */
class FakeWorker {
  static readonly batches: (readonly string[])[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  #isEnded = false;

  postMessage(message: Setup | Batch): void {
    queueMicrotask(() => {
      if (this.#isEnded) return;
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

  terminate(): void {
    this.#isEnded = true;
  }
}

/** The verdicts on answers that are checked at the same time, and the batches that were sent. */
async function verdictsOn(answers: readonly string[], later: readonly string[] = []) {
  const realWorker = globalThis.Worker;
  globalThis.Worker = FakeWorker as unknown as typeof Worker;
  FakeWorker.batches.length = 0;
  try {
    const worker = await WorkerCheck.start({ pattern: /x/, jsonSchema: undefined });
    const verdicts: Verdict[] = [];
    for (const texts of [answers, later]) {
      const checked = texts.map((response) => worker.check({ response } as Completion));
      verdicts.push(...await Promise.all(checked));
    }
    worker.close();
    return { verdicts, batches: FakeWorker.batches.map((texts) => texts.join("")) };
  } finally {
    globalThis.Worker = realWorker;
  }
}

const failed = (unchecked: string) => ({ unchecked, isFinal: true });

Deno.test("WorkerCheck sends the answers after one that could not be checked again", async () => {
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
