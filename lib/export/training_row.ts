/**
 * What all formats of a training set are made of.
 *
 * @module
 */

import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import type { Example } from "./example.ts";

/** One row of a training set. */
export type TrainingRow = Record<string, unknown>;

/** An example that a format has no place for. */
export class NoPlace {
  /** What there is no place for. */
  readonly problem: string;

  /** Makes it from the words. */
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** Tools are the text of a JSON list, for every trainer: no two have the same schema. */
export function withTools(row: TrainingRow, tools: readonly unknown[] | undefined): TrainingRow {
  return tools === undefined ? row : { ...row, tools: JSON.stringify(tools) };
}

/** The text of a message, undefined when there is more to it, such as an image. */
export function textOf({ content }: Message): string | undefined {
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) return undefined;
  if (!content.every((part) => part?.type === "text" && typeof part.text === "string")) {
    return undefined;
  }
  return content.map((part) => part.text).join("");
}

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
