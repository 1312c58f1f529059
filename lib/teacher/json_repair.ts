/**
 * JSON as servers really write it. Python's `json.dumps` and C++'s streams write numbers that JSON does
 * not have (`-Infinity` is the log probability of a masked token), and some gateways put line ends
 * into strings as they are.
 *
 * @module
 */

const NOT_A_NUMBER = /(?<![\w.$])[-+]?(?:nan(?:\([\w]*\))?|inf(?:inity)?)(?![\w.$])/gi;
// deno-lint-ignore no-control-regex -- JSON wants them escaped
const CONTROL = /[\0-\x1f]/g;

/**
 * The text with `null` for numbers that JSON does not have, and with control characters in strings
 * escaped; the text itself where there is neither. To be tried when `JSON.parse` has failed.
 */
export function repairedJson(text: string): string {
  let repaired = "", at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    const start = quote < 0 ? text.length : quote;
    repaired += text.slice(at, start).replace(NOT_A_NUMBER, "null");
    at = endOfString(text, start);
    repaired += text.slice(start, at).replace(CONTROL, escaped);
  }
  return repaired;
}

/** Just past the string that starts with a quote at `start`. */
export function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    // A quote ends the string unless an odd number of backslashes stands before it.
    let before = quote - 1;
    while (text[before] === "\\") before--;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
  return text.length;
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
