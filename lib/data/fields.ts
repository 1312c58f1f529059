/**
 * The values of fields in conditions, from the columns if they have them, else from lines. Includes
 * derived fields such as `status`, `flags`, `prompt` and `source_file`.
 *
 * @module
 */

import { RESERVED_FIELDS } from "../row.ts";
import type { ColumnArrays, OwnField } from "./columns.ts";
import { FLAG_BIT, flagNames, flagsOf, LONG_ANSWER } from "./flags.ts";
import {
  DamagedLine,
  factsOf,
  type LineFacts,
  objectOf,
  readHints,
  requestsJson,
  type RunHints,
  STATUSES,
} from "./line_facts.ts";
import { AGREEMENTS, type Table } from "./table.ts";
import { UsageError } from "../errors.ts";
import { xxHash64Hex } from "../hash.ts";
import { promptOf } from "./turns.ts";

/** Access to one field of all rows, without reading lines. */
interface Getter {
  /** The value of the field in a row. */
  readonly at: (row: number) => unknown;
  /** A code of each row's value, if there are few values; rows beyond the end have code 0. */
  readonly codes?: Uint8Array | Uint16Array;
  /** The column itself, if the field is a column of numbers. */
  readonly numbers?: NumberArray;
  /** Whether the field holds only numbers. */
  readonly isNumber: boolean;
}

/** A column of numbers. */
export type NumberArray = Uint16Array | Uint32Array | Float64Array;

type NumberColumn = {
  [Name in keyof ColumnArrays]: Name extends
    | "promptTokens"
    | "completionTokens"
    | "reasoningTokens"
    | "cachedTokens"
    | "latencyMs"
    | "attempts"
    | "costUsd" ? Name
    : never;
}[keyof ColumnArrays];

/** Columns of numbers by their names in lines. */
export const NUMBER_FIELDS = {
  prompt_tokens: "promptTokens",
  completion_tokens: "completionTokens",
  reasoning_tokens: "reasoningTokens",
  cached_tokens: "cachedTokens",
  latency_ms: "latencyMs",
  attempts: "attempts",
  cost_usd: "costUsd",
} as const satisfies Record<string, NumberColumn>;

/** Columns with codes of `Table.names`, by their names in conditions. */
const NAME_FIELDS = {
  model: "model",
  teacher: "teacher",
  finish_reason: "finishReason",
  source_file: "source",
} as const;

/** The getter for the path of a field; undefined if lines have to be read for it. */
export function getterOf(table: Table, path: readonly string[]): Getter | undefined {
  const own = ownGetter(table, path);
  if (own === undefined) return undefined;
  const ours = oursOf(table, path);
  if (own === "none") return ours;
  // A row may have a field with the name of one of ours: its own comes first.
  if (ours === undefined) return undefined;
  if (ours === NOTHING) return own;
  return { at: (row) => own.at(row) ?? ours.at(row), isNumber: own.isNumber && ours.isNumber };
}

/** For fields that no row has. */
const NOTHING: Getter = { at: () => null, codes: new Uint8Array(0), isNumber: false };

function ownGetter(table: Table, path: readonly string[]): Getter | "none" | undefined {
  if (!table.fieldNames.has(path[0])) return "none";
  const field = table.fields.get(path.join("\0"));
  if (field === undefined || !field.isKept) return undefined;
  // In some rows, the field is an object: its fields are in the columns, but it is not.
  if (
    path.length === 1 &&
    [...table.fields.values()].some((one) => one.path.length === 2 && one.path[0] === path[0])
  ) {
    return undefined;
  }
  return fieldGetter(field);
}

function fieldGetter(field: OwnField): Getter {
  const { values, codes } = field;
  const isNumber = field.hasNumbers && field.numbers !== undefined;
  const at = (row: number) => field.valueAt(row);
  return values === undefined ? { at, isNumber } : { at, codes, isNumber };
}

/** The getter for a field that Retort writes or derives; undefined if lines have to be read. */
function oursOf(table: Table, path: readonly string[]): Getter | undefined {
  const { columns, names } = table;
  const name = path[0] === "distill" && path.length === 2 ? path[1] : path.join(".");
  if (Object.hasOwn(NUMBER_FIELDS, name)) {
    const numbers: NumberArray = columns[NUMBER_FIELDS[name as keyof typeof NUMBER_FIELDS]];
    return { at: (row) => numbers[row], numbers, isNumber: true };
  }
  if (Object.hasOwn(NAME_FIELDS, name)) {
    const column = NAME_FIELDS[name as keyof typeof NAME_FIELDS];
    return {
      at: (row) => names[column].list[columns[column][row]],
      codes: columns[column],
      isNumber: false,
    };
  }
  if (Object.hasOwn(DERIVED_FIELDS, name)) {
    const getter = DERIVED_FIELDS[name](table);
    return getter === NOTHING ? NOTHING : { isNumber: false, ...getter };
  }
  return name === "error" || IN_LINES.has(path[0]) ? undefined : NOTHING;
}

const DERIVED_FIELDS: Readonly<Record<string, (table: Table) => Omit<Getter, "isNumber">>> = {
  status: ({ columns: { status } }) => ({ at: (row) => STATUSES[status[row]], codes: status }),
  flags: ({ columns: { flags } }) => ({ at: (row) => flagNames(flags[row]), codes: flags }),
  "error.type": ({ columns: { failure }, names }) => ({
    at: (row) => names.failure.list[failure[row]] || null,
    codes: failure,
  }),
  "error.status": ({ columns: { httpStatus } }) => ({
    at: (row) => httpStatus[row] || null,
    codes: httpStatus,
  }),
  "error.attempts": ({ columns: { status, attempts } }) => ({
    at: (row) => status[row] === 0 ? null : attempts[row],
  }),
  run_agreement: ({ compared }) => comparedGetter(compared?.agreement, AGREEMENTS),
  compared_run: ({ compared }) => comparedGetter(compared?.run, compared?.paths ?? []),
  near_duplicate: (table) => ({ at: (row) => table.nearOf?.has(row) ?? false }),
};

function comparedGetter(codes: Uint8Array | undefined, values: readonly string[]): Getter {
  if (codes === undefined) return NOTHING;
  return { at: (row) => values[codes[row]] ?? null, codes, isNumber: false };
}

/** Fields of Retort's that no column has. */
const IN_LINES: ReadonlySet<string> = new Set([
  ...RESERVED_FIELDS,
  "prompt",
  "model_returned",
  "response_id",
  "ttft_ms",
  "created",
  "source",
  "params",
  "refusal",
  "kept",
  "replaced",
]);

const DERIVED: ReadonlySet<string> = new Set([
  "status",
  "flags",
  "prompt",
  "source_file",
  "cost_usd",
]);

/** Whether a path names a derived field in a way that no field of the user's can be meant. */
export function isOfRetort(path: readonly string[]): boolean {
  return path[0] === "distill" && path.length === 2 && DERIVED.has(path[1]);
}

/** Fields that only the page of `retort view` can compute. */
const ONLY_OF_VIEW: ReadonlySet<string> = new Set([
  "near_duplicate",
  "run_agreement",
  "compared_run",
]);

/**
 * Whether a condition of a command needs `DerivedFields`.
 *
 * @param paths The fields in the condition.
 * @throws {UsageError} If only the page of `retort view` can compute one of them.
 */
export function needsDerived(paths: readonly (readonly string[])[]): boolean {
  const names = paths.map((path) => isOfRetort(path) ? path[1] : path[0]);
  const ofPage = names.find((name) => ONLY_OF_VIEW.has(name));
  if (ofPage !== undefined) {
    throw new UsageError(
      `Cannot use ${ofPage} in a command: only the page of view knows it. Save its rows as a selection ` +
        "there, and use --uids or --exclude-uids",
    );
  }
  return names.some((name) => DERIVED.has(name));
}

/** Computes derived fields for commands. Pass all lines in order: `duplicate` depends on that. */
export class DerivedFields {
  readonly #hints: RunHints;
  readonly #seen = new Map<string, string>();

  /** @param results The results files, whose run files have the parameters. */
  constructor(results: readonly string[]) {
    this.#hints = { params: Object.assign({}, ...results.map((path) => readHints(path).params)) };
  }

  /** The derived fields of a line; undefined if the line is damaged or not one of Retort's. */
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

  /**
   * Whether an earlier row has the same answer. As in `Table`, other samples of the first row with
   * an answer are not duplicates.
   */
  #isCopy({ response, uid, promptHash }: LineFacts): boolean {
    const isLong = response.length > LONG_ANSWER;
    const key = xxHash64Hex(isLong ? response : JSON.stringify([promptHash, response]));
    const row = uid.replace(/#[1-9]\d{0,2}$/, "");
    const first = this.#seen.get(key);
    if (first === undefined) this.#seen.set(key, row);
    return first !== undefined && first !== row;
  }
}

/** The objects in which a condition looks for a field: the first that has it counts. */
export function placesOf(
  facts: LineFacts,
  hints: RunHints,
  flags: () => readonly string[],
): object[] {
  const { line } = facts;
  const derived = {
    ...derivedFrom(facts),
    get flags() {
      return flags();
    },
    get prompt() {
      return promptOf(line, hints);
    },
  };
  return [line, objectOf(line.distill), derived];
}

/** The derived fields of a line, except `flags` and `prompt`, which take longer. */
function derivedFrom(facts: LineFacts): object {
  return {
    status: facts.status,
    source_file: facts.source,
    model: facts.model,
    teacher: facts.teacher,
    finish_reason: facts.finishReason,
    prompt_tokens: facts.promptTokens,
    completion_tokens: facts.completionTokens,
    reasoning_tokens: facts.reasoningTokens,
    cached_tokens: facts.cachedTokens,
    latency_ms: facts.latencyMs,
    attempts: facts.attempts,
    cost_usd: facts.costUsd,
    // Failures lines have these in `partial`.
    response: facts.response,
    reasoning: facts.reasoning,
  };
}
