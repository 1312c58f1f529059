/**
 * What a run says of its input before the first call is paid for.
 *
 * @module
 */

import { MODELS_SHOWN, type Preflight } from "./preflight.ts";

/** The least that a first pass has to know to be judged. */
type Found = Pick<
  Preflight,
  | "bad"
  | "shapes"
  | "changed"
  | "rows"
  | "samples"
  | "succeeded"
  | "failed"
  | "merged"
  | "models"
  | "ownModels"
  | "resent"
  | "unsent"
  | "hashed"
  | "unmetUidFields"
  | "unmetPromptField"
  | "fromRuns"
>;

/** One line for each input: what was found in it. Others for what is probably not meant. */
export function describeInput(inputs: readonly string[], found: readonly Found[]): string[] {
  return [
    ...countLines(inputs, found),
    ...uidFieldLines(inputs, found),
    ...promptFieldLines(inputs, found),
    ...fromRunLines(inputs, found),
    ...unsentLines(found),
  ];
}

/** The most fields that are named. */
const UNSENT_SHOWN = 20;

function unsentLines(found: readonly Found[]): string[] {
  const names = [...new Set(found.flatMap(({ unsent }) => [...unsent]))];
  if (names.length === 0) return [];
  const shown = names.slice(0, UNSENT_SHOWN).map((name) =>
    /^[\w.[\]-]+$/.test(name) ? name : JSON.stringify(name)
  );
  return [`not sent: ${shown.join(", ")}${names.length > shown.length ? ", …" : ""}`];
}

/** The prompt is then taken from where the rows' shape has it. */
function promptFieldLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ rows, unmetPromptField: field }, index) =>
    rows === 0 || field === undefined
      ? []
      : [`No row of ${nameOf(inputs[index])} has the field "${field}" of --prompt-field`]
  );
}

/** Results handed over in place of prompts would be paid for a second time. */
function fromRunLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ fromRuns }, index) =>
    fromRuns === 0 ? [] : [
      `${plural(fromRuns, "row")} of ${nameOf(inputs[index])} ${
        fromRuns === 1 ? "is a line" : "are lines"
      } ` +
      "that an earlier run has written: their prompts are asked again. " +
      '"export" makes a training set of results, and "retry" asks failed rows again',
    ]
  );
}

function nameOf(input: string): string {
  return input === "-" ? "standard input" : `"${input}"`;
}

function countLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.map((one, index) => {
    const name = inputs[index] === "-" ? "standard input" : inputs[index];
    const parts = [`${name}: ${plural(one.rows, "row")}`];
    if (one.shapes.size > 0) parts.push(`(${counted(one.shapes)})`);
    if (one.samples > 1) parts.push(`with ${one.samples.toLocaleString("en-US")} samples each`);
    const extras = [
      [one.succeeded, "have a result"],
      [one.failed, "failed before"],
      [one.merged, "merged as identical"],
      [one.changed, "edited since"],
      [one.resent.values().reduce((total, count) => total + count, 0), "sent in another way now"],
      [one.bad.count, "bad"],
    ] as const;
    const said = extras.filter(([count]) => count > 0).map(([count, what]) =>
      `${count.toLocaleString("en-US")} ${what}`
    );
    // It is what will be paid for, whatever `model` says.
    if (one.ownModels > 0) {
      const set = one.ownModels === 1 ? "sets a model of its own" : "set a model of their own";
      said.push(`${one.ownModels.toLocaleString("en-US")} ${set}: ${listed(one.models)}`);
    }
    return said.length === 0 ? parts.join(" ") : `${parts.join(" ")}, ${said.join(", ")}`;
  });
}

/** Without a word of it, a mistyped name is found out when the results are to be joined by their uids. */
function uidFieldLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ rows, hashed, unmetUidFields }, index) => {
    if (rows === 0 || unmetUidFields.length === 0) return [];
    const name = nameOf(inputs[index]);
    const fields = unmetUidFields.map((field) => `"${field}"`).join(" or ");
    const names = [
      ...(hashed < rows ? ["by their uid, custom_id or id"] : []),
      ...(hashed > 0 ? ["by a hash of themselves"] : []),
    ];
    return [
      `No row of ${name} has a value for the field ${fields} of --uid-field: ` +
      `rows are named ${names.join(", or ")}`,
    ];
  });
}

function listed(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, MODELS_SHOWN);
  return names.size > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}

function counted(shapes: ReadonlyMap<string, number>): string {
  return [...shapes].map(([shape, count]) => `${count.toLocaleString("en-US")} ${shape}`).join(
    ", ",
  );
}

function plural(count: number, word: string): string {
  return `${count.toLocaleString("en-US")} ${word}${count === 1 ? "" : "s"}`;
}
