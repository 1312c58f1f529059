/**
 * Reads the values of fields in conditions: from the columns if they hold the field, else from
 * lines. Includes derived fields such as `status`, `flags`, `prompt` and `source_file`.
 *
 * @module
 */

import { RESERVED_FIELDS } from "../row.ts";
import type { ColumnArrays, OwnField } from "./columns.ts";
import { FLAG_BIT, flagNames, flagsOf, LONG_ANSWER_CHARS } from "./flags.ts";
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
  /** Returns the value of the field in a row. */
  readonly valueAt: (row: number) => unknown;
  /** The code of each row's value, if there are few values; rows beyond the end have code 0. */
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

/** Columns of numbers, by the names that conditions use. */
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

/** The getter for the path of a field; undefined if lines must be read for it. */
export function getterOf(table: Table, path: readonly string[]): Getter | undefined {
  const own = ownGetter(table, path);
  if (own === undefined) return undefined;
  const builtIn = builtInGetter(table, path);
  if (own === "none") return builtIn;
  // A row's own field takes precedence over a field of Retort's with the same name.
  if (builtIn === undefined) return undefined;
  if (builtIn === ABSENT) return own;
  return {
    valueAt: (row) => own.valueAt(row) ?? builtIn.valueAt(row),
    isNumber: own.isNumber && builtIn.isNumber,
  };
}

/** For fields that no row has. */
const ABSENT: Getter = { valueAt: () => null, codes: new Uint8Array(0), isNumber: false };

/** The getter for a field of the user's rows, or `"none"` if no row has such a field. */
function ownGetter(table: Table, path: readonly string[]): Getter | "none" | undefined {
  if (!table.fieldNames.has(path[0])) return "none";
  const field = table.fields.get(path.join("\0"));
  if (field === undefined || !field.isIndexed) return undefined;
  // Another field's path, if a name holds a NUL.
  if (field.path.length !== path.length) return undefined;
  // In some rows, the value is an object. The columns hold the object's fields, but not the object.
  if (
    path.length === 1 &&
    table.fields.values().some((other) => other.path.length === 2 && other.path[0] === path[0])
  ) {
    return undefined;
  }
  return fieldGetter(field);
}

function fieldGetter(field: OwnField): Getter {
  const { values, codes } = field;
  const isNumber = field.hasNumbers && field.numbers !== undefined;
  const valueAt = (row: number) => field.valueAt(row);
  return values === undefined ? { valueAt, isNumber } : { valueAt, codes, isNumber };
}

/** The getter for a field that Retort writes or derives; undefined if lines must be read. */
function builtInGetter(table: Table, path: readonly string[]): Getter | undefined {
  const { columns, names } = table;
  const name = path[0] === "distill" && path.length === 2 ? path[1] : path.join(".");
  if (Object.hasOwn(NUMBER_FIELDS, name)) {
    const numbers: NumberArray = columns[NUMBER_FIELDS[name as keyof typeof NUMBER_FIELDS]];
    return { valueAt: (row) => numbers[row], numbers, isNumber: true };
  }
  if (Object.hasOwn(NAME_FIELDS, name)) {
    const column = NAME_FIELDS[name as keyof typeof NAME_FIELDS];
    return {
      valueAt: (row) => names[column].list[columns[column][row]],
      codes: columns[column],
      isNumber: false,
    };
  }
  if (Object.hasOwn(DERIVED_FIELDS, name)) {
    const getter = DERIVED_FIELDS[name](table);
    return getter === ABSENT ? ABSENT : { isNumber: false, ...getter };
  }
  return name === "error" || FIELDS_IN_LINES.has(path[0]) ? undefined : ABSENT;
}

const DERIVED_FIELDS: Readonly<Record<string, (table: Table) => Omit<Getter, "isNumber">>> = {
  status: ({ columns: { status } }) => ({ valueAt: (row) => STATUSES[status[row]], codes: status }),
  flags: ({ columns: { flags } }) => ({ valueAt: (row) => flagNames(flags[row]), codes: flags }),
  "error.type": ({ columns: { failure }, names }) => ({
    valueAt: (row) => names.failure.list[failure[row]] || null,
    codes: failure,
  }),
  "error.status": ({ columns: { httpStatus } }) => ({
    valueAt: (row) => httpStatus[row] || null,
    codes: httpStatus,
  }),
  "error.attempts": ({ columns: { status, attempts } }) => ({
    valueAt: (row) => status[row] === 0 ? null : attempts[row],
  }),
  run_agreement: ({ compared }) => comparedGetter(compared?.agreement, AGREEMENTS),
  compared_run: ({ compared }) => comparedGetter(compared?.run, compared?.paths ?? []),
  near_duplicate: (table) => ({ valueAt: (row) => table.nearOf?.has(row) ?? false }),
};

function comparedGetter(codes: Uint8Array | undefined, values: readonly string[]): Getter {
  if (codes === undefined) return ABSENT;
  return { valueAt: (row) => values[codes[row]] ?? null, codes, isNumber: false };
}

/** Fields that Retort writes, but that have no column. */
const FIELDS_IN_LINES: ReadonlySet<string> = new Set([
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

/** Fields that commands compute with `DerivedFields`, because lines may lack them. */
const DERIVED_FOR_COMMANDS: ReadonlySet<string> = new Set([
  "status",
  "flags",
  "prompt",
  "source_file",
  "cost_usd",
]);

/** Whether a path can only mean a derived field, and not a field of the user's rows. */
export function isOfRetort(path: readonly string[]): boolean {
  return path[0] === "distill" && path.length === 2 && DERIVED_FOR_COMMANDS.has(path[1]);
}

/** Fields that only the page of `retort view` can compute. */
const VIEW_ONLY_FIELDS: ReadonlySet<string> = new Set([
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
  const viewOnly = names.find((name) => VIEW_ONLY_FIELDS.has(name));
  if (viewOnly !== undefined) {
    throw new UsageError(
      `Cannot use ${viewOnly} in a command: only the page of "view" computes this field. Save the ` +
        "rows as a selection there, and pass it to --uids or --exclude-uids",
    );
  }
  return names.some((name) => DERIVED_FOR_COMMANDS.has(name));
}

/** Computes derived fields for commands. Pass all lines in order: `duplicate` depends on that. */
export class DerivedFields {
  readonly #hints: RunHints;
  /** The uid of the first row with an answer, without the sample, by the answer's hash. */
  readonly #firstRows = new Map<string, string>();

  /** @param results Paths of the results files. The run files next to them hold the parameters. */
  constructor(results: readonly string[]) {
    this.#hints = { params: Object.assign({}, ...results.map((path) => readHints(path).params)) };
  }

  /** The derived fields of a line; undefined if the line is damaged or not one of Retort's. */
  compute(text: string, prompt: string): object | undefined {
    const facts = factsOf(text, this.#hints);
    if (facts instanceof DamagedLine) return undefined;
    return { ...derivedFrom(facts), prompt, flags: this.#flags(facts, prompt) };
  }

  #flags(facts: LineFacts, prompt: string): readonly string[] {
    if (facts.status !== "answered") return [];
    let bits = flagsOf({ ...facts, prompt, asksForJson: requestsJson(facts.params) });
    if (facts.response !== "" && this.#isDuplicate(facts)) bits |= FLAG_BIT.duplicate;
    return flagNames(bits);
  }

  /**
   * Whether an earlier row has the same answer. As in `Table`, other samples of the first row with
   * an answer are not duplicates.
   */
  #isDuplicate({ response, uid, promptHash }: LineFacts): boolean {
    const isLong = response.length > LONG_ANSWER_CHARS;
    const key = xxHash64Hex(isLong ? response : JSON.stringify([promptHash, response]));
    const row = uid.replace(/#[1-9]\d{0,2}$/, "");
    const firstRow = this.#firstRows.get(key);
    if (firstRow === undefined) this.#firstRows.set(key, row);
    return firstRow !== undefined && firstRow !== row;
  }
}

/** Returns the objects in which a condition looks for a field, in this order. */
export function lookupObjects(
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

/** The derived fields of a line, except `flags` and `prompt`, which take longer to compute. */
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
