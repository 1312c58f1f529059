/**
 * Prompts made from a row's fields: `Translate {{text}} into {{target.language}}`.
 *
 * @module
 */

import { holdsNumber, isBlank, ownField, parseLossless } from "./json_values.ts";
import { RowProblem } from "./problem.ts";

export interface Template {
  /** The fields that the template names; for `a.b` both `a` and `a.b`. */
  readonly fields: ReadonlySet<string>;
  /** Returns the prompt. `text` is the JSON text of `row`, for numbers as they were written. */
  render(row: Readonly<Record<string, unknown>>, text: string): string | RowProblem;
}

/** A field in a template, and the text after it. */
interface Slot {
  /** The text between the braces. */
  readonly name: string;
  readonly path: readonly string[];
  /** The fixed text between this slot and the next one. */
  readonly after: string;
}

/**
 * Parses a template. `{{field}}` stands for a field of the row, `{{a.b}}` for a field of an object
 * in it (a field named `a.b` takes precedence), `{{turns.0}}` for an element of an array.
 * Strings are inserted as they are, everything else as JSON with numbers as written. A row in which
 * a field is missing or null is a bad row. A `}}` without `{{` is text, and so are single braces.
 *
 * @throws {RangeError} If the template names no field, or a `{{` is not closed.
 */
export function compileTemplate(source: string): Template {
  const [start, ...pieces] = source.split("{{");
  if (pieces.length === 0) {
    throw new RangeError(
      `Cannot read the template: it must name a field, as in "Solve: {{question}}", or all rows ` +
        `would be the same prompt: current value is ${JSON.stringify(source)}`,
    );
  }
  const slots = pieces.map((piece) => slotOf(piece, source));
  const fields = new Set(slots.flatMap(({ name, path }) => [name, path[0]]));
  return { fields, render: (row, text) => fill(start, slots, row, text) };
}

function slotOf(piece: string, source: string): Slot {
  const end = piece.indexOf("}}");
  if (end === -1) {
    throw new RangeError(
      `Cannot read the template: "{{" must be closed by "}}": current value is ${
        JSON.stringify(source)
      }`,
    );
  }
  const name = piece.slice(0, end).trim();
  if (name === "") {
    throw new RangeError(
      `Cannot read the template: "{{" must be followed by a field: current value is ${
        JSON.stringify(source)
      }`,
    );
  }
  return { name, path: name.split("."), after: piece.slice(end + 2) };
}

function fill(
  start: string,
  slots: readonly Slot[],
  row: Readonly<Record<string, unknown>>,
  text: string,
): string | RowProblem {
  let prompt = start;
  for (const slot of slots) {
    const value = valueAt(row, slot);
    if (value === undefined || value === null) {
      return new RowProblem(`template needs the field "${slot.name}": the row has none`);
    }
    if (typeof value === "string") prompt += value;
    else if (!holdsNumber(value)) prompt += JSON.stringify(value);
    else prompt += JSON.stringify(valueAt(parseLossless(text), slot));
    prompt += slot.after;
  }
  if (isBlank(prompt)) return new RowProblem("template gives an empty prompt for this row");
  return prompt;
}

function valueAt(row: unknown, slot: Slot): unknown {
  const exact = ownField(row, slot.name);
  return exact !== undefined || slot.path.length === 1 ? exact : slot.path.reduce(ownField, row);
}
