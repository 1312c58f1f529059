/**
 * Derived fields for the conditions of commands that read lines in order, without an index.
 *
 * @module
 */

import { originOf } from "../answer.ts";
import { UsageError } from "../errors.ts";
import { xxHash64Hex } from "../hash.ts";
import { derivedFrom, isOfRetort, VIEW_ONLY_FIELDS } from "./fields.ts";
import { FLAG_BIT, flagNames, flagsOf, LONG_ANSWER_CHARS } from "./flags.ts";
import { DamagedLine, factsOf, type LineFacts, readHints, type RunHints } from "./line_facts.ts";

const DERIVED_FOR_COMMANDS: ReadonlySet<string> = new Set([
  "status",
  "flags",
  "prompt",
  "source_file",
  "cost_usd",
]);

export function needsDerived(paths: readonly (readonly string[])[]): boolean {
  return paths.some((path) => DERIVED_FOR_COMMANDS.has(isOfRetort(path) ? path[1] : path[0]));
}

/**
 * Checks that a command can compute all fields of a condition.
 *
 * @param isOwn Whether rows have a field of this name themselves, which the condition then means.
 *
 * @throws {UsageError} If only the page of `retort view` can compute one of them.
 */
export function checkComputable(
  paths: readonly (readonly string[])[],
  isOwn: (name: string) => boolean,
): void {
  for (const path of paths) {
    const name = isOfRetort(path) ? path[1] : path[0];
    if (!VIEW_ONLY_FIELDS.has(name) || (path[0] === name && isOwn(name))) continue;
    throw new UsageError(
      `Cannot use ${name} in a command: only the page of "view" computes this field. Save the ` +
        "rows as a selection there, and pass it to --uids or --exclude-uids",
    );
  }
}

/** Computes derived fields for commands. Pass all lines in order: `duplicate` depends on that. */
export class DerivedFields {
  readonly #hints: RunHints;
  /**
   * The uid, without the number of the sample, of the first row with an answer. By the hash of the
   * answer; for a short answer, of the answer and its prompt.
   */
  readonly #firstRows = new Map<string, string>();

  /** @param results Paths of results files, next to which the run files are. */
  constructor(results: readonly string[]) {
    const hints = results.map(readHints);
    this.#hints = {
      params: Object.assign({}, ...hints.map(({ params }) => params)),
      uidFields: hints.flatMap(({ uidFields = [] }) => uidFields),
    };
  }

  /** The derived fields of a line; undefined if the line is damaged or not one of Retort's. */
  compute(text: string, prompt: string): object | undefined {
    const facts = factsOf(text, this.#hints);
    if (facts instanceof DamagedLine) return undefined;
    return { ...derivedFrom(facts), prompt, flags: this.#flags(facts, prompt) };
  }

  #flags(facts: LineFacts, prompt: string): readonly string[] {
    if (facts.status !== "answered") return [];
    let bits = flagsOf(facts, prompt);
    if (facts.response !== "" && this.#isDuplicate(facts)) bits |= FLAG_BIT.duplicate;
    return flagNames(bits);
  }

  /**
   * Whether an earlier row has the same answer and, for a short one, the same prompt. Other samples
   * of that row are no duplicates, as in `Table`.
   */
  #isDuplicate({ line, response, promptHash }: LineFacts): boolean {
    const isLong = response.length > LONG_ANSWER_CHARS;
    const key = xxHash64Hex(isLong ? response : JSON.stringify([promptHash, response]));
    const { rowUid } = originOf(line, this.#hints.uidFields);
    const firstRow = this.#firstRows.get(key);
    if (firstRow === undefined) this.#firstRows.set(key, rowUid);
    return firstRow !== undefined && firstRow !== rowUid;
  }
}
