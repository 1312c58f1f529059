/**
 * Checks for answers that must be JSON, with or without a JSON Schema. Users have schemas alone or
 * in the `response_format` of a request.
 *
 * Ajv compiles the schema to a function: that takes 0.1 µs for a small answer, and a validator that
 * interprets the schema 4.5. Ajv also checks the schema itself, so that `"type": "intger"` is found
 * before the first call.
 *
 * @module
 */

import type { ErrorObject, Options } from "../deps/ajv.ts";
import type { AskedSchema } from "../teacher/mod.ts";
import type { Check } from "./check.ts";

/**
 * Rejects answers that are anything but JSON and white space. A code fence is not part of JSON: a
 * model that is trained on it learns to write the fence. An answer with a tool call and no text is
 * complete, so it passes.
 *
 * @param problemOf Returns what is wrong with the JSON value, or undefined. @default accepts any
 * value
 */
export function jsonCheck(
  problemOf: (value: unknown) => string | undefined = () => undefined,
): Check {
  return ({ response, toolCalls }) => {
    const text = response ?? "";
    if ((toolCalls?.length ?? 0) > 0 && !/\S/.test(text)) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return `Not JSON: ${reasonOf(text, error as SyntaxError)}`;
    }
    return problemOf(value);
  };
}

function reasonOf(text: string, { message }: SyntaxError): string {
  if (/^\s*```/.test(text)) return "wrapped in a code fence (```)";
  // V8 quotes the answer after the token. Without the quotation, equal causes have equal messages.
  // The token may be half of a surrogate pair, which many readers of JSON lines reject.
  return message.replace(/^(Unexpected token '.+?'), .*$/su, "$1").toWellFormed();
}

const NAMED_ERRORS = 3;
const MOST_VALUE_CHARS = 100;

/**
 * Compiles a schema, also one inside a `response_format`, of draft 7, 2019-09 or 2020-12 (the
 * default). Formats are checked; unknown keywords and formats are ignored, as the standard
 * requires.
 *
 * @throws {TypeError} when it is not a valid schema
 * @throws {RangeError} when `$schema` names another draft
 */
export async function schemaCheck(schema: unknown): Promise<Check> {
  const validate = await compile(unwrapSchema(schema).schema);
  return jsonCheck((value) => {
    try {
      if (validate(value)) return undefined;
    } catch (error) {
      // A recursive schema recurses as deeply as the answer is nested.
      return `Cannot be checked against the schema: ${(error as Error).message}`;
    }
    return `Does not match the schema: ${inWords(validate.errors ?? [])}`;
  });
}

/** What is used of a schema that Ajv has compiled. */
interface Compiled {
  (value: unknown): unknown;
  errors?: ErrorObject[] | null;
}

async function compile(schema: unknown): Promise<Compiled> {
  if (typeof schema === "boolean") return compile(schema ? {} : { not: {} });
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw new TypeError(
      `Cannot use the JSON Schema: it must be an object: current value is ${shown(schema)}`,
    );
  }
  const { $schema: dialect, ...keywords } = schema as Readonly<Record<string, unknown>>;
  const validator = await validatorOf(dialect);
  try {
    validator.validateSchema(keywords);
    const [first] = validator.errors ?? [];
    if (first !== undefined) {
      const value = valueAt(keywords, first.instancePath);
      throw new TypeError(`${inWords([first])}: current value is ${shown(value)}`);
    }
    const compiled = validator.compile(keywords);
    if ("$async" in compiled) throw new TypeError('"$async" is not supported');
    return compiled;
  } catch (cause) {
    throw new TypeError(`Cannot use the JSON Schema: ${(cause as Error).message}`, { cause });
  }
}

async function validatorOf(dialect: unknown) {
  const { Ajv2019, Ajv2020, AjvDraft7, fullFormats } = await import("../deps/ajv.ts");
  const options: Options = {
    allErrors: true,
    formats: fullFormats,
    logger: false,
    // Otherwise every object would have a "constructor".
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
      shown(dialect),
  );
}

/** The value at a JSON Pointer. */
function valueAt(root: unknown, pointer: string): unknown {
  const keys = pointer.split("/").slice(1);
  return keys.reduce((value: unknown, key) => {
    const name = decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~");
    return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  }, root);
}

function inWords(errors: readonly ErrorObject[]): string {
  const named = errors.slice(0, NAMED_ERRORS).map((error) =>
    `${error.instancePath || "it"} ${error.message ?? error.keyword}${detailOf(error)}`
  );
  if (errors.length > NAMED_ERRORS) named.push(`and ${errors.length - NAMED_ERRORS} more`);
  return named.join("; ");
}

/** Details that Ajv's messages omit. */
function detailOf({ keyword, params }: ErrorObject): string {
  switch (keyword) {
    case "additionalProperties":
      return `: ${shown(params.additionalProperty)}`;
    case "unevaluatedProperties":
      return `: ${shown(params.unevaluatedProperty)}`;
    case "enum":
      return `: ${shown(params.allowedValues)}`;
    case "const":
      return `: ${shown(params.allowedValue)}`;
    default:
      return "";
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= MOST_VALUE_CHARS ? text : `${text.slice(0, MOST_VALUE_CHARS)}…`;
}

/** A schema without the `response_format` around it, and the other fields of that. */
type Unwrapped = Partial<AskedSchema> & { readonly schema: unknown };

type Fields = Readonly<Record<string, unknown>>;

/** Names that `response_format` accepts. */
const NAME = /^[\w-]{1,64}$/;

/**
 * Unwraps a schema from `{"type":"json_schema","json_schema":{…}}`,
 * `{"type":"json_schema","schema":…}` or `{"name":…,"schema":…}`. Anything else is a schema itself.
 */
function unwrapSchema(value: unknown): Unwrapped {
  const outer = fieldsOf(value);
  if (outer === undefined) return { schema: value };
  const isFormat = outer.type === "json_schema";
  const inner = isFormat ? fieldsOf(outer.json_schema) ?? outer : outer;
  if (!("schema" in inner) || !(isFormat || "name" in inner)) {
    if (!isFormat) return { schema: value };
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

/** The schema to send to teachers; undefined if it is `true` or `false`. */
export function askedSchemaOf(value: unknown): AskedSchema | undefined {
  const unwrapped = unwrapSchema(value);
  const schema = fieldsOf(unwrapped.schema);
  if (schema === undefined) return undefined;
  const title = String(schema.title ?? "").replace(/[^\w-]+/g, "_").slice(0, 64);
  const name = [unwrapped.name ?? "", title].find((one) => NAME.test(one)) ?? "answer";
  return { ...unwrapped, name };
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : undefined;
}
