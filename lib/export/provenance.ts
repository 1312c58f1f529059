/**
 * Where an answer comes from, as columns of a dataset.
 *
 * @module
 */

import type { Example } from "./example.ts";
import { isObject } from "./json_object.ts";

const FROM_DISTILL = [
  "model",
  "finish_reason",
  "prompt_tokens",
  "completion_tokens",
  "reasoning_tokens",
];

/** The uid of an answer, its model and its tokens; nothing for a row that is no result of Retort's. */
export function provenanceOf({ result }: Example): Record<string, unknown> {
  const { uid, distill } = result;
  if (typeof uid !== "string" || !isObject(distill)) return {};
  const known = FROM_DISTILL.filter((name) => Object.hasOwn(distill, name));
  return { uid, ...Object.fromEntries(known.map((name) => [name, distill[name]])) };
}
