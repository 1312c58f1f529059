/** Runs of shards in this process, against a teacher that answers with the prompt. @module */

import { TeacherError } from "../../lib/errors.ts";
import type { Summary } from "../../lib/progress/mod.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { ResponseGeneratorOptions, RunOptions } from "../../lib/run/mod.ts";
import type { Teacher } from "../../lib/teacher/mod.ts";

/** The options of a shard's run. */
export interface ShardRun extends Omit<RunOptions, "input" | "output"> {
  readonly generator?: Omit<ResponseGeneratorOptions, "teacher" | "teachers">;
  /** Completion tokens of each answer. @default not reported */
  readonly tokens?: number;
  /** Prompts that the teacher rejects. */
  readonly refused?: readonly string[];
  /** Called before the run. */
  readonly prepare?: (generator: ResponseGenerator) => void;
}

/** Runs a shard, and returns its summary and the prompts that were sent. */
export async function runShard(
  input: string | string[],
  output: string,
  { generator: options, refused = [], tokens, prepare, ...run }: ShardRun,
): Promise<{ summary: Summary; asked: string[] }> {
  const asked: string[] = [];
  const teacher: Teacher = {
    model: "echo",
    complete({ messages }) {
      const prompt = String(messages.at(-1)?.content);
      asked.push(prompt);
      if (refused.includes(prompt)) {
        return Promise.reject(new TeacherError("refused", { type: "request", status: 400 }));
      }
      return Promise.resolve({
        response: prompt.toUpperCase(),
        finishReason: "stop",
        usage: tokens === undefined ? null : { promptTokens: 0, completionTokens: tokens },
        model: "echo",
      });
    },
  };
  const generator = new ResponseGenerator({ teacher, ...options });
  prepare?.(generator);
  const summary = await generator.run({ input, output, ...run });
  return { summary, asked };
}

/** Runs every shard, one after the other. */
export async function runShards(
  input: string | string[],
  output: string,
  count: number,
  options: ShardRun = {},
): Promise<Summary[]> {
  const summaries: Summary[] = [];
  for (let index = 0; index < count; index++) {
    const { summary } = await runShard(input, output, { ...options, shard: { index, count } });
    summaries.push(summary);
  }
  return summaries;
}

/** Rows `{"prompt":"p0"}`, … */
export function prompts(from: number, to: number): { prompt: string }[] {
  return Array.from({ length: to - from }, (_, i) => ({ prompt: `p${from + i}` }));
}

/**
 * Makes the clock, but not timers, a hundred times slower: on a busy machine, the run that ends
 * because it finds another one may take longer than the 2 s that the other one waits for it.
 */
export function slowClock(): Disposable {
  const { now } = performance;
  performance.now = () => now.call(performance) / 100;
  return { [Symbol.dispose]: () => void (performance.now = now) };
}
