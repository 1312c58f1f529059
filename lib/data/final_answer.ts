/**
 * Extracts the final answer from the text of a solution: the content of the last `\boxed{…}`, or
 * else the last number.
 *
 * @module
 */

const BOX = "\\boxed{";
const OPEN_BRACE = 123, CLOSE_BRACE = 125;

/** The final answer, normalized so that equal answers are equal texts; "" if there is none. */
export function finalAnswerOf(text: string): string {
  const boxed = lastBoxed(text) ?? "";
  return boxed === "" ? lastNumber(text) : normalizeBoxed(boxed);
}

/** Whether the last `\boxed{` is not closed: the text was cut off. */
export function hasOpenBox(text: string): boolean {
  return lastBoxed(text) === undefined;
}

/** The content of the last box, "" if there is none; undefined if it is not closed. */
function lastBoxed(text: string): string | undefined {
  const box = text.lastIndexOf(BOX);
  if (box === -1) return "";
  const start = box + BOX.length;
  let depth = 1;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACE && --depth === 0) return text.slice(start, i);
  }
  return undefined;
}

/**
 * Keeps the content of LaTeX's text commands, and removes its spacing, `$`, `%` and white space:
 * `\text{5 cm}` equals `5\,cm`, and `50\%` equals `50`. Normalizes a number.
 */
function normalizeBoxed(text: string): string {
  const bare = text.replaceAll(/\\(?:text|mathrm|mathbf)\{([^{}]*)\}/g, "$1")
    .replaceAll(/\\[,;!% $]|[$%\s]/g, "");
  return /^[-+−]?[\d.,]*\d[\d.,]*$/.test(bare) ? normalizeNumber(bare) : bare;
}

function lastNumber(text: string): string {
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1))) end--;
  if (end === 0) return "";
  let start = end - 1;
  // Commas and points between digits are part of the number.
  while (
    start > 0 && (isDigit(text.charCodeAt(start - 1)) ||
      (",.".includes(text[start - 1]) && start > 1 && isDigit(text.charCodeAt(start - 2))))
  ) {
    start--;
  }
  const sign = start > 0 ? text[start - 1] : "";
  // After a letter, a digit or a bracket, a minus is a hyphen, or subtracts.
  const isNegative = (sign === "-" || sign === "−") &&
    !(start > 1 && /[\p{L}\d)\]]/u.test(text[start - 2]));
  return normalizeNumber((isNegative ? "-" : "") + text.slice(start, end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Normalizes the text of a number: `1,234.50` becomes `1234.5`. */
function normalizeNumber(text: string): string {
  const bare = text.replaceAll(/,(?=\d{3}(?!\d))/g, "").replace("−", "-").replace(/^\+/, "");
  const number = Number(bare);
  // A longer number would lose digits as a float.
  return bare.length <= 15 && Number.isFinite(number) ? String(number) : bare;
}
