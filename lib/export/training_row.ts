/**
 * What all formats of a training set are made of.
 *
 * @module
 */

import type { Message } from "../teacher/mod.ts";

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
