/**
 * The notices of a run before its first call: what was found in the inputs, what it will cost, and
 * probable mistakes.
 *
 * @module
 */

import { tokenLimitOf } from "../params.ts";
import { formatCount, formatCountOf, formatRoughUsd, sumOf } from "../figures.ts";
import { describeEstimate, type Estimate, estimate } from "../prices/mod.ts";
import type { RunContext } from "./context.ts";
import { type Findings, MODELS_SHOWN } from "./findings.ts";
import type { RunOptions } from "./options.ts";
import type { ResolvedOptions } from "./resolve_options.ts";

/** Notices, one sentence each. */
export interface StartNotices {
  readonly info: readonly string[];
  /** Probable mistakes. */
  readonly warnings: readonly string[];
}

/** Estimates the tokens and the cost of the run, as ranges. */
export function estimateOf(
  { generator: { teachers, params }, prepared }: Pick<RunContext, "generator" | "prepared">,
  findings: readonly Findings[],
): Estimate {
  return estimate({
    answers: sumOf(findings, ({ plan }) => plan.toAsk),
    promptTokens: sumOf(findings, ({ promptTokens }) => promptTokens),
    maxTokens: tokenLimitOf(params)?.tokens,
    ownLimits: {
      answers: sumOf(findings, ({ ownLimits }) => ownLimits.answers),
      minTokens: sumOf(findings, ({ ownLimits }) => ownLimits.minTokens),
      maxTokens: sumOf(findings, ({ ownLimits }) => ownLimits.maxTokens),
    },
    rates: teachers.map(({ teacher }) => prepared.ratesOf(teacher)),
  });
}

/** The notices of a run, also those of its teachers and prices. */
export function startNotices(
  context: Pick<RunContext, "generator" | "prepared">,
  inputs: readonly string[],
  findings: readonly Findings[],
  options: Pick<RunOptions, "retry" | "uids">,
): StartNotices {
  const { generator, prepared } = context;
  const cost = describeEstimate(estimateOf(context, findings), prepared.budget.maxCostUsd);
  return {
    info: [
      ...describeInput(inputs, findings),
      ...generator.notices,
      ...prepared.notes,
      ...retryNotes(findings, options),
      ...reaskedNotes(context, findings),
      ...cost.info,
    ],
    warnings: [...teacherNotices(generator, findings), ...cost.warnings],
  };
}

/** Notices of a retry: that it has no row to send, and how many pending rows it leaves out. */
function retryNotes(
  findings: readonly Findings[],
  { retry, uids }: Pick<RunOptions, "retry" | "uids">,
): string[] {
  const isEmpty = Boolean(retry) && findings.every(({ plan }) => plan.toAsk === 0);
  const among = Array.isArray(retry) || uids !== undefined ? " among those chosen" : "";
  const notes = isEmpty ? [`There is no failed row to retry${among}`] : [];
  const count = sumOf(findings, ({ total, finished, plan }) => total - finished - plan.toAsk);
  if (count <= 0) return notes;
  const areLeftOut = `${formatCountOf(count, "pending row")} ${
    count === 1 ? "is" : "are"
  } left out`;
  return [...notes, `${areLeftOut}: a retry sends failed rows only, a run without it the others`];
}

/** Notices about answered rows that the user has chosen: sent again, or left as they are. */
function reaskedNotes(
  context: Pick<RunContext, "generator" | "prepared">,
  findings: readonly Findings[],
): string[] {
  const count = sumOf(findings, ({ reasked }) => reasked);
  const left = sumOf(findings, ({ leftAnswered }) => leftAnswered);
  const leftNotes = left === 0 ? [] : [
    `${formatCount(left)} chosen ${
      left === 1 ? "row has a result and is" : "rows have results and are"
    } ` +
    "left alone: --reask-answered with --uids sends them again",
  ];
  if (count === 0) return leftNotes;
  const { costUsd } = estimateOf(context, findings);
  const cost = costUsd === null
    ? "their price is not known (--price-in and --price-out set it)"
    : `this run costs about ${formatRoughUsd(costUsd[0])} to ${formatRoughUsd(costUsd[1])}`;
  return [
    `${formatCount(count)} answered ${
      count === 1 ? "row is" : "rows are"
    } sent and paid for again; ` +
    `old answers are moved to .outdated.jsonl; ${cost}`,
  ];
}

/**
 * What the teachers say about the parameters that will be sent. Values are those of the run and of
 * one row with parameters; of all other rows, only the names of parameters count.
 */
export function teacherNotices(
  { teachers, params }: Pick<ResolvedOptions, "teachers" | "params">,
  findings: readonly Pick<Findings, "firstRows" | "paramNames">[] = [],
): string[] {
  const rows = findings.flatMap(({ firstRows }) => [...firstRows.values()]);
  const names = findings.flatMap(({ paramNames }) =>
    [...paramNames].map((name) => [name, undefined])
  );
  const sent = {
    ...Object.fromEntries(names),
    ...params,
    ...rows.find((row) => row.params !== undefined)?.params,
  };
  return [...new Set(teachers.flatMap(({ teacher }) => teacher.notices?.(sent) ?? []))];
}

type UsedFindings = Pick<
  Findings,
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
  | "missingUidFields"
  | "missingPromptField"
  | "fromRuns"
>;

/** For each input, a line with what was found in it; then lines on probable mistakes. */
export function describeInput(
  inputs: readonly string[],
  findings: readonly UsedFindings[],
): string[] {
  return [
    ...shortened(countLines(inputs, findings), findings.slice(MAX_INPUTS_SHOWN)),
    ...shortened(uidFieldLines(inputs, findings)),
    ...shortened(promptFieldLines(inputs, findings)),
    ...shortened(fromRunLines(inputs, findings)),
    ...unsentLines(findings),
  ];
}

/** Maximum number of inputs that a notice lists, one a line. */
const MAX_INPUTS_SHOWN = 20;

/**
 * The first lines, and the number of inputs whose lines are left out. `rest`: what was found in
 * those inputs, to count their rows.
 */
function shortened(lines: readonly string[], rest?: readonly UsedFindings[]): string[] {
  const more = lines.length - MAX_INPUTS_SHOWN;
  if (more <= 0) return [...lines];
  const rows = rest && sumOf(rest, (input) => input.rows);
  const bad = sumOf(rest ?? [], (input) => input.bad.count);
  const counts = [
    ...(rows === undefined ? [] : [`: ${formatCountOf(rows, "row")}`]),
    ...(bad === 0 ? [] : [`, ${formatCount(bad)} bad`]),
  ];
  return [
    ...lines.slice(0, MAX_INPUTS_SHOWN),
    `… and ${formatCount(more)} more inputs${counts.join("")}`,
  ];
}

/** Fields that questions refer to, as in SQuAD, BoolQ, RACE, MMLU and ARC. */
const CONTEXT_FIELDS: ReadonlySet<string> = new Set([
  "context",
  "passage",
  "article",
  "story",
  "documents",
  "choices",
  "options",
]);

/** Maximum number of fields that a notice names. */
const MAX_UNSENT_SHOWN = 20;

function unsentLines(findings: readonly UsedFindings[]): string[] {
  const names = [...new Set(findings.flatMap(({ unsent }) => [...unsent]))];
  if (names.length === 0) return [];
  const shown = names.slice(0, MAX_UNSENT_SHOWN).map((name) =>
    /^[\w.[\]-]+$/.test(name) ? name : JSON.stringify(name)
  );
  const context = names.filter((name) => CONTEXT_FIELDS.has(name));
  return [
    `not sent: ${shown.join(", ")}${names.length > shown.length ? ", …" : ""}`,
    ...context.length === 0 ? [] : [
      `Is the prompt about ${context.map((name) => `"${name}"`).join(", ")}? ` +
      "--template makes prompts of several fields",
    ],
  ];
}

/**
 * A notice for each input without a row that has the field of `--prompt-field`: its prompts come
 * from the usual field of each row's shape.
 */
function promptFieldLines(inputs: readonly string[], findings: readonly UsedFindings[]): string[] {
  return findings.flatMap(({ rows, missingPromptField: field }, index) =>
    rows === 0 || field === undefined
      ? []
      : [`No row of ${nameOf(inputs[index])} has the field "${field}" of --prompt-field`]
  );
}

/** A notice for each input with results of an earlier run: they would be paid for a second time. */
function fromRunLines(inputs: readonly string[], findings: readonly UsedFindings[]): string[] {
  return findings.flatMap(({ fromRuns }, index) => {
    if (fromRuns === 0) return [];
    const [lines, prompts] = fromRuns === 1
      ? ["is a line", "its prompt is"]
      : ["are lines", "their prompts are"];
    return [
      `${formatCountOf(fromRuns, "row")} of ${nameOf(inputs[index])} ${lines} ` +
      `that an earlier run has written: ${prompts} sent again. ` +
      '"export" makes a training set of results, and "retry" retries failed rows',
    ];
  });
}

function nameOf(input: string): string {
  return input === "-" ? "standard input" : `"${input}"`;
}

function countLines(inputs: readonly string[], findings: readonly UsedFindings[]): string[] {
  return findings.map((preflight, index) => {
    const name = inputs[index] === "-" ? "standard input" : inputs[index];
    const parts = [`${name}: ${formatCountOf(preflight.rows, "row")}`];
    if (preflight.shapes.size > 0) parts.push(`(${shapeCounts(preflight.shapes)})`);
    if (preflight.samples > 1) parts.push(`with ${formatCount(preflight.samples)} samples each`);
    const extras = [
      [preflight.succeeded, preflight.succeeded === 1 ? "has a result" : "have a result"],
      [preflight.failed, "failed before"],
      [preflight.merged, "merged as identical"],
      [preflight.changed, "edited since"],
      [sumOf(preflight.resent.values(), (count) => count), "sent differently now"],
      [preflight.bad.count, "bad"],
    ] as const;
    const details = extras.filter(([count]) => count > 0).map(([count, what]) =>
      `${formatCount(count)} ${what}`
    );
    // These models are paid for, whatever `--model` says.
    if (preflight.ownModels > 0) {
      const set = preflight.ownModels === 1
        ? "sets a model of its own"
        : "set a model of their own";
      details.push(`${formatCount(preflight.ownModels)} ${set}: ${modelList(preflight.models)}`);
    }
    return details.length === 0 ? parts.join(" ") : `${parts.join(" ")}, ${details.join(", ")}`;
  });
}

/**
 * A notice for each input without a row that has a field of `--uid-field`: otherwise, a mistyped
 * name would show only when results are joined by their uids.
 */
function uidFieldLines(inputs: readonly string[], findings: readonly UsedFindings[]): string[] {
  return findings.flatMap(({ rows, hashed, missingUidFields }, index) => {
    if (rows === 0 || missingUidFields.length === 0) return [];
    const name = nameOf(inputs[index]);
    const fields = missingUidFields.map((field) => `"${field}"`).join(" or ");
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

function shapeCounts(shapes: ReadonlyMap<string, number>): string {
  return [...shapes].map(([shape, count]) => `${formatCount(count)} ${shape}`).join(
    ", ",
  );
}

function modelList(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, MODELS_SHOWN);
  return names.size > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}
