/**
 * The names of the formats of a training set, and the columns that every row of each has.
 *
 * @module
 */

import type { TrainingRow } from "./training_row.ts";

/** A format of a training set. */
export type ExportFormat =
  /** `{"messages":[…]}`: OpenAI, TRL, Axolotl. */
  | "messages"
  /** `{"prompt":[messages],"completion":[message]}`: TRL. */
  | "prompt-completion"
  /** `{"conversations":[{"from","value"}]}`: LLaMA-Factory. */
  | "sharegpt"
  /** `{"instruction","input","output"}`: LLaMA-Factory, Axolotl. */
  | "alpaca"
  /** `{"prompt":[messages],"chosen":[message],"rejected":[message]}`: TRL's DPO. */
  | "preference"
  /** `{"conversations":[{"from","value"}],"chosen":{"from","value"},"rejected":{…}}`: LLaMA-Factory. */
  | "preference-sharegpt"
  /** The messages with the tokens of the answer and their log probabilities, for logit distillation. */
  | "logprobs"
  /** The results line, or the row of an input, with every key that it has. */
  | "raw"
  /** A folder that `datasets.load_dataset` reads: `messages` in Parquet, with a card. */
  | "dataset";

/**
 * The value of optional columns in rows that have none, because all rows must have the same
 * columns.
 */
export const OPTIONAL_COLUMNS: Readonly<Record<ExportFormat, TrainingRow>> = {
  // A list as text: nulls and nested schemas break datasets, polars and pyarrow where tools first
  // appear late. TRL and Axolotl parse it; Axolotl fails at "".
  "messages": { tools: "[]" },
  "prompt-completion": { tools: "[]" },
  "sharegpt": { tools: "[]" },
  "alpaca": { system: "", history: [], tools: "[]" },
  "preference": { tools: "[]" },
  "preference-sharegpt": { tools: "[]" },
  "logprobs": { tools: "[]" },
  "raw": {},
  "dataset": { tools: "[]" },
};

/** The formats of exports. */
export const EXPORT_FORMATS = Object.keys(OPTIONAL_COLUMNS) as readonly ExportFormat[];

/** The formats of conversions: only results have log probabilities. */
export const CONVERT_FORMATS = EXPORT_FORMATS.filter((format) => format !== "logprobs");
