/**
 * Names of the formats of a training set. `formats.ts` defines the formats, and is loaded only to
 * write one.
 *
 * @module
 */

/** Format of a training set. `retort help export` says what a row of each holds. */
export type ExportFormat =
  | "messages"
  | "prompt-completion"
  | "sharegpt"
  | "alpaca"
  | "preference"
  | "preference-sharegpt"
  | "logprobs"
  | "raw"
  | "dataset";

/** Format in which rows of any file can be written. Only results have log probabilities. */
export type ConvertFormat = Exclude<ExportFormat, "logprobs">;

/** For the help: what a row of each format holds, and what reads it. At most 57 characters. */
export const FORMAT_SUMMARIES: Readonly<Record<ExportFormat, string>> = {
  "messages": '{"messages"}: TRL, Axolotl, OpenAI',
  "prompt-completion": '{"prompt","completion"}: TRL, loss on the answer only',
  "sharegpt": '{"conversations"}: LLaMA-Factory, Axolotl',
  "alpaca": '{"instruction","input","output"}: LLaMA-Factory, Axolotl',
  "preference": '{"prompt","chosen","rejected"}, with --prefer: TRL (DPO)',
  "preference-sharegpt": "the same with ShareGPT turns: LLaMA-Factory (DPO)",
  "logprobs": "messages and tokens of the answer: logit distillation",
  "raw": "the row as it is: datasets, pyarrow, polars",
  "dataset": "folder of Parquet with a card: datasets, the Hub",
};

/** Names of all formats of exports. */
export const EXPORT_FORMATS = Object.keys(FORMAT_SUMMARIES) as readonly ExportFormat[];

/** Names of all formats of conversions. */
export const CONVERT_FORMATS: readonly ConvertFormat[] = EXPORT_FORMATS.filter((format) =>
  format !== "logprobs"
);
