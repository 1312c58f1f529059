/**
 * Describes the inputs before the first call, and reports all their problems in one message, each
 * with the flag or command that helps.
 *
 * @module
 */

import { SourceError, type SourceErrorOptions, UsageError } from "../errors.ts";
import { formatCount, formatCountOf, sumOf } from "../figures.js";
import type { ResolvedRunOptions } from "./run_options.ts";
import type { RowOptions } from "./options.ts";
import { type BadLineGroup, type BadLines, type Findings, MODELS_SHOWN } from "./findings.ts";

type Options =
  & Pick<ResolvedRunOptions, "skipBadRows" | "changed" | "allowEmpty">
  & Pick<RowOptions, "mixedShapes">;

const MAX_LISTED = 20;

/**
 * Throws one error with all problems of the inputs.
 *
 * @throws {SourceError} for inputs that cannot be read, bad rows, and inputs without any row
 * @throws {UsageError} for mixed shapes, edited rows, and rows that this version sends differently
 */
export function refuseProblems(findings: readonly Findings[], options: Options): void {
  const source = [
    ...findings.flatMap(({ unreadable }) => unreadable?.message ?? []),
    ...options.skipBadRows ? [] : badRowProblem(findings),
  ];
  const usage = [
    ...options.mixedShapes ? [] : shapeProblem(findings),
    ...options.changed === undefined ? changedProblem(findings) : [],
    // `--changed keep` cannot keep the answer of a row whose id has changed: the row would be sent
    // again.
    ...options.changed === "reask" ? [] : rewrittenProblem(findings),
  ];
  if (source.length + usage.length === 0 && !options.allowEmpty) {
    source.push(...emptyProblem(findings));
  }
  if (source.length + usage.length === 0) return;
  const message = [...source, ...usage].join("\n");
  if (source.length === 0) throw new UsageError(message);
  throw new SourceError(message, onlyPlace(findings, options));
}

/** Returns the place of the problem if there is only one, and an empty object otherwise. */
function onlyPlace(findings: readonly Findings[], { skipBadRows }: Options): SourceErrorOptions {
  const places = findings.flatMap((found): SourceErrorOptions[] => {
    const badLines = skipBadRows ? [] : found.bad.groups.flatMap(({ examples }) => examples);
    const badPlaces = badLines.map(({ line }) => found.fileAndLineOf(line));
    return found.unreadable === undefined ? badPlaces : [found.unreadable, ...badPlaces];
  });
  return places.length === 1 ? places[0] : {};
}

function badRowProblem(findings: readonly Findings[]): string[] {
  const count = sumOf(findings, ({ bad }) => bad.count);
  if (count === 0) return [];
  return [
    `Cannot send ${formatCountOf(count, "line")} of the input; nothing was sent`,
    ...listBadLines(findings, "line"),
    "Fix them, or add --skip-bad-rows to write them to the failures file and send the rest",
  ];
}

export interface BadInput {
  readonly input: string;
  readonly bad: BadLines;
  /** Returns the place of a line as `file:line`, `file[element]` or `file:row`. */
  placeOf(line: number): string;
}

/** Describes the bad lines of inputs, by problem. `noun` is what the message calls a line. */
export function listBadLines(inputs: readonly BadInput[], noun: "line" | "row"): string[] {
  const blocks = inputs.flatMap((input) => input.bad.groups.map((group) => ({ group, input })));
  const lines = blocks.slice(0, MAX_LISTED).flatMap(({ group, input }) =>
    groupLines(group, input, { noun, where: inputs.length > 1 ? ` of ${input.input}` : "" })
  );
  if (blocks.length > MAX_LISTED) {
    lines.push(`  … and ${formatCountOf(blocks.length - MAX_LISTED, "more problem")}`);
  }
  return lines;
}

function groupLines(
  { kind, hint, count, examples }: BadLineGroup,
  input: BadInput,
  { noun, where }: { noun: string; where: string },
): string[] {
  const advice = hint === "" ? "" : `: ${hint}`;
  if (count === 1) return [`  ${input.placeOf(examples[0].line)}: ${examples[0].problem}${advice}`];
  const lines = [`  ${formatCountOf(count, noun)}${where}: ${kind}${advice}`];
  for (const { line, problem } of examples) {
    lines.push(`    ${input.placeOf(line)}${problem === kind ? "" : `: ${problem}`}`);
  }
  const more = count - examples.length;
  if (more > 0) lines.push(`    … and ${formatCount(more)} more`);
  return lines;
}

function shapeProblem(findings: readonly Findings[]): string[] {
  const counts = sumsOf(findings.map(({ shapes }) => shapes));
  if (counts.size < 2) return [];
  const places = [...counts.keys()].map((shape) => {
    const first = findings.find(({ shapes }) => shapes.has(shape))!;
    return `  ${first.placeOf(first.shapeStarts.get(shape)!)}: the first ${shape}`;
  });
  return [
    `Cannot send rows of ${counts.size} shapes in one run: ${shapeCounts(counts)}. ` +
    "Add --mixed-shapes if this is intended",
    ...places,
  ];
}

function changedProblem(findings: readonly Findings[]): string[] {
  const count = sumOf(findings, ({ changed }) => changed);
  const since = count === 1 ? "was edited since it was" : "were edited since they were";
  const editedClauses = count === 0
    ? []
    : [`${formatCountOf(count, "row")} ${since} answered or failed`];
  const lines = [...sumsOf(findings.map(({ sentDifferently }) => sentDifferently))]
    .map(([what, rows]) => `  ${formatCountOf(rows, "row")}: now ${what}`);
  const resentClauses = lines.length === 0
    ? []
    : ["what this version sends for rows differs from what an earlier version sent"];
  if (count === 0 && lines.length === 0) return [];
  return [
    `Cannot continue: ${[...editedClauses, ...resentClauses].join(", and ")}. ` +
    "Add --changed reask to send these rows again, or --changed keep to keep the old answers",
    ...lines,
  ];
}

function rewrittenProblem(findings: readonly Findings[]): string[] {
  const count = sumOf(findings, ({ rewritten }) => rewritten);
  if (count === 0) return [];
  return [
    `Cannot continue: for ${formatCountOf(count, "result")}, the input has no row with the same ` +
    "id, but a row with the same prompt. An id was added or changed, or a program rewrote rows that " +
    "have no id (1.0 for 1), so these rows would be paid for again. Use the input as it was, or " +
    "add --changed reask to send them as new rows",
  ];
}

function sumsOf(counts: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, count] of counts.flatMap((one) => [...one])) {
    sums.set(name, (sums.get(name) ?? 0) + count);
  }
  return sums;
}

function emptyProblem(findings: readonly Findings[]): string[] {
  if (findings.some(({ rows }) => rows > 0)) return [];
  const bad = sumOf(findings, ({ bad }) => bad.count);
  const missing = bad > 0
    ? `no row that can be sent (${formatCountOf(bad, "bad line")})`
    : undefined;
  return [emptyMessage("start", findings.map(({ input }) => input), missing)];
}

/** Returns `Cannot <verb>: no rows in "in.jsonl". …`. */
export function emptyMessage(
  verb: string,
  inputs: readonly string[],
  missing = "no rows",
): string {
  const names = inputs.map(quotedName).join(", ");
  return `Cannot ${verb}: ${missing} in ${names}. Add --allow-empty if this is intended`;
}

/** Returns a line for each input, then lines about probable mistakes and about fields that are not
 * sent. */
export function describeInput(findings: readonly Findings[]): string[] {
  const mistakes = [uidFieldLine, promptFieldLine, fromRunLine].flatMap((lineOf) =>
    firstLines(findings.flatMap((found) => lineOf(found) ?? []))
  );
  const counts = firstLines(findings.map(countLine), countsOf(findings.slice(MAX_INPUTS_SHOWN)));
  return [...counts, ...mistakes, ...unsentLines(findings)];
}

const MAX_INPUTS_SHOWN = 20;

/** Returns the first lines, and a line with the number of further inputs, which ends with
 * `counts`. */
function firstLines(lines: readonly string[], counts = ""): readonly string[] {
  const more = lines.length - MAX_INPUTS_SHOWN;
  if (more <= 0) return lines;
  const lastLine = `… and ${formatCountOf(more, "more input")}${counts}`;
  return [...lines.slice(0, MAX_INPUTS_SHOWN), lastLine];
}

function countsOf(findings: readonly Findings[]): string {
  const rows = sumOf(findings, (found) => found.rows);
  const bad = sumOf(findings, (found) => found.bad.count);
  return `: ${formatCountOf(rows, "row")}${bad === 0 ? "" : `, ${formatCount(bad)} bad`}`;
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

const MAX_UNSENT_SHOWN = 20;

function unsentLines(findings: readonly Findings[]): string[] {
  const names = [...new Set(findings.flatMap(({ unsent }) => [...unsent]))];
  if (names.length === 0) return [];
  const shownNames = names.slice(0, MAX_UNSENT_SHOWN).map((name) =>
    /^[\w.[\]-]+$/.test(name) ? name : JSON.stringify(name)
  );
  const context = names.filter((name) => CONTEXT_FIELDS.has(name));
  return [
    `not sent: ${shownNames.join(", ")}${names.length > shownNames.length ? ", …" : ""}`,
    ...context.length === 0 ? [] : [
      `Is the prompt about ${context.map((name) => `"${name}"`).join(", ")}? ` +
      "--template makes prompts of several fields",
    ],
  ];
}

function promptFieldLine(
  { input, rows, missingPromptField: field }: Findings,
): string | undefined {
  if (rows === 0 || field === undefined) return undefined;
  return `No row of ${quotedName(input)} has the field "${field}" (--prompt-field)`;
}

function fromRunLine({ input, fromRuns }: Findings): string | undefined {
  if (fromRuns === 0) return undefined;
  return `${quotedName(input)} has ${formatCountOf(fromRuns, "line")} that an earlier run wrote, ` +
    'and whose prompts are sent again. "export" makes a training set of results, and "retry" ' +
    "retries failed rows";
}

function quotedName(input: string): string {
  return input === "-" ? "standard input" : `"${input}"`;
}

function countLine(found: Findings): string {
  const { input, rows, shapes, samples, ownModels } = found;
  const parts = [`${input === "-" ? "standard input" : input}: ${formatCountOf(rows, "row")}`];
  if (shapes.size > 0) parts.push(`(${shapeCounts(shapes)})`);
  if (samples > 1) parts.push(`with ${formatCount(samples)} samples each`);
  const setModels = ownModels === 1 ? "sets a model of its own" : "set a model of their own";
  const extras = [
    [found.succeeded, found.succeeded === 1 ? "has a result" : "have a result"],
    [found.failed, "failed before"],
    [found.merged, "merged as identical"],
    [found.changed, "edited since"],
    [sumOf(found.sentDifferently.values(), (count) => count), "sent differently now"],
    [found.bad.count, "bad"],
    // These models are billed, whatever `--model` says.
    [ownModels, `${setModels}: ${modelList(found.models)}`],
  ] as const;
  const details = extras.filter(([count]) => count > 0)
    .map(([count, what]) => `${formatCount(count)} ${what}`);
  return [parts.join(" "), ...details].join(", ");
}

/** Reports a missing uid field: otherwise, a mistyped name would show only when results are joined
 * by uid. */
function uidFieldLine(
  { input, rows, hashed, missingUidFields }: Findings,
): string | undefined {
  if (rows === 0 || missingUidFields.length === 0) return undefined;
  const fields = missingUidFields.map((field) => `"${field}"`).join(" or ");
  const names = [
    ...(hashed < rows ? ["by their uid, custom_id or id"] : []),
    ...(hashed > 0 ? ["by a hash"] : []),
  ];
  return `No row of ${quotedName(input)} has a value for the field ${fields} (--uid-field): ` +
    `rows are identified ${names.join(", or ")}`;
}

function shapeCounts(shapes: ReadonlyMap<string, number>): string {
  return [...shapes].map(([shape, count]) => `${formatCount(count)} ${shape}`).join(", ");
}

function modelList(names: ReadonlySet<string>): string {
  const firstNames = [...names].slice(0, MODELS_SHOWN);
  return names.size > firstNames.length ? `${firstNames.join(", ")}, …` : firstNames.join(", ");
}
