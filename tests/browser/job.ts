/**
 * A real run with its monitor, whose teacher answers when the test says so.
 *
 * @module
 */

import { TeacherError } from "../../lib/errors.ts";
import type { Summary } from "../../lib/progress/events.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { ResponseGeneratorOptions } from "../../lib/run/options.ts";
import type { Completion, Teacher, TeacherRequest } from "../../lib/teacher/teacher.ts";
import { type ServedMonitor, serveMonitor } from "../../web/server.ts";
import { tempDir } from "../support/temp.ts";

/** Result of one attempt. */
type Fate = Partial<Completion> | TeacherError;

interface Attempt {
  readonly request: TeacherRequest;
  settle(fate: Fate): void;
}

/** Answers attempts in the order in which they came, when the test says so. */
export class HeldTeacher implements Teacher {
  readonly model = "qwen3-32b";
  readonly address = "http://gpu1:8000/v1";
  readonly #held: Attempt[] = [];
  readonly #fates: Fate[] = [];
  #isOpen = false;

  /** Number of attempts that wait for their answer. */
  get held(): number {
    return this.#held.length;
  }

  /** Answers the next `count` attempts, even those that have not come yet. */
  release(count: number, fate: Fate = {}): void {
    for (let i = 0; i < count; i++) this.#fates.push(fate);
    this.#settleSome();
  }

  /** Answers everything from now on. */
  open(): void {
    this.#isOpen = true;
    this.#settleSome();
  }

  complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    const { promise, resolve, reject } = Promise.withResolvers<Completion>();
    const attempt: Attempt = {
      request,
      settle: (fate) => {
        signal.removeEventListener("abort", giveUp);
        if (fate instanceof TeacherError) reject(fate);
        else resolve({ ...answerTo(request), ...fate });
      },
    };
    const giveUp = () => {
      this.#held.splice(this.#held.indexOf(attempt), 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp);
    this.#held.push(attempt);
    this.#settleSome();
    return promise;
  }

  #settleSome(): void {
    while (this.#held.length > 0) {
      const fate = this.#fates.shift() ?? (this.#isOpen ? {} : undefined);
      if (fate === undefined) return;
      this.#held.shift()?.settle(fate);
    }
  }
}

function answerTo({ uid }: TeacherRequest): Completion {
  return {
    response: `The answer to ${uid}`,
    reasoning: `Thoughts about ${uid}`,
    finishReason: "stop",
    usage: { promptTokens: 100, completionTokens: 200, reasoningTokens: 50 },
    model: "qwen3-32b",
  };
}

/** A fifth of the normal interval of beats, because tests wait for many. */
const BEAT_MS = 100;

function every(ms: number, callback: () => void): () => void {
  const id = setInterval(callback, ms);
  return () => clearInterval(id);
}

/** An active run. Disposing of it ends the run. */
export interface Job extends AsyncDisposable {
  readonly generator: ResponseGenerator;
  readonly teacher: HeldTeacher;
  readonly served: ServedMonitor;
  /** Resolves at the end of the run. */
  readonly summary: Promise<Summary>;
}

/** Starts a run with prices and without delays. */
export async function startJob(
  rows: number,
  options: Partial<ResponseGeneratorOptions> = {},
): Promise<Job> {
  const dir = await tempDir();
  const input = await dir.write(
    "prompts.jsonl",
    Array.from({ length: rows }, (_, i) => ({ uid: `row-${i}`, prompt: `What is ${i} + ${i}?` })),
  );
  const teacher = new HeldTeacher();
  const generator = new ResponseGenerator({
    teacher,
    concurrency: 8,
    carefulStart: false,
    priceIn: 1,
    priceOut: 2,
    updateInterval: 1,
    ...options,
  });
  const served = serveMonitor(generator, { every: (_ms, beat) => every(BEAT_MS, beat) });
  const summary = generator.run({ input: [input], output: dir.path("out/") });
  return {
    generator,
    teacher,
    served,
    summary,
    async [Symbol.asyncDispose]() {
      generator.abort();
      await summary;
      await served.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}
