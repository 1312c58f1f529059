/** A generator's options, checked once, with all defaults and derived values. @module */

import { askedSchemaOf, type Check, compilePattern, validateCheck } from "../checks/mod.ts";
import type { EndpointOptions } from "../engine/flow/mod.ts";
import { checkConcurrency, MAX_CONCURRENCY, RetryPolicy } from "../engine/mod.ts";
import { checkEndings } from "../answer.ts";
import { checkLimits, type OnTruncated } from "../engine/answers/mod.ts";
import { checkPrices } from "../prices/mod.ts";
import type { LineFormat } from "../sink/mod.ts";
import { RowParser, type RowParserOptions } from "../source/mod.ts";
import {
  type AskedSchema,
  checkParams,
  type Message,
  type Params,
  type Teacher,
  teacherOptionAdvice,
} from "../teacher/mod.ts";
import {
  aboveZero,
  amount,
  anything,
  callback,
  checkOptions,
  flag,
  number,
  oneOf,
  type OptionRule,
  type OptionRules,
  record,
  schema,
  signal,
  text,
  texts,
  wholeNumberFrom,
} from "../options.ts";
import { INPUT_FORMATS } from "../formats/mod.ts";
import type {
  ResponseGeneratorOptions,
  RowOptions,
  RunOptions,
  TeacherList,
  TeacherPlace,
} from "./options.ts";
import { MAX_SAMPLES } from "../params.ts";
import { jsonId } from "./run_file.ts";

export const ROW_RULES: OptionRules<RowOptions> = {
  system: text,
  template: text,
  promptField: text,
  uidField: texts,
  duplicates: oneOf(["merge", "keep"]),
  imagesRoot: text,
  mixedShapes: flag,
  inputFormat: oneOf(INPUT_FORMATS),
  jsonColumns: texts,
  binaryColumns: texts,
};

const PLACE_RULES: OptionRules<TeacherPlace> = {
  teacher: anything,
  weight: aboveZero,
  maxConcurrency: wholeNumberFrom(1, MAX_CONCURRENCY),
  rpm: aboveZero,
  tpm: aboveZero,
};

export const GENERATOR_RULES: OptionRules<ResponseGeneratorOptions> = {
  ...ROW_RULES,
  teacher: anything,
  teachers: { expected: "an array of { teacher }", isType: Array.isArray },
  teacherList: {
    expected: "an object with watch()",
    isType: (value) => typeof (value as TeacherList | null)?.watch === "function",
  },
  affinity: oneOf(["prefix"]),
  params: record,
  concurrency: {
    expected: 'a whole number from 1 to 100000, or "auto"',
    isType: (value) => typeof value === "number" || value === "auto",
  },
  carefulStart: flag,
  rpm: aboveZero,
  tpm: aboveZero,
  maxAttempts: wholeNumberFrom(1),
  rowTimeoutMs: aboveZero,
  // `aboveZero` alone does not allow Infinity.
  waitForTeacherMs: { ...aboveZero, isInRange: (value: number) => value > 0 },
  onTruncated: oneOf(["error", "keep", "escalate"]),
  maxTokensCap: aboveZero,
  acceptEndings: texts,
  rejectRefusals: flag,
  requireJson: flag,
  jsonSchema: schema,
  responseFormat: flag,
  rejectPattern: {
    expected: "a string or a RegExp",
    isType: (value) => typeof value === "string" || value instanceof RegExp,
  },
  validate: callback,
  resample: wholeNumberFrom(0),
  samples: wholeNumberFrom(1, MAX_SAMPLES),
  maxCostUsd: number,
  priceIn: amount,
  priceCached: amount,
  priceOut: amount,
  maxCompletionTokens: number,
  deadlineMs: aboveZero,
  updateInterval: wholeNumberFrom(1),
  signal,
  random: callback,
};

/** Options that `ResolvedOptions` replaces with others: each teacher has its own `rpm`, `check`
 * replaces `validate`, … */
type ReplacedName =
  | "teacher"
  | "rpm"
  | "tpm"
  | "carefulStart"
  | "maxAttempts"
  | "responseFormat"
  | "validate";

export interface ResolvedOptions extends Omit<ResponseGeneratorOptions, ReplacedName> {
  readonly teachers: readonly EndpointOptions[];
  /** The endpoint of a teacher that joins later, with the generator's limits unless `place` sets
   * its own. */
  readonly endpointOf: (place: TeacherPlace) => EndpointOptions;
  /** The models to request from the teachers, joined by commas. */
  readonly model: string;
  /** The teachers' addresses, without credentials, joined by commas. */
  readonly address: string;
  readonly params: Params;
  /** The check made from `validate`, which gets a row or, in `distill()`, an `Answer`. */
  readonly check: Check | undefined;
  /** Whether to check patterns and schemas on this thread. @default false: they are checked in a
   * worker */
  readonly checksOnThisThread?: boolean;
  /** The schema to request; undefined if `jsonSchema` is not set or must not be sent. */
  readonly askedSchema: AskedSchema | undefined;
  readonly notices: readonly string[];
  /** The number of lanes; if `isExploring`, the maximum for the search. */
  readonly concurrency: number;
  readonly isExploring: boolean;
  readonly isCareful: boolean;
  readonly retryPolicy: RetryPolicy;
  readonly onTruncated: OnTruncated;
  readonly duplicates: "merge" | "keep";
}

export function checkGeneratorOptions(
  options: unknown,
  rules: Readonly<Record<string, OptionRule>> = GENERATOR_RULES,
): void {
  checkOptions(options, rules, undefined, teacherOptionAdvice);
}

export function resolveOptions(options: ResponseGeneratorOptions): ResolvedOptions {
  checkGeneratorOptions(options);
  const places = placesOf(options);
  const { params, notices } = checkParams(options.params ?? {});
  const { jsonSchema, responseFormat = true } = options;
  const { concurrency: asked = 20 } = options, isExploring = asked === "auto";
  const concurrency = checkConcurrency(isExploring ? autoConcurrency(places.length) : asked);
  if (options.maxTokensCap !== undefined && options.onTruncated !== "escalate") {
    throw new TypeError('Cannot use maxTokensCap alone: set onTruncated to "escalate", too');
  }
  checkLimits(options);
  checkEndings(options.acceptEndings ?? []);
  checkPrices(options);
  if (options.rejectPattern !== undefined) compilePattern(options.rejectPattern);
  const resolved: ResolvedOptions = {
    ...options,
    teachers: places.map((place) => endpointOf(place, options)),
    endpointOf: ({ teacher, weight, maxConcurrency, rpm, tpm }) => {
      // Places of a list have further fields, which only the list uses and which `PLACE_RULES`
      // rejects.
      const place = { teacher, weight, maxConcurrency, rpm, tpm };
      checkOptions(place, PLACE_RULES);
      return endpointOf(place, options);
    },
    model: joinUnique(places.map(({ teacher }) => teacher.model ?? "")),
    address: joinUnique(places.flatMap(({ teacher }) => teacher.address || [])),
    // This is a copy, because output lines state these parameters, and the caller may change its
    // object.
    params: { ...params },
    check: options.validate && validateCheck(options.validate),
    askedSchema: jsonSchema === undefined || !responseFormat
      ? undefined
      : askedSchemaOf(jsonSchema),
    notices,
    concurrency,
    isExploring,
    isCareful: options.carefulStart ?? true,
    retryPolicy: new RetryPolicy(options),
    onTruncated: options.onTruncated ?? "error",
    duplicates: options.duplicates ?? "merge",
  };
  // The constructor of the parser throws if the template or a field is invalid.
  rowParserOf(resolved);
  checkSendable(resolved);
  return resolved;
}

/** Returns the maximum number of rows in flight that `auto` allows. */
export function autoConcurrency(teachers: number): number {
  return Math.min(MAX_CONCURRENCY, 1_024 * teachers);
}

/** Creates a parser. With `uidFieldLast`, it reads `id` before `uidField`, as the version that
 * began the output did. */
export function rowParserOf(
  options: ResolvedOptions,
  order: Pick<RowParserOptions, "uidFieldLast"> = {},
): RowParser {
  return new RowParser({
    ...options,
    ...order,
    runParams: options.params,
    problemOf: (messages, params) => problemOf(options.teachers, messages, params),
  });
}

export function lineFormat(
  generator: ResolvedOptions,
  options: Pick<RunOptions, "finalMessages" | "think">,
): LineFormat {
  return {
    paramsId: jsonId(generator.params),
    finalMessages: options.finalMessages ?? false,
    think: options.think ?? "wrap",
  };
}

function checkSendable(options: ResolvedOptions): void {
  const { system, params } = options;
  const user = { role: "user", content: "…" };
  const withSystem = system === undefined ? [] : [[{ role: "system", content: system }, user]];
  for (const messages of [[user], ...withSystem]) {
    const problem = problemOf(options.teachers, messages, params);
    if (problem !== undefined) throw new TypeError(`Cannot send any row: it ${problem}`);
  }
}

/** Returns why a row cannot be sent to one of the teachers; undefined if it can be sent to all. */
function problemOf(
  teachers: readonly EndpointOptions[],
  messages: readonly Message[],
  params: Params,
): string | undefined {
  for (const { teacher } of teachers) {
    const problem = teacher.problem?.({ messages, params });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function placesOf({ teacher, teachers }: ResponseGeneratorOptions): readonly TeacherPlace[] {
  if (teacher !== undefined && teachers !== undefined) {
    throw new TypeError('Cannot make a generator with "teacher" and "teachers": give one of them');
  }
  if (teachers === undefined) {
    checkTeacher(teacher, "teacher");
    return [{ teacher: teacher! }];
  }
  if (teachers.length === 0) {
    throw new TypeError('Cannot start without a teacher: "teachers" is an empty array');
  }
  for (const [index, place] of teachers.entries()) {
    checkOptions(place, PLACE_RULES, `teachers[${index}]`);
    checkTeacher(place.teacher, `teachers[${index}].teacher`);
  }
  return teachers;
}

function checkTeacher(teacher: unknown, name: string): void {
  const { complete, model, address } = (teacher ?? {}) as Partial<Teacher>;
  if (typeof complete !== "function") {
    const problem = teacher === undefined ? "is missing" : "has no complete()";
    throw new TypeError(`Cannot start without a teacher: "${name}" ${problem}`);
  }
  for (const [field, value] of Object.entries({ model, address })) {
    if (typeof (value ?? "") === "string") continue;
    throw new TypeError(`Cannot use the ${field} of "${name}": it must be a string`);
  }
}

function endpointOf(place: TeacherPlace, options: ResponseGeneratorOptions): EndpointOptions {
  const { teacher, weight = 1, maxConcurrency = MAX_CONCURRENCY } = place;
  const { rpm = options.rpm, tpm = options.tpm } = place;
  return { teacher, weight, maxConcurrency, rpm, tpm };
}

/** Joins the distinct names by commas: several teachers may serve the same model. */
function joinUnique(names: readonly string[]): string {
  return [...new Set(names)].join(", ");
}
