/**
 * The worker that `checks.ts` starts, to check answers against patterns and schemas.
 *
 * @module
 */

import { endsWithin } from "../interruptible.ts";
import { type AnswerCheck, patternCheck, schemaCheck } from "./built_in_checks.ts";
import type { Batch, Setup, Verdict } from "./checks.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: string | Verdict[]): void;
};

/** Maximum time for checking one answer. */
const MAX_CHECK_MS = 1_000;

/** What an answer is checked against, in the words of messages. */
type Subject = "the reject pattern (--reject-pattern)" | "the JSON Schema (--json-schema)";

scope.onmessage = async ({ data }) => {
  try {
    const checks = await checksOf(data as Setup);
    scope.onmessage = ({ data }) => scope.postMessage(verdictsOn(data as Batch, checks));
    scope.postMessage("");
  } catch (error) {
    scope.postMessage(String(error));
  }
};

async function checksOf({ pattern, jsonSchema }: Setup) {
  const checks = new Map<Subject, AnswerCheck>();
  if (jsonSchema !== undefined) {
    checks.set("the JSON Schema (--json-schema)", await schemaCheck(JSON.parse(jsonSchema)));
  }
  if (pattern !== undefined) {
    checks.set("the reject pattern (--reject-pattern)", patternCheck(pattern));
  }
  return checks;
}

/** Checks a batch up to the first answer that takes too long, or whose check throws. */
export function verdictsOn(
  { texts, withToolCalls }: Batch,
  checks: ReadonlyMap<Subject, AnswerCheck>,
  ends = endsWithin,
): Verdict[] {
  const verdicts: Verdict[] = [];
  const withCalls = new Set(withToolCalls);
  let current: Subject | undefined;
  const checkRest = () => {
    while (verdicts.length < texts.length) {
      const index = verdicts.length;
      const toolCalls = withCalls.has(index) ? [null] : [];
      let verdict: Verdict;
      for (const [subject, check] of checks) {
        current = subject;
        verdict ??= check({ response: texts[index], toolCalls });
      }
      verdicts.push(verdict);
    }
  };
  let interrupted = -1;
  try {
    while (!ends(MAX_CHECK_MS, checkRest)) {
      if (verdicts.length === interrupted) return [...verdicts, tooSlow(current!)];
      // Earlier answers may have used the time, or the process was stopped (SIGSTOP): the
      // interrupted answer gets the full time once more.
      interrupted = verdicts.length;
    }
    return verdicts;
  } catch (error) {
    return [...verdicts, unchecked(`The answer could not be checked: ${error}`)];
  }
}

function tooSlow(subject: Subject): Verdict {
  const seconds = MAX_CHECK_MS / 1_000;
  return unchecked(
    `Cannot check the answer against ${subject}: the check takes more than ${seconds} s. ` +
      "A nested repetition, such as (a+)+, can take exponential time: write a single one, such as a+",
  );
}

function unchecked(reason: string): Verdict {
  return { unchecked: reason, isFinal: true };
}
