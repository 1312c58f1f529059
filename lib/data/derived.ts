/**
 * Fields that no line has, for lines that no index holds: `status`, `flags`, `prompt`, `source_file`.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { xxHash64Hex } from "../hash.ts";
import { readHints } from "./find_files.ts";
import { FLAG_BIT, flagNames, flagsOf, LONG_ANSWER } from "./flags.ts";
import { DamagedLine, factsOf, type LineFacts, requestsJson, type RunHints } from "./line_facts.ts";
import { derivedFrom } from "./places.ts";

const DERIVED: ReadonlySet<string> = new Set([
  "status",
  "flags",
  "prompt",
  "source_file",
  "cost_usd",
]);

/** What the page finds out when it is asked to. */
const ONLY_OF_VIEW: ReadonlySet<string> = new Set([
  "near_duplicate",
  "run_agreement",
  "compared_run",
]);

/**
 * Whether any of these paths of a condition needs what no line has.
 *
 * @throws {UsageError} where only the page of `view` knows it
 */
export function needsDerived(paths: readonly (readonly string[])[]): boolean {
  const ofPage = paths.find(([name]) => ONLY_OF_VIEW.has(name));
  if (ofPage !== undefined) {
    throw new UsageError(
      `Cannot use ${
        ofPage[0]
      } in a command: only the page of view knows it. Save its rows as a selection ` +
        "there, and use --uids or --exclude-uids",
    );
  }
  return paths.some(([name]) => DERIVED.has(name));
}

/** The derived fields of lines that are read one after the other, each of them once. */
export class DerivedFields {
  readonly #hints: RunHints;
  readonly #seen = new Map<string, string>();

  /** For lines of these results files, whose runs say what was asked for. */
  constructor(results: readonly string[]) {
    this.#hints = { params: Object.assign({}, ...results.map((path) => readHints(path).params)) };
  }

  /** The derived fields of a line that was asked with this prompt; undefined for a line that is none of ours. */
  of(text: string, prompt: string): object | undefined {
    const facts = factsOf(text, this.#hints);
    if (facts instanceof DamagedLine) return undefined;
    return { ...derivedFrom(facts), prompt, flags: this.#flags(facts, prompt) };
  }

  #flags(facts: LineFacts, prompt: string): readonly string[] {
    if (facts.status !== "answered") return [];
    let bits = flagsOf({ ...facts, prompt, asksForJson: requestsJson(facts.params) });
    if (facts.response !== "" && this.#isCopy(facts)) bits |= FLAG_BIT.duplicate;
    return flagNames(bits);
  }

  /** As `Table` has it: the first row of an answer is no copy, nor is another sample of it. */
  #isCopy({ response, uid, promptHash }: LineFacts): boolean {
    const isLong = response.length > LONG_ANSWER;
    const key = xxHash64Hex(isLong ? response : JSON.stringify([promptHash, response]));
    const row = uid.replace(/#[1-9]\d{0,2}$/, "");
    const first = this.#seen.get(key);
    if (first === undefined) this.#seen.set(key, row);
    return first !== undefined && first !== row;
  }
}
