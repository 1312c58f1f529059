/**
 * The worker that checks answers against patterns and schemas. `worker_check.ts` starts it, and
 * terminates it when an answer takes too long.
 *
 * @module
 */

import { endsWithin } from "../interruptible.ts";
import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { patternCheck, schemaCheck } from "./built_in_checks.ts";
import type { Check } from "./checks.ts";
import { type Batch, IDLE, Phase, type Reasons, type Setup } from "./worker_check.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: string | Reasons): void;
};
/** Time after which the worker stops a check itself. Usually, the main thread terminates the worker
 * after 1 s, but that thread may be delayed. */
const WATCHDOG_MS = 2_000;
const NO_ROW = {} as Row;

scope.onmessage = async ({ data }) => {
  try {
    const { checks, progress } = await setUp(data as Setup);
    scope.onmessage = ({ data }) => {
      const reasons = reasonsOf(data as Batch, checks, progress);
      if (reasons !== undefined) scope.postMessage(reasons);
    };
    scope.postMessage("");
  } catch (error) {
    scope.postMessage(String(error));
  }
};

async function setUp({ pattern, jsonSchema, progress }: Setup) {
  const checks: [phase: number, check: Check][] = [];
  if (jsonSchema !== undefined) {
    checks.push([Phase.Schema, await schemaCheck(JSON.parse(jsonSchema))]);
  }
  if (pattern !== undefined) checks.push([Phase.Pattern, patternCheck(new RegExp(...pattern))]);
  return { checks, progress: new Int32Array(progress) };
}

/** Checks a batch. Returns undefined if an answer takes too long: the main thread then replaces the
 * worker. */
export function reasonsOf(
  { texts, withToolCalls }: Batch,
  checks: readonly [number, Check][],
  progress: Int32Array,
  ends = endsWithin,
): Reasons | undefined {
  const reasons = new Map<number, string>();
  const withCalls = new Set(withToolCalls);
  let index = 0;
  const checkRest = () => {
    for (; index < texts.length; index++) {
      const toolCalls = withCalls.has(index) ? [null] : [];
      for (const [phase, check] of checks) {
        Atomics.store(progress, 0, 2 * index + phase);
        const answer = { response: texts[index], toolCalls } as Partial<Completion> as Completion;
        const reason = check(answer, NO_ROW);
        if (reason === undefined) continue;
        reasons.set(index, reason as string);
        break;
      }
    }
  };
  let interrupted = -1;
  while (!ends(WATCHDOG_MS, checkRest)) {
    // Earlier answers may have used the time, or the process was stopped (SIGSTOP): the interrupted
    // answer gets the full time once more.
    if (index === interrupted) return undefined;
    interrupted = index;
  }
  Atomics.store(progress, 0, IDLE);
  return reasons;
}
