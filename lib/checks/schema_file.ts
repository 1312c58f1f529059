/**
 * A JSON Schema as users have it: alone, or in the `response_format` of a request.
 *
 * @module
 */

import type { AskedSchema } from "../teacher/mod.ts";

/** A schema that was taken out of what stands around it. */
type Unwrapped = Partial<AskedSchema> & { readonly schema: unknown };

type Fields = Readonly<Record<string, unknown>>;

/** What teachers take as a name. */
const NAME = /^[\w-]{1,64}$/;

/**
 * Takes a schema out of `{"type":"json_schema","json_schema":{…}}`, `{"type":"json_schema","schema":…}` or
 * `{"name":…,"schema":…}`. Anything else is a schema.
 */
export function unwrapSchema(value: unknown): Unwrapped {
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

/** The schema as a teacher is asked for it; undefined where it says nothing (`true`, `false`). */
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
