/**
 * Answers that must not match a pattern.
 *
 * @module
 */

import type { Check } from "./check.ts";

/** Rejects answers in which a regular expression is found; reasoning and tool calls are not looked at. */
export function patternCheck(regExp: RegExp): Check {
  const reason = `Matches the reject pattern ${regExp}`;
  return ({ response }) => {
    regExp.lastIndex = 0;
    return regExp.test(response ?? "") ? reason : undefined;
  };
}

/**
 * Makes a regular expression of a pattern, which is left as it is.
 *
 * @param pattern A text is read with the flag `u`; other flags are written into it: `(?i:as an ai)`.
 * @throws {RangeError} when the text is empty or no regular expression
 * @throws {TypeError} when it is neither a text nor a `RegExp`
 */
export function compilePattern(pattern: string | RegExp): RegExp {
  // A copy, for with the flags `g` and `y` a RegExp remembers where it has stopped.
  return pattern instanceof RegExp ? new RegExp(pattern) : compile(pattern);
}

function compile(text: unknown): RegExp {
  if (typeof text !== "string") {
    throw new TypeError(
      `Cannot use the reject pattern: it must be a text or a RegExp: current value is ${
        String(text)
      }`,
    );
  }
  if (text === "") {
    throw new RangeError("Cannot use the reject pattern: it is empty and would match every answer");
  }
  try {
    return new RegExp(text, "u");
  } catch (cause) {
    const reason = (cause as SyntaxError).message.replace(/^Invalid regular expression: /, "");
    throw new RangeError(
      `Cannot use the reject pattern ${JSON.stringify(text)}: it must be a regular expression of ` +
        `JavaScript: ${reason}`,
      { cause },
    );
  }
}
