/**
 * The worker that checks answers against patterns and schemas. It is terminated when an answer
 * takes too long. Started by `worker_check.ts`; not to be imported.
 *
 * @module
 */

import { endsWithin } from "../interruptible.ts";
import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import {
  type Batch,
  type Check,
  IDLE,
  Note,
  patternCheck,
  Phase,
  type Ready,
  type Reasons,
  type Setup,
} from "./check.ts";
import { schemaCheck } from "./json_schema.ts";

/** The worker's global object, as this file uses it. */
interface Scope {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: Ready | Reasons): void;
}

const scope = globalThis as unknown as Scope;
/**
 * The time after which the worker itself stops a check. Unless the main thread is delayed, it has
 * terminated the worker by then: see `MAX_CHECK_MS` in `worker_check.ts`.
 */
const WATCHDOG_MS = 2_000;
/** Neither check uses the row. */
const NO_ROW = {} as Row;

scope.onmessage = async ({ data }) => {
  try {
    const { checks, progress } = await setUp(data as Setup);
    scope.onmessage = ({ data }) => {
      const reasons = reasonsOf(data as Batch, checks, progress);
      if (reasons !== undefined) scope.postMessage(reasons);
    };
    scope.postMessage({ problem: undefined });
  } catch (error) {
    scope.postMessage({ problem: String(error) });
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

/**
 * Returns why answers of a batch are rejected, by their index in the batch; undefined if one takes
 * too long: the main thread then replaces the worker.
 */
function reasonsOf(
  { texts, withToolCalls }: Batch,
  checks: readonly [number, Check][],
  progress: Int32Array,
): Reasons | undefined {
  const reasons = new Map<number, string>();
  const withCalls = new Set(withToolCalls);
  let index = 0;
  const checkRest = () => {
    for (; index < texts.length; index++) {
      const toolCalls = withCalls.has(index) ? [null] : [];
      for (const [phase, check] of checks) {
        Atomics.store(progress, Note.Phase, phase);
        Atomics.store(progress, Note.Answer, index);
        const answer = { response: texts[index], toolCalls } as Partial<Completion> as Completion;
        const reason = check(answer, NO_ROW);
        if (reason === undefined) continue;
        reasons.set(index, reason as string);
        break;
      }
    }
  };
  while (index < texts.length) {
    const first = index;
    // If earlier answers used part of the time, the interrupted one gets all of it next.
    if (!endsWithin(WATCHDOG_MS, checkRest) && index === first) return undefined;
  }
  Atomics.store(progress, Note.Answer, IDLE);
  return reasons;
}
