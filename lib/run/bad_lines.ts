/**
 * The lines of one input that are no rows, grouped by what is wrong with them: thousands of lines have one
 * cause as a rule, and one way out.
 *
 * @module
 */

/** A line that is no row. */
export interface BadLine {
  /** Its number, from 1. */
  readonly line: number;
  /** What is wrong with it. */
  readonly problem: string;
}

/** Lines with one cause. */
export interface BadLineGroup {
  /** What is wrong with all of them. */
  readonly kind: string;
  /** What helps, often a flag; "" where nothing is known to. */
  readonly hint: string;
  /** How many there are. */
  readonly count: number;
  /** The first of them. */
  readonly examples: readonly BadLine[];
}

/** Examples of each group. */
const EXAMPLES = 5;
/** More causes than these share a group. */
const MOST_GROUPS = 20;
const OTHERS = "other problems";
/** A hint takes 10 µs to find. */
const HINTED_LINES = 1_000;

/** Kinds whose hint is the same for every line. */
const HINTS: readonly (readonly [kind: RegExp, hint: string])[] = [
  [/^uid belongs to an earlier row/, "add --duplicates keep to keep each, as <uid>~2 and so on"],
  [/^invalid UTF-8/, "convert the file, as with iconv -f WINDOWS-1252 -t UTF-8"],
];

/** Collects them. */
export class BadLines {
  readonly #groups = new Map<
    string,
    { kind: string; hint: string; count: number; examples: BadLine[] }
  >();
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** The groups, the one with the first line first. */
  get groups(): readonly BadLineGroup[] {
    return [...this.#groups.values()];
  }

  /** Adds a line; `hint` is asked for as long as there are few. */
  add(line: number, problem: string, hint: () => string): void {
    const kind = kindOf(problem);
    const known = ++this.#count <= HINTED_LINES ? hint() || hintFor(kind) : this.#hintOf(kind);
    const key = `${kind}\n${known}`;
    let group = this.#groups.get(key);
    if (group === undefined && this.#groups.size >= MOST_GROUPS) group = this.#groups.get(OTHERS);
    if (group === undefined) {
      const isFull = this.#groups.size >= MOST_GROUPS;
      group = { kind: isFull ? OTHERS : kind, hint: isFull ? "" : known, count: 0, examples: [] };
      this.#groups.set(isFull ? OTHERS : key, group);
    }
    if (++group.count <= EXAMPLES) group.examples.push({ line, problem });
  }

  /** The hint of the first group of a kind. */
  #hintOf(kind: string): string {
    for (const group of this.#groups.values()) if (group.kind === kind) return group.hint;
    return hintFor(kind);
  }
}

/** What is wrong, without what is the line's own: values, places and ids. */
function kindOf(problem: string): string {
  return problem.replace(/: .*$/s, "").replace(/\[\d+\]/g, "[…]")
    .replace(/^uid ".*" (belongs|needs) .*$/s, "uid belongs to an earlier row already");
}

function hintFor(kind: string): string {
  return HINTS.find(([pattern]) => pattern.test(kind))?.[1] ?? "";
}
