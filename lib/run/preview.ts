/**
 * What a run says before its first call, and `--dry-run` in its place.
 *
 * @module
 */

import { tokenLimitOf } from "../engine/answers/mod.ts";
import { formatCount, formatCountOf, formatRoughUsd } from "../figures.ts";
import { describeEstimate, type Estimate, estimate } from "../prices/mod.ts";
import type { ParsedRow } from "../source/mod.ts";
import type { Message } from "../teacher/mod.ts";
import type { RunContext } from "./context.ts";
import { MODELS_SHOWN, type Preflight } from "./findings.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** What is said. */
export interface StartNotices {
  /** What the user may want to know. */
  readonly info: readonly string[];
  /** What is probably not meant. */
  readonly warnings: readonly string[];
}

/** What the run will cost, as a range. */
function estimateOf(
  { generator: { teachers, params }, prepared }: Pick<RunContext, "generator" | "prepared">,
  found: readonly Preflight[],
): Estimate {
  return estimate({
    answers: sumOf(found, ({ plan }) => plan.toAsk),
    promptTokens: sumOf(found, ({ promptTokens }) => promptTokens),
    maxTokens: tokenLimitOf(params)?.tokens,
    ownLimits: {
      answers: sumOf(found, ({ ownLimits }) => ownLimits.answers),
      fewest: sumOf(found, ({ ownLimits }) => ownLimits.fewest),
      most: sumOf(found, ({ ownLimits }) => ownLimits.most),
    },
    rates: teachers.map(({ teacher }) => prepared.ratesOf(teacher)),
  });
}

function sumOf(found: readonly Preflight[], countOf: (one: Preflight) => number): number {
  return found.reduce((total, one) => total + countOf(one), 0);
}

/** Says it, a sentence each. */
export function startNotices(
  context: Pick<RunContext, "generator" | "prepared">,
  inputs: readonly string[],
  found: readonly Preflight[],
): StartNotices {
  const { generator, prepared } = context;
  const cost = describeEstimate(estimateOf(context, found), prepared.budget.maxCostUsd);
  return {
    info: [
      ...describeInput(inputs, found),
      ...generator.notices,
      ...prepared.notes,
      ...reaskedNotes(context, found),
      ...cost.info,
    ],
    warnings: [...teacherNotices(generator, found), ...cost.warnings],
  };
}

/** What answers cost that are there already and are made again all the same. */
function reaskedNotes(
  context: Pick<RunContext, "generator" | "prepared">,
  found: readonly Preflight[],
): string[] {
  const count = found.reduce((total, { reasked }) => total + reasked, 0);
  const left = found.reduce((total, { leftAnswered }) => total + leftAnswered, 0);
  const kept = left === 0 ? [] : [
    `${formatCount(left)} chosen ${
      left === 1 ? "row has a result and is" : "rows have results and are"
    } ` +
    "left alone: --reask-answered with --uids asks them again",
  ];
  if (count === 0) return kept;
  const { costUsd } = estimateOf(context, found);
  const cost = costUsd === null
    ? "their price is not known (--price-in and --price-out set it)"
    : `this run costs about ${formatRoughUsd(costUsd[0])} to ${formatRoughUsd(costUsd[1])}`;
  return [
    `${formatCount(count)} answered ${
      count === 1 ? "row is" : "rows are"
    } asked and paid for again; ` +
    `old answers are moved to .outdated.jsonl; ${cost}`,
  ];
}

/** What the user should know of the teachers before the first call; `found`: what the first row of each
 * shape is asked with counts, too, and the names of the parameters of the others. */
export function teacherNotices(
  { teachers, params }: Pick<ResolvedOptions, "teachers" | "params">,
  found: readonly Pick<Preflight, "firsts" | "paramNames">[] = [],
): string[] {
  const rows = found.flatMap(({ firsts }) => [...firsts.values()]);
  const names = found.flatMap(({ paramNames }) => [...paramNames].map((name) => [name, undefined]));
  const asked = {
    ...Object.fromEntries(names),
    ...params,
    ...rows.find((row) => row.params !== undefined)?.params,
  };
  return [...new Set(teachers.flatMap(({ teacher }) => teacher.notices?.(asked) ?? []))];
}

/** The least that a first pass has to know to be judged. */
type Found = Pick<
  Preflight,
  | "bad"
  | "shapes"
  | "changed"
  | "rows"
  | "samples"
  | "succeeded"
  | "failed"
  | "merged"
  | "models"
  | "ownModels"
  | "resent"
  | "unsent"
  | "hashed"
  | "unmetUidFields"
  | "unmetPromptField"
  | "fromRuns"
>;

/** One line for each input: what was found in it. Others for what is probably not meant. */
export function describeInput(inputs: readonly string[], found: readonly Found[]): string[] {
  return [
    ...countLines(inputs, found),
    ...uidFieldLines(inputs, found),
    ...promptFieldLines(inputs, found),
    ...fromRunLines(inputs, found),
    ...unsentLines(found),
  ];
}

/** The most fields that are named. */
const UNSENT_SHOWN = 20;

function unsentLines(found: readonly Found[]): string[] {
  const names = [...new Set(found.flatMap(({ unsent }) => [...unsent]))];
  if (names.length === 0) return [];
  const shown = names.slice(0, UNSENT_SHOWN).map((name) =>
    /^[\w.[\]-]+$/.test(name) ? name : JSON.stringify(name)
  );
  return [`not sent: ${shown.join(", ")}${names.length > shown.length ? ", …" : ""}`];
}

/** The prompt is then taken from where the rows' shape has it. */
function promptFieldLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ rows, unmetPromptField: field }, index) =>
    rows === 0 || field === undefined
      ? []
      : [`No row of ${nameOf(inputs[index])} has the field "${field}" of --prompt-field`]
  );
}

/** Results handed over instead of prompts would be paid for a second time. */
function fromRunLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ fromRuns }, index) =>
    fromRuns === 0 ? [] : [
      `${formatCountOf(fromRuns, "row")} of ${nameOf(inputs[index])} ${
        fromRuns === 1 ? "is a line" : "are lines"
      } ` +
      "that an earlier run has written: their prompts are asked again. " +
      '"export" makes a training set of results, and "retry" asks failed rows again',
    ]
  );
}

function nameOf(input: string): string {
  return input === "-" ? "standard input" : `"${input}"`;
}

function countLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.map((one, index) => {
    const name = inputs[index] === "-" ? "standard input" : inputs[index];
    const parts = [`${name}: ${formatCountOf(one.rows, "row")}`];
    if (one.shapes.size > 0) parts.push(`(${counted(one.shapes)})`);
    if (one.samples > 1) parts.push(`with ${formatCount(one.samples)} samples each`);
    const extras = [
      [one.succeeded, "have a result"],
      [one.failed, "failed before"],
      [one.merged, "merged as identical"],
      [one.changed, "edited since"],
      [one.resent.values().reduce((total, count) => total + count, 0), "sent in another way now"],
      [one.bad.count, "bad"],
    ] as const;
    const said = extras.filter(([count]) => count > 0).map(([count, what]) =>
      `${formatCount(count)} ${what}`
    );
    // It is what will be paid for, whatever `model` says.
    if (one.ownModels > 0) {
      const set = one.ownModels === 1 ? "sets a model of its own" : "set a model of their own";
      said.push(`${formatCount(one.ownModels)} ${set}: ${listed(one.models)}`);
    }
    return said.length === 0 ? parts.join(" ") : `${parts.join(" ")}, ${said.join(", ")}`;
  });
}

/** Without a word of it, a mistyped name is found out when the results are to be joined by their uids. */
function uidFieldLines(inputs: readonly string[], found: readonly Found[]): string[] {
  return found.flatMap(({ rows, hashed, unmetUidFields }, index) => {
    if (rows === 0 || unmetUidFields.length === 0) return [];
    const name = nameOf(inputs[index]);
    const fields = unmetUidFields.map((field) => `"${field}"`).join(" or ");
    const names = [
      ...(hashed < rows ? ["by their uid, custom_id or id"] : []),
      ...(hashed > 0 ? ["by a hash of themselves"] : []),
    ];
    return [
      `No row of ${name} has a value for the field ${fields} of --uid-field: ` +
      `rows are named ${names.join(", or ")}`,
    ];
  });
}

function listed(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, MODELS_SHOWN);
  return names.size > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}

function counted(shapes: ReadonlyMap<string, number>): string {
  return [...shapes].map(([shape, count]) => `${formatCount(count)} ${shape}`).join(
    ", ",
  );
}

/** A request as it would be sent. */
export interface PreviewedRequest {
  /** What its row looks like: `prompt`, `messages`, … */
  shape: string;
  /** The request. */
  request: unknown;
}

/** What a run would do. */
export interface Preview {
  /** Rows of all inputs, duplicates merged. */
  total: number;
  /** Rows that would be asked. */
  toAsk: number;
  /** About how many tokens their prompts have, all samples together; give or take a quarter. */
  promptTokens: number;
  /** Completion tokens of one answer, from the least to the most. The most is the token limit; where
   * none is set, both are an assumption. */
  completionTokens: readonly [least: number, most: number];
  /** What the run would cost in US dollars, from the least to the most, attempts that fail excepted; null
   * where the price of a teacher is not known. */
  costUsd: readonly [least: number, most: number] | null;
  /** What a run says at its start: the inputs, the prices, the estimate, and what is probably not meant. */
  notes: string[];
  /** The first request as it would be sent, or null when there is nothing to ask. */
  request: unknown;
  /** The first request of each shape of rows; the first of them is `request`. */
  requests: PreviewedRequest[];
}

/** What the run would do, without a call and without a change on disk. */
export function previewOf(
  context: Pick<RunContext, "generator" | "prepared">,
  inputs: readonly string[],
  found: readonly Preflight[],
): Preview {
  const { info, warnings } = startNotices(context, inputs, found);
  const { promptTokens, completionTokens, costUsd } = estimateOf(context, found);
  return {
    total: found.reduce((sum, { total }) => sum + total, 0),
    toAsk: found.reduce((sum, { plan }) => sum + plan.toAsk, 0),
    notes: [...info, ...warnings],
    promptTokens,
    completionTokens,
    costUsd,
    ...requestsOf(found, context.generator),
  };
}

/** What is taken from the generator. */
type Asked = Pick<ResolvedOptions, "teachers" | "params" | "askedSchema">;

/** The first request of each shape as it would be sent. Makes no call. */
function requestsOf(
  found: readonly Preflight[],
  asked: Asked,
): Pick<Preview, "request" | "requests"> {
  const rows = new Map<string, ParsedRow>();
  for (const { firsts } of found) {
    for (const [shape, row] of firsts) if (!rows.has(shape)) rows.set(shape, row);
  }
  const requests = [...rows].map(([shape, row]) => ({ shape, request: requestOf(row, asked) }));
  return { request: requests[0]?.request ?? null, requests };
}

function requestOf(
  { uid, messages, params: own, files }: ParsedRow,
  { teachers: [{ teacher }], params, askedSchema: jsonSchema }: Asked,
): unknown {
  const request = {
    uid,
    messages: files.length === 0 ? messages : messages.map((message) => shown(message, files)),
    params: own === undefined ? params : { ...params, ...own },
    jsonSchema,
  };
  return teacher.preview?.(request) ?? request;
}

/** A message with a word in the place of the files that are read when they are sent. */
function shown(message: Message, files: readonly string[]): Message {
  if (!Array.isArray(message.content)) return message;
  const content = message.content.map((part) => {
    const url = part.image_url?.url;
    return files.includes(url)
      ? {
        ...part,
        image_url: { ...part.image_url, url: `data:image/…;base64,… (the file ${url})` },
      }
      : part;
  });
  return { ...message, content };
}
