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
export function refuseProblems(findings: readonly UsedFindings[], options: Options): void {
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
  const badInputs = findings.map((ofInput, index) => ({
    input: inputs[index],
    bad: ofInput.bad,
    placeOf: (line: number) => ofInput.placeOf(line),
  }));
  const lines = listBadLines(badInputs, "line");
  return [
    `Cannot send ${formatCountOf(count, "line")} of the input; nothing was sent\n` +
    `${lines.join("\n")}\n` +
    "Fix them, or add --skip-bad-rows to write them to the failures file and send the rest",
  ];
}

/** An input and its bad lines. */
export interface BadInput {
  /** As the user named it. */
  readonly input: string;
  readonly bad: BadLines;
  /** Returns the place of a line for messages: `file:line`, `file[element]` or `file:row`. */
  readonly placeOf: (line: number) => string;
}

/**
 * Describes the problems of inputs, each with its first lines.
 *
 * @param noun What the messages call a line.
 */
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

/** One line if the problem has one example; else a heading with the examples below it. */
function groupLines(
  { kind, hint, count, examples }: BadLineGroup,
  { placeOf }: BadInput,
  { noun, where }: { noun: string; where: string },
): string[] {
  const advice = hint === "" ? "" : `: ${hint}`;
  if (count === 1) return [`  ${placeOf(examples[0].line)}: ${examples[0].problem}${advice}`];
  const lines = [`  ${formatCountOf(count, noun)}${where}: ${kind}${advice}`];
  for (const { line, problem } of examples) {
    lines.push(`    ${placeOf(line)}${problem === kind ? "" : `: ${problem}`}`);
  }
  const more = count - examples.length;
  if (more > 0) lines.push(`    … and ${formatCount(more)} more`);
  return lines;
}

function shapeProblem(findings: readonly UsedFindings[]): string[] {
  const shapes = new Map<string, { count: number; place: string }>();
  for (const ofInput of findings) {
    for (const [shape, count] of ofInput.shapes) {
      const earlier = shapes.get(shape);
      const place = earlier?.place ?? ofInput.placeOf(ofInput.shapeStarts.get(shape)!);
      shapes.set(shape, { count: count + (earlier?.count ?? 0), place });
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

/** The message about inputs without rows: `Cannot <verb>: "in.jsonl" holds no rows. …`. */
export function emptyMessage(verb: string, inputs: readonly string[], what = "no rows"): string {
  const names = inputs.map((input) => input === "-" ? "standard input" : `"${input}"`);
  return `Cannot ${verb}: ${names.join(", ")} ${names.length === 1 ? "holds" : "hold"} ${what}. ` +
    "Add --allow-empty if that is meant";
}

/** A line that is not a row, or whose row cannot enter the run. */
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
  /** The first lines, at most `MAX_EXAMPLES`. */
  readonly examples: readonly BadLine[];
}

const MAX_EXAMPLES = 5;
/** Problems that have a group of their own; all further ones share one group. */
const MAX_GROUPS = 20;
const OTHER_PROBLEMS = "other problems";
/** Later lines get the hint of their group: to compute one takes 10 µs. */
const MAX_HINTED_LINES = 1_000;

/** Problems whose hint is the same for every line. */
const HINTS: readonly (readonly [kind: RegExp, hint: string])[] = [
  [/^uid belongs to an earlier row/, "add --duplicates keep to keep each, as <uid>~2 and so on"],
  [/^invalid UTF-8/, UTF8_ADVICE],
];

interface CountedGroup extends BadLineGroup {
  count: number;
  readonly examples: BadLine[];
}

/** Counts bad lines, grouped by problem. */
export class BadLines {
  readonly #groups = new Map<string, CountedGroup>();
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
    const isHinted = ++this.#count <= MAX_HINTED_LINES;
    const group = this.#groupOf(kind, isHinted ? hint() || hintFor(kind) : this.#hintOf(kind));
    if (++group.count <= MAX_EXAMPLES) group.examples.push({ line, problem });
  }

  #groupOf(kind: string, hint: string): CountedGroup {
    const groups = this.#groups;
    const isFull = groups.size >= MAX_GROUPS;
    const key = `${kind}\n${hint}`;
    const existing = groups.get(key) ?? (isFull ? groups.get(OTHER_PROBLEMS) : undefined);
    if (existing !== undefined) return existing;
    const group = isFull ? { kind: OTHER_PROBLEMS, hint: "" } : { kind, hint };
    const counted: CountedGroup = { ...group, count: 0, examples: [] };
    groups.set(isFull ? OTHER_PROBLEMS : key, counted);
    return counted;
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
