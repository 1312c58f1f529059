/**
 * Checks for answers that must not match a pattern, or must be JSON, with or without a JSON Schema.
 *
 * Ajv compiles the schema to a function, which checks a small answer in 0.1 µs; a validator that
 * interprets the schema takes 4.5 µs. Ajv also validates the schema: a typo such as
 * `"type": "intger"` is found before the first call.
 *
 * @module
 */

import type { ErrorObject, FuncKeywordDefinition, Options, ValidateFunction } from "../deps/ajv.ts";
import { isObject } from "../json.ts";
import { cut } from "../printable.ts";
import type { AskedSchema, Completion } from "../teacher/mod.ts";

/** Returns why an answer is rejected; undefined if it passes. */
export type AnswerCheck = (
  answer: Pick<Completion, "response" | "toolCalls">,
) => string | undefined;

/** Rejects answers whose text matches. Reasoning and tool calls are not searched. */
export function patternCheck(regExp: RegExp): AnswerCheck {
  const reason = `Matches the reject pattern ${regExp}`;
  return ({ response }) => {
    regExp.lastIndex = 0;
    return regExp.test(response ?? "") ? reason : undefined;
  };
}

/**
 * Compiles a reject pattern.
 *
 * @param pattern A string gets the flag `u`. Groups can set other flags: `(?i:as an ai)`.
 * @throws {RangeError} when the string is empty or not a regular expression
 */
export function compilePattern(pattern: string | RegExp): RegExp {
  // This is a copy, because a RegExp with the flag `g` or `y` remembers its last position.
  if (pattern instanceof RegExp) return new RegExp(pattern);
  if (pattern === "") {
    throw new RangeError("Cannot use the reject pattern: it is empty and would match every answer");
  }
  try {
    return new RegExp(pattern, "u");
  } catch (cause) {
    const reason = (cause as SyntaxError).message.replace(/^Invalid regular expression: /, "");
    throw new RangeError(
      `Cannot use the reject pattern ${JSON.stringify(pattern)}: it must be a JavaScript regular ` +
        `expression: ${reason}`,
      { cause },
    );
  }
}

/**
 * Rejects answers that are not JSON, apart from white space around it. JSON in a code fence is
 * rejected: a model trained on it would learn to write the fence. A tool call without text passes.
 *
 * @param problemOf Returns why a JSON value is rejected; undefined if it is accepted.
 * @default accepts any value
 */
export function jsonCheck(
  problemOf: (value: unknown) => string | undefined = () => undefined,
): AnswerCheck {
  return ({ response, toolCalls }) => {
    const text = response ?? "";
    if ((toolCalls?.length ?? 0) > 0 && !/\S/.test(text)) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return `Not JSON: ${syntaxProblem(text, error as SyntaxError)}`;
    }
    return problemOf(value);
  };
}

function syntaxProblem(text: string, { message }: SyntaxError): string {
  if (/^\s*```/.test(text)) return "wrapped in a code fence (```)";
  // V8 quotes the answer after the token. Without the quotation, the same mistake has the same
  // message in all answers. The token may be half of a surrogate pair, which many readers of JSON
  // lines reject.
  return message.replace(/^(Unexpected token '.+?'), .*$/su, "$1").toWellFormed();
}

const MAX_LISTED_ERRORS = 3;
/** Error parameters that Ajv's messages leave out, by keyword. */
const DETAILS = new Map([
  ["additionalProperties", "additionalProperty"],
  ["unevaluatedProperties", "unevaluatedProperty"],
  ["enum", "allowedValues"],
  ["const", "allowedValue"],
]);
const MAX_SHOWN_CHARS = 100;

/**
 * Returns a check against a JSON Schema of draft 7, 2019-09 or 2020-12 (the default), alone or
 * inside a `response_format`. Formats are checked; unknown keywords and formats are ignored, as the
 * standard requires.
 *
 * @throws {TypeError} when the schema is not valid
 * @throws {RangeError} when `$schema` names another draft
 */
export async function schemaCheck(schema: unknown): Promise<AnswerCheck> {
  const validate = await compile(unwrapSchema(schema).schema);
  return jsonCheck((value) => {
    try {
      if (validate(value)) return undefined;
    } catch (error) {
      // A recursive schema takes a stack frame for each level of the answer, so the stack may
      // overflow.
      return `Cannot be checked against the schema: ${(error as Error).message}`;
    }
    return `Does not match the schema: ${describeErrors(validate.errors ?? [])}`;
  });
}

async function compile(schema: unknown): Promise<ValidateFunction> {
  if (typeof schema === "boolean") return compile(schema ? {} : { not: {} });
  if (!isObject(schema)) {
    throw new TypeError(
      "Cannot use the JSON Schema: it must be an object, true or false: current value is " +
        shortJson(schema),
    );
  }
  const { $schema: dialect, ...keywords } = schema;
  const validator = await validatorOf(dialect);
  validator.removeKeyword("multipleOf").addKeyword(MULTIPLE_OF);
  try {
    validator.validateSchema(keywords);
    const [first] = validator.errors ?? [];
    if (first !== undefined) {
      const value = valueAt(keywords, first.instancePath);
      throw new TypeError(`${describeErrors([first])}: current value is ${shortJson(value)}`);
    }
    const compiled = validator.compile(keywords);
    if ("$async" in compiled) throw new TypeError('"$async" is not supported');
    return compiled;
  } catch (cause) {
    throw new TypeError(`Cannot use the JSON Schema: ${(cause as Error).message}`, { cause });
  }
}

/** Ajv's own keyword rejects 0.07 as a multiple of 0.01, because 0.07 / 0.01 is above 7. Its option
 * `multipleOfPrecision` is an absolute tolerance, but the error grows with the quotient. */
const MULTIPLE_OF = {
  keyword: "multipleOf",
  type: "number",
  schemaType: "number",
  compile(step: number) {
    const validate: ReturnType<Required<FuncKeywordDefinition>["compile"]> = (value: number) => {
      const quotient = value / step;
      const errorBound = 2 * Number.EPSILON * Math.abs(quotient);
      // The bound of 3000000000000001 / 2 is above 0.5, so it would hide the remainder.
      const isMultiple = Number.isInteger(step)
        ? value % step === 0
        : Math.abs(quotient - Math.round(quotient)) <= errorBound;
      if (isMultiple) return true;
      validate.errors = [{ message: `must be multiple of ${step}` }];
      return false;
    };
    return validate;
  },
} satisfies FuncKeywordDefinition;

async function validatorOf(dialect: unknown) {
  const { Ajv2019, Ajv2020, AjvDraft7, fullFormats } = await import("../deps/ajv.ts");
  const options: Options = {
    allErrors: true,
    formats: fullFormats,
    logger: false,
    // Without this option, an inherited "constructor" would count as a property of every object.
    ownProperties: true,
    strict: false,
  };
  if (dialect === undefined) return new Ajv2020(options);
  const draft = /^https?:\/\/json-schema\.org\/(.+)\/schema#?$/.exec(String(dialect))?.[1];
  if (draft === "draft/2020-12") return new Ajv2020(options);
  if (draft === "draft/2019-09") return new Ajv2019(options);
  if (draft === "draft-07") return new AjvDraft7(options);
  throw new RangeError(
    'Cannot use the JSON Schema: "$schema" must name draft 7, 2019-09 or 2020-12: current value is ' +
      shortJson(dialect),
  );
}

function valueAt(root: unknown, pointer: string): unknown {
  const keys = pointer.split("/").slice(1);
  return keys.reduce((value: unknown, key) => {
    const name = key.replaceAll("~1", "/").replaceAll("~0", "~");
    return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  }, root);
}

function describeErrors(errors: readonly ErrorObject[]): string {
  const listed = errors.slice(0, MAX_LISTED_ERRORS).map((error) =>
    `${placeOf(error)} ${error.message ?? error.keyword}${detailOf(error)}`
  );
  if (errors.length > MAX_LISTED_ERRORS) {
    listed.push(`and ${errors.length - MAX_LISTED_ERRORS} more`);
  }
  return listed.join("; ");
}

/** Returns the place in the answer. It is truncated, because it contains keys of the answer, which
 * may be long. */
function placeOf({ instancePath }: ErrorObject): string {
  return cut(instancePath, MAX_SHOWN_CHARS) || "it";
}

function detailOf({ keyword, params }: ErrorObject): string {
  const name = DETAILS.get(keyword);
  return name === undefined ? "" : `: ${shortJson(params[name])}`;
}

function shortJson(value: unknown): string {
  return cut(JSON.stringify(value) ?? String(value), MAX_SHOWN_CHARS);
}

const SCHEMA_NAME = /^[\w-]{1,64}$/;

/** Returns a schema with its name, `strict` and description, if it has them. The schema may be
 * alone or inside `{"type":"json_schema","json_schema":{…}}`, `{"type":"json_schema","schema":…}`
 * or `{"name":…,"schema":…}`. */
function unwrapSchema(value: unknown): Partial<AskedSchema> & { readonly schema: unknown } {
  if (!isObject(value)) return { schema: value };
  const isResponseFormat = value.type === "json_schema";
  const inner = isResponseFormat && isObject(value.json_schema) ? value.json_schema : value;
  if (!("schema" in inner) || !(isResponseFormat || "name" in inner)) {
    if (!isResponseFormat) return { schema: value };
    throw new TypeError(
      'Cannot use the JSON Schema: it is a response_format without a schema under "schema"',
    );
  }
  const { schema, name, strict, description } = inner;
  return {
    schema,
    name: typeof name === "string" ? name : undefined,
    strict: typeof strict === "boolean" ? strict : undefined,
    description: typeof description === "string" ? description : undefined,
  };
}

/** Returns the schema to send to teachers; undefined for the schemas `true` and `false`. Its name
 * is the one in the `response_format`, or else its title, or else `answer`. */
export function askedSchemaOf(value: unknown): AskedSchema | undefined {
  const unwrapped = unwrapSchema(value);
  const { schema } = unwrapped;
  if (!isObject(schema)) return undefined;
  const title = String(schema.title ?? "").replace(/[^\w-]+/g, "_").slice(0, 64);
  const name = [unwrapped.name, title].find((text) => SCHEMA_NAME.test(text ?? "")) ?? "answer";
  return { ...unwrapped, name };
}
