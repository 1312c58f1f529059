/**
 * The worker in which answers are checked against patterns and schemas: it is ended when it takes too
 * long. Started by `worker_check.ts`; not to be imported.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";
import { type Check, patternCheck } from "./check.ts";
import { schemaCheck } from "./json_schema.ts";
import {
  type Batch,
  IDLE,
  Note,
  Phase,
  type Ready,
  type Reasons,
  type Setup,
} from "./worker_protocol.ts";

interface Scope {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: Ready | Reasons): void;
}

const scope = globalThis as unknown as Scope;
/** Neither check looks at the row. */
const NO_ROW = {} as Row;

scope.onmessage = async ({ data }) => {
  try {
    const { checks, progress } = await setUp(data as Setup);
    scope.onmessage = ({ data }) => scope.postMessage(reasonsOf(data as Batch, checks, progress));
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

function reasonsOf(
  { texts, withToolCalls }: Batch,
  checks: readonly [number, Check][],
  progress: Int32Array,
): Reasons {
  const reasons = new Map<number, string>();
  const hasToolCalls = new Set(withToolCalls);
  for (const [place, response] of texts.entries()) {
    const toolCalls = hasToolCalls.has(place) ? [null] : [];
    for (const [phase, check] of checks) {
      Atomics.store(progress, Note.Phase, phase);
      Atomics.store(progress, Note.Answer, place);
      const reason = check({ response, toolCalls } as Partial<Completion> as Completion, NO_ROW);
      if (reason === undefined) continue;
      reasons.set(place, reason as string);
      break;
    }
  }
  Atomics.store(progress, Note.Answer, IDLE);
  return reasons;
}
