/**
 * Problems that stop a run before its first call: all problems of its inputs in one message, each
 * with the flag or command that helps.
 *
 * @module
 */

import { SourceError, UsageError } from "../errors.ts";
import { UTF8_ADVICE } from "../formats/mod.ts";
import { formatCount, formatCountOf, sumOf } from "../figures.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import type { RowOptions } from "./options.ts";
import type { Findings } from "./findings.ts";

type UsedFindings = Pick<
  Findings,
  "bad" | "shapes" | "shapeStarts" | "changed" | "resent" | "rows" | "unreadable" | "placeOf"
>;

type Options =
  & Pick<ResolvedRunOptions, "input" | "skipBadRows" | "changed" | "allowEmpty">
  & Pick<RowOptions, "mixedShapes">;

/** Maximum number of problems that a message lists. */
const MAX_LISTED = 20;

/**
 * Throws one error with all problems of the inputs.
 *
 * @throws {SourceError} for inputs that cannot be read, bad rows, and inputs without any row
 * @throws {UsageError} for mixed shapes, edited rows, and rows that this version sends differently
 */
export function checkInput(findings: readonly UsedFindings[], options: Options): void {
  const source = [
    ...findings.flatMap(({ unreadable }) => unreadable ?? []),
    ...options.skipBadRows ? [] : badRowProblem(options.input, findings),
  ];
  const usage = [
    ...options.mixedShapes ? [] : shapeProblem(findings),
    ...options.changed === undefined ? changedProblem(findings) : [],
  ];
  if (source.length + usage.length === 0 && !options.allowEmpty) {
    source.push(...emptyProblem(options.input, findings));
  }
  if (source.length + usage.length === 0) return;
  const message = [...source, ...usage].join("\n");
  throw source.length > 0 ? new SourceError(message) : new UsageError(message);
}

function badRowProblem(inputs: readonly string[], findings: readonly UsedFindings[]): string[] {
  const count = sumOf(findings, ({ bad }) => bad.count);
  if (count === 0) return [];
  const lines = listBadLines(
    findings.map((one, index) => ({
      input: inputs[index],
      bad: one.bad,
      placeOf: (line) => one.placeOf(line),
    })),
    "line",
  );
  return [
    `Cannot send ${formatCountOf(count, "line")} of the input; nothing was sent\n` +
    `${lines.join("\n")}\n` +
    "Fix them, or add --skip-bad-rows to write them to the failures file and send the rest",
  ];
}

export interface BadInput {
  readonly input: string;
  readonly bad: BadLines;
  /** Returns the place of a line for messages: `file:line`, `file[element]` or `file:row`. */
  readonly placeOf: (line: number) => string;
}

/**
 * Describes the problems of inputs, each with its first lines. `noun`: what the messages call a
 * line.
 */
export function listBadLines(inputs: readonly BadInput[], noun: "line" | "row"): string[] {
  const blocks = inputs.flatMap((one) => one.bad.groups.map((group) => ({ group, one })));
  const lines = blocks.slice(0, MAX_LISTED).flatMap(({ group, one }) =>
    groupLines(group, one, { noun, where: inputs.length > 1 ? ` of ${one.input}` : "" })
  );
  if (blocks.length > MAX_LISTED) {
    lines.push(`  … and ${blocks.length - MAX_LISTED} more problems`);
  }
  return lines;
}

/** One line if the problem has one example; else a heading with the examples below it. */
function groupLines(
  { kind, hint, count, examples }: BadLineGroup,
  { placeOf }: BadInput,
  { noun, where }: { noun: string; where: string },
): string[] {
  const way = hint === "" ? "" : `: ${hint}`;
  if (count === 1) return [`  ${placeOf(examples[0].line)}: ${examples[0].problem}${way}`];
  const lines = [`  ${formatCountOf(count, noun)}${where}: ${kind}${way}`];
  for (const { line, problem } of examples) {
    lines.push(`    ${placeOf(line)}${problem === kind ? "" : `: ${problem}`}`);
  }
  const more = count - examples.length;
  if (more > 0) lines.push(`    … and ${formatCount(more)} more`);
  return lines;
}

function shapeProblem(findings: readonly UsedFindings[]): string[] {
  const shapes = new Map<string, { count: number; place: string }>();
  for (const one of findings) {
    const { shapes: counts, shapeStarts } = one;
    for (const [shape, count] of counts) {
      const before = shapes.get(shape);
      const place = before?.place ?? one.placeOf(shapeStarts.get(shape)!);
      shapes.set(shape, { count: count + (before?.count ?? 0), place });
    }
  }
  if (shapes.size < 2) return [];
  const counted = [...shapes].map(([shape, { count }]) => `${formatCount(count)} ${shape}`);
  return [
    [
      `Cannot send rows of ${shapes.size} shapes in one run: ${counted.join(", ")}. ` +
      "Add --mixed-shapes if that is meant",
      ...[...shapes].map(([shape, { place }]) => `  ${place}: the first ${shape}`),
    ].join("\n"),
  ];
}

function changedProblem(findings: readonly UsedFindings[]): string[] {
  const count = sumOf(findings, ({ changed }) => changed);
  const edited = count === 0 ? [] : [
    `${formatCountOf(count, "row")} ${count === 1 ? "was" : "were"} edited after being answered`,
  ];
  const lines = resentLines(findings);
  const resent = lines.length === 0
    ? []
    : ["what this version sends for rows differs from what an earlier version sent"];
  if (count === 0 && lines.length === 0) return [];
  return [
    [
      `Cannot continue: ${[...edited, ...resent].join(", and ")}. ` +
      "Add --changed reask to send these rows again, or --changed keep to keep the old answers",
      ...lines,
    ].join("\n"),
  ];
}

/** Lines on what this version sends differently from an earlier one, with the number of rows. */
function resentLines(findings: readonly UsedFindings[]): string[] {
  const counts = new Map<string, number>();
  for (const { resent } of findings) {
    for (const [what, count] of resent) counts.set(what, (counts.get(what) ?? 0) + count);
  }
  return [...counts].map(([what, count]) => `  ${formatCountOf(count, "row")}: now ${what}`);
}

function emptyProblem(inputs: readonly string[], findings: readonly UsedFindings[]): string[] {
  if (findings.some(({ rows }) => rows > 0)) return [];
  const bad = sumOf(findings, ({ bad }) => bad.count);
  const what = bad === 0
    ? undefined
    : `no row that can be sent (${formatCountOf(bad, "bad line")})`;
  return [emptyMessage("start", inputs, what)];
}

/** The message about inputs without rows: `Cannot <doing>: "in.jsonl" holds no rows. …`. */
export function emptyMessage(doing: string, inputs: readonly string[], what = "no rows"): string {
  const names = inputs.map((input) => input === "-" ? "standard input" : `"${input}"`);
  return `Cannot ${doing}: ${names.join(", ")} ${names.length === 1 ? "holds" : "hold"} ${what}. ` +
    "Add --allow-empty if that is meant";
}

export interface BadLine {
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

/** Lines with the same problem. */
interface BadLineGroup {
  /** The problem that they share. */
  readonly kind: string;
  /** What fixes the problem, often a flag; "" if unknown. */
  readonly hint: string;
  readonly count: number;
  /** The first lines, at most `EXAMPLES`. */
  readonly examples: readonly BadLine[];
}

const EXAMPLES = 5;
/** Problems that have a group of their own; all further ones share one group. */
const MAX_GROUPS = 20;
const OTHERS = "other problems";
/** Hints are computed for this many lines: each takes 10 µs. */
const HINTED_LINES = 1_000;

/** Problems whose hint is the same for every line. */
const HINTS: readonly (readonly [kind: RegExp, hint: string])[] = [
  [/^uid belongs to an earlier row/, "add --duplicates keep to keep each, as <uid>~2 and so on"],
  [/^invalid UTF-8/, UTF8_ADVICE],
];

/** Counts bad lines, grouped by problem. */
export class BadLines {
  readonly #groups = new Map<
    string,
    { kind: string; hint: string; count: number; examples: BadLine[] }
  >();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The groups, in the order of their first lines. */
  get groups(): readonly BadLineGroup[] {
    return [...this.#groups.values()];
  }

  /** Adds a line. `hint` is called only for the first 1,000 lines. */
  add(line: number, problem: string, hint: () => string): void {
    const kind = kindOf(problem);
    const known = ++this.#count <= HINTED_LINES ? hint() || hintFor(kind) : this.#hintOf(kind);
    const key = `${kind}\n${known}`;
    let group = this.#groups.get(key);
    if (group === undefined && this.#groups.size >= MAX_GROUPS) group = this.#groups.get(OTHERS);
    if (group === undefined) {
      const isFull = this.#groups.size >= MAX_GROUPS;
      group = { kind: isFull ? OTHERS : kind, hint: isFull ? "" : known, count: 0, examples: [] };
      this.#groups.set(isFull ? OTHERS : key, group);
    }
    if (++group.count <= EXAMPLES) group.examples.push({ line, problem });
  }

  /** The hint of the first group with this problem. */
  #hintOf(kind: string): string {
    for (const group of this.#groups.values()) if (group.kind === kind) return group.hint;
    return hintFor(kind);
  }
}

/** The problem without values, places and ids, which differ between lines. */
function kindOf(problem: string): string {
  return problem.replace(/: .*$/s, "").replace(/\[\d+\]/g, "[…]")
    .replace(/^uid ".*" (belongs|needs) .*$/s, "uid belongs to an earlier row already");
}

function hintFor(kind: string): string {
  return HINTS.find(([pattern]) => pattern.test(kind))?.[1] ?? "";
}
