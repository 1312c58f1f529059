/**
 * Answers that must be JSON.
 *
 * @module
 */

import type { Check } from "./check.ts";

/**
 * Rejects answers that are not JSON from the first character to the last but for white space. A code
 * fence around it is no part of JSON: who trains on it teaches a model to write the fence. An answer
 * that is a tool call and has no text is complete, so it passes.
 *
 * @param judgeValue Says what is wrong with the JSON value, or undefined. @default nothing is
 */
export function jsonCheck(
  judgeValue: (value: unknown) => string | undefined = () => undefined,
): Check {
  return ({ response, toolCalls }) => {
    const text = response ?? "";
    if ((toolCalls?.length ?? 0) > 0 && !/\S/.test(text)) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return `Not JSON: ${reasonOf(text, error as SyntaxError)}`;
    }
    return judgeValue(value);
  };
}

function reasonOf(text: string, { message }: SyntaxError): string {
  if (/^\s*```/.test(text)) return "wrapped in a code fence (```)";
  // V8 quotes the answer after the token. Without that, equal causes have equal messages. The token may
  // be half of a character, which many readers of JSON lines refuse.
  return message.replace(/^(Unexpected token '.+?'), .*$/su, "$1").toWellFormed();
}
