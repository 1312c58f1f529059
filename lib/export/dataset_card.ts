/**
 * The dataset card: YAML metadata for the Hub, and how the dataset was made.
 *
 * @module
 */

import type { ThinkStyle } from "../answer.ts";
import { basename } from "../deps/std_path.ts";
import { formatCount, formatCountOf } from "../figures.js";
import { isObject } from "../json.ts";
import { codeSpan } from "../printable.ts";
import { VERSION } from "../version.ts";
import { type Example, Times } from "./example.ts";
import type { ResolvedExport } from "./export_options.ts";
import { uploadCommand } from "./trainers.ts";
import type { TargetContext, WrittenRows } from "./write_set.ts";

/** Marks a card that Retort wrote and may replace. A card without the mark is the user's own. Do
 * not change this text: cards of earlier versions contain it. */
export const CARD_MARK = "<!-- Written by Retort. `--replace` writes it and data/ again";

export class DatasetFacts {
  /** The number of rows that each model answered. */
  readonly models = new Map<string, number>();
  readonly tokens = { prompt: 0, completion: 0, reasoning: 0 };
  readonly times = new Times();

  add({ result: { distill } }: Example): void {
    if (!isObject(distill)) return;
    const { model, created } = distill;
    if (typeof model === "string") this.models.set(model, (this.models.get(model) ?? 0) + 1);
    this.tokens.prompt += countIn(distill, "prompt_tokens");
    this.tokens.completion += countIn(distill, "completion_tokens");
    this.tokens.reasoning += countIn(distill, "reasoning_tokens");
    if (typeof created === "string" && /^\d{4}-\d\d-\d\d/.test(created)) this.times.add(created);
  }
}

function countIn(distill: Record<string, unknown>, name: string): number {
  return typeof distill[name] === "number" ? distill[name] : 0;
}

/** Returns the license in a card's metadata; undefined if it names none. */
export function licenseOf(card: string): string | undefined {
  const yaml = /^---\n(.*?)\n---/s.exec(card.replaceAll("\r\n", "\n"))?.[1] ?? "";
  return /^license:[ \t]*(\S.*)$/m.exec(yaml)?.[1];
}

interface CardContent extends TargetContext, WrittenRows {
  readonly facts: DatasetFacts;
  readonly folder: string;
  /** The license in the card that this one replaces. */
  readonly license: string | undefined;
  readonly options: ResolvedExport;
}

export function cardOf(content: CardContent): string {
  const { folder, origin } = content;
  const name = basename(folder).replaceAll(/[\r\n]+/g, " ");
  return `${yamlOf(content, name)}

${CARD_MARK}, but keeps the license. -->

# ${name}

${splitsOf(content)}: ${content.options.isFromResults ? ANSWERED : "conversations"}.

## Columns

${columnsOf(content)}

## How it was made

${[...origin, ...factsOf(content), ...choicesOf(content)].map((fact) => `- ${fact}`).join("\n")}

## Use

\`\`\`python
from datasets import load_dataset

dataset = load_dataset(${JSON.stringify(folder)})
\`\`\`

${content.schema.columns.has("tools") ? TOOLS_NOTE : ""}To upload the folder:

\`\`\`sh
${uploadCommand(folder)}
\`\`\`

## License

${content.license ?? NO_LICENSE}
`;
}

const ANSWERED = "conversations whose last message is the answer of a teacher model";

const TOOLS_NOTE =
  "`tools` is a JSON list as text, and the `arguments` of a tool call are a JSON object as text: parse " +
  "them before a chat template reads them.\n\n";

const NO_LICENSE =
  "Not chosen yet. Fill in `license:` at the top of this file. Which licenses are allowed depends on " +
  "the terms of the teacher model and of the prompts.";

function splitsOf({ rows, validationRows }: CardContent): string {
  if (validationRows === 0) return formatCountOf(rows, "row");
  const training = formatCountOf(rows - validationRows, "row");
  return `${training} for training, ${formatCount(validationRows)} for validation`;
}

/** Lists no data files under `configs:`, because the `datasets` library finds them by their names.
 * With `configs:`, the library keys its cache by the patterns instead of the files: after a second
 * export to a folder of the same name, it would return the rows of the first. */
function yamlOf({ license, rows }: CardContent, name: string): string {
  const lines = [
    license === undefined ? "# license: choose one, such as apache-2.0" : `license: ${license}`,
    `pretty_name: ${JSON.stringify(name)}`,
    "task_categories:",
    "  - text-generation",
    "tags:",
    "  - synthetic",
    "  - distillation",
    "size_categories:",
    `  - ${sizeOf(rows)}`,
  ];
  return `---\n${lines.join("\n")}\n---`;
}

function sizeOf(rows: number): string {
  const names = ["1K", "10K", "100K", "1M", "10M", "100M", "1B"];
  const upper = names.findIndex((_, index) => rows < 1000 * 10 ** index);
  if (upper === 0) return "n<1K";
  return upper === -1 ? "n>1B" : `${names[upper - 1]}<n<${names[upper]}`;
}

const COLUMN_MEANINGS: Readonly<Record<string, string>> = {
  messages: "the conversation: `role`, `content`, and `tool_calls` where the model called tools",
  tools: "the tools that the model was offered, a JSON list as text; `[]` without tools",
  uid: "the id of the answer",
  model: "the model that answered",
  finish_reason: "how the answer ended",
  prompt_tokens: "tokens of the prompt, as the teacher counts them",
  completion_tokens: "tokens of the answer, reasoning included",
  reasoning_tokens: "tokens of the reasoning",
};

function columnsOf({ schema }: CardContent): string {
  // A column may be called "constructor", which every object inherits.
  const meaningOf = (name: string) =>
    Object.hasOwn(COLUMN_MEANINGS, name) ? COLUMN_MEANINGS[name] : "";
  const lines = [...schema.columns.keys()].map((name) =>
    `| ${codeSpan(name).replaceAll("|", "\\|")} | ${meaningOf(name)} |`
  );
  return ["| column | holds |", "| --- | --- |", ...lines].join("\n");
}

function factsOf({ facts }: CardContent): string[] {
  const models = [...facts.models].sort((a, b) => b[1] - a[1]);
  if (models.length === 0) return [];
  const teachers = models.map(([name, count]) =>
    `${codeSpan(name)} (${formatCountOf(count, "row")})`
  );
  const { first, last } = facts.times;
  const firstDate = first.slice(0, 10), lastDate = last.slice(0, 10);
  const dates = firstDate === lastDate ? `on ${firstDate}` : `between ${firstDate} and ${lastDate}`;
  const { prompt, completion, reasoning } = facts.tokens;
  return [
    `Teacher: ${teachers.join(", ")}.`,
    ...firstDate === "" ? [] : [`Answered ${dates}.`],
    `Tokens: ${formatCount(prompt)} in prompts, ${formatCount(completion)} in answers` +
    `${reasoning > 0 ? `, ${formatCount(reasoning)} of these for reasoning` : ""}.`,
  ];
}

const THINK_TEXTS: Readonly<Record<ThinkStyle, string>> = {
  wrap: "reasoning inside the answer, in `<think>` tags",
  field: "reasoning in a field of its own",
  drop: "reasoning left out",
};

function choicesOf({ options }: CardContent): string[] {
  const { where, uids, excludeUids, dedupe, shuffle, maxRows, validation, think } = options;
  // Converted rows may have no uid. Their prompt then decides the split.
  const splitKey = options.isFromResults ? "uid" : "uid or prompt";
  const choices = [
    where === undefined ? "" : `rows that meet ${codeSpan(where)}`,
    uids === undefined ? "" : `only rows from a list of ${formatCountOf(uids.length, "uid")}`,
    excludeUids === undefined ? "" : `${formatCountOf(excludeUids.length, "uid")} left out`,
    dedupe ? "duplicates left out" : "",
    shuffle === undefined ? "" : `shuffled with the seed ${shuffle}`,
    maxRows === Infinity ? "" : `at most ${formatCountOf(maxRows, "row")}`,
    validation > 0
      ? `${
        Number((validation * 100).toFixed(4))
      } % for validation, chosen by a hash of the row's ${splitKey}`
      : "",
    think === undefined ? "" : THINK_TEXTS[think],
  ].filter((choice) => choice !== "");
  const date = new Date().toISOString().slice(0, 10);
  return [
    ...choices.length > 0 ? [`Export: ${choices.join("; ")}.`] : [],
    `Written on ${date} by Retort ${VERSION}.`,
  ];
}
