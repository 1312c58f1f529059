/**
 * Extracts the final answer from the text of a solution: the content of the last `\boxed{…}`, or
 * else the last number.
 *
 * @module
 */

const BOX = "\\boxed{";

/** The final answer, normalized so that equal answers are equal texts; "" if there is none. */
export function finalAnswerOf(text: string): string {
  const box = text.lastIndexOf(BOX);
  const boxed = box === -1 ? "" : untilClosingBrace(text, box + BOX.length);
  return boxed === "" ? lastNumber(text) : normalizeBoxed(boxed);
}

function untilClosingBrace(text: string, from: number): string {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 123) depth++;
    else if (code === 125 && --depth === 0) return text.slice(from, i);
  }
  // The box is not closed: the text was cut off.
  return "";
}

/** Strips LaTeX's text commands and spacing, `$`, `%` and white space; normalizes a number. */
function normalizeBoxed(text: string): string {
  const bare = text.replaceAll(/\\(?:text|mathrm|mathbf)\{([^{}]*)\}|\\[,;!% $]|[$%\s]/g, "$1");
  return /^[-+−]?[\d.,]*\d[\d.,]*$/.test(bare) ? normalizeNumber(bare) : bare;
}

function lastNumber(text: string): string {
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1))) end--;
  if (end === 0) return "";
  let from = end - 1;
  // Commas and points between digits are part of the number.
  while (
    from > 0 && (isDigit(text.charCodeAt(from - 1)) ||
      (",.".includes(text[from - 1]) && from > 1 && isDigit(text.charCodeAt(from - 2))))
  ) {
    from--;
  }
  const before = from > 0 ? text[from - 1] : "";
  const isNegative = (before === "-" || before === "−") &&
    !(from > 1 && /[\p{L}\d)\]]/u.test(text[from - 2]));
  return normalizeNumber((isNegative ? "-" : "") + text.slice(from, end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Normalizes the text of a number: `1,234.50` becomes `1234.5`. */
function normalizeNumber(text: string): string {
  const bare = text.replaceAll(/,(?=\d{3}(?!\d))/g, "").replace("−", "-").replace(/^\+/, "");
  const number = Number(bare);
  // As a float, a longer number would lose digits.
  return bare.length <= 15 && Number.isFinite(number) ? String(number) : bare;
}
