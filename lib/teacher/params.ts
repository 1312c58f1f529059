/**
 * Checks parameters before a run: what cannot be sent, or would not do what it seems to.
 *
 * @module
 */

import { secretParam } from "../secret_names.ts";
import { asObject } from "./json.ts";
import type { Params } from "./teacher.ts";

/** Parameters that may be sent, and what a person should know of them. */
export interface CheckedParams {
  /** The parameters to send. */
  readonly params: Params;
  /** What was changed, in words. */
  readonly notices: string[];
}

/**
 * Checks the parameters of a run or of a row.
 *
 * @returns The parameters with `extra_body` flattened: it is how the Python client is told of further
 * fields; sent as it is, a server would ignore it.
 * @throws {RangeError} If `n` asks for more than one answer.
 * @throws {TypeError} If a parameter is one that Retort sets itself, or holds a credential, which is not
 * shown.
 */
export function checkParams(params: Params): CheckedParams {
  const notices: string[] = [];
  const secret = secretParam(params);
  if (secret !== undefined) {
    throw new TypeError(
      `Cannot send the parameter "${secret}": parameters are written to files, and it holds a ` +
        "credential. Put a key into OPENAI_API_KEY, --api-key-file or --header NAME=@env:VARIABLE",
    );
  }
  const flat = "extra_body" in params ? flatten(params, notices) : params;
  const n = numberOf(flat.n);
  if (n !== undefined && n > 1) {
    throw new RangeError(
      "Cannot ask for more than one answer a row: samples are rows of their own, " +
        `each with a uid of its own: current value of "n" is ${n}`,
    );
  }
  if ("stream" in flat) {
    throw new TypeError(
      'Cannot send the parameter "stream": use --stream, or the option "stream" of the teacher',
    );
  }
  if ("messages" in flat) {
    throw new TypeError('Cannot send the parameter "messages": they come from the rows');
  }
  return { params: flat, notices };
}

function flatten(params: Params, notices: string[]): Params {
  const { extra_body: extra, ...rest } = params;
  if (extra === null || extra === undefined) return rest;
  const fields = asObject(extra);
  if (fields === undefined) {
    throw new TypeError(
      `Cannot send the parameter "extra_body": it must be an object: current value is ${
        JSON.stringify(extra)
      }`,
    );
  }
  const names = Object.keys(fields).map((name) => `"${name}"`).join(", ");
  notices.push(
    `"extra_body" belongs to the Python client: its fields are sent as parameters (${names})`,
  );
  return { ...rest, ...fields };
}

/** A number as JavaScript or `JSON.rawJSON` holds it. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const raw = asObject(value)?.rawJSON;
  return typeof raw === "string" ? Number(raw) : undefined;
}
