/**
 * Extracts the final answer from a text, as for mathematics: the content of the last `\boxed{…}`,
 * else the last number.
 *
 * @module
 */

const BOX = "\\boxed{";

/** The final answer, normalized so that equal answers are equal texts; "" if there is none. */
export function finalAnswerOf(text: string): string {
  const box = text.lastIndexOf(BOX);
  const boxed = box === -1 ? "" : bracedAt(text, box + BOX.length);
  return boxed === "" ? lastNumber(text) : plain(boxed);
}

function bracedAt(text: string, from: number): string {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 123) depth++;
    else if (code === 125 && --depth === 0) return text.slice(from, at);
  }
  // The box is not closed: the text was cut off.
  return "";
}

/** Strips LaTeX's text commands and spacing, `$`, `%` and white space; normalizes a number. */
function plain(text: string): string {
  const bare = text.replaceAll(/\\(?:text|mathrm|mathbf)\{([^{}]*)\}|\\[,;!% $]|[$%\s]/g, "$1");
  return /^[-+−]?[\d.,]*\d[\d.,]*$/.test(bare) ? numberText(bare) : bare;
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
  return numberText((isNegative ? "-" : "") + text.slice(from, end));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Normalizes a number: `1,234.50` becomes `1234.5`. */
function numberText(text: string): string {
  const bare = text.replaceAll(/,(?=\d{3}(?!\d))/g, "").replace("−", "-").replace(/^\+/, "");
  const number = Number(bare);
  // As a float, a longer number would lose digits.
  return bare.length <= 15 && Number.isFinite(number) ? String(number) : bare;
}
