/**
 * Compares the ledger of the teacher with the input, the results and the failures. Every trial ends
 * here, however its run ended.
 *
 * An answer that was delivered whole must be a result, a `partial`, or superseded by a later answer
 * of its row. After a crash it may also have been in flight, and the lock file must have said so.
 *
 * @module
 */

import { runCli } from "../support/process.ts";
import type { TempDir } from "../support/temp.ts";
import type { TrialTeacher } from "./ledger.ts";
import { pythonProblems } from "./python.ts";
import type { LedgerEntry } from "./teacher.ts";

/** The end of a run, and its options. */
export interface RunEnd {
  /** A crash may lose calls in flight and leave half a line. */
  readonly kind: "crash" | "orderly";
  /** Answers for each row. @default 1 */
  readonly samples?: number;
  /** Whether failed rows were retried. @default false */
  readonly isRetry?: boolean;
  /** Whether every row must have a result now. @default false */
  readonly isComplete?: boolean;
}

/** The result of a check. */
export interface Found {
  /** Lines of the results file. */
  readonly results: number;
  /** Paid answers that a crash lost: all of them were in flight. */
  readonly lost: number;
}

/** A line of an output file. */
// deno-lint-ignore no-explicit-any -- its fields are what is checked
type Line = Record<string, any>;

/** Checks `in.jsonl` and `out/` of one folder, again and again as runs over them end. */
export class Checker {
  readonly #dir: TempDir;
  readonly #teacher: TrialTeacher;
  /** Answers that were in the results, by their numbers. */
  #acknowledged = new Set<number>();
  /** Requests whose answers were on disk when the last run ended. */
  #kept = new Set<string>();
  /** POSTs that were in flight at a crash. */
  readonly #inFlight = new Set<number>();
  #checked = 0;
  #problems: string[] = [];

  /** Checks the folder of a trial that asks this teacher. */
  constructor(dir: TempDir, teacher: TrialTeacher) {
    this.#dir = dir;
    this.#teacher = teacher;
  }

  /**
   * Compares everything once a run has ended.
   *
   * @throws {Error} with each broken promise
   */
  async check(end: RunEnd): Promise<Found> {
    this.#problems = [];
    const entries = await this.#teacher.entries();
    const isCrash = end.kind === "crash";
    const results = await this.#lines("out/in.jsonl", isCrash);
    const failures = await this.#lines("out/in_error.jsonl", isCrash);
    const outdated = await this.#lines("out/in.outdated.jsonl", isCrash);
    const rescued = await this.#rescued();
    const inResults = numbersOf([...results, ...outdated, ...rescued], entries);
    const kept = new Set([...inResults, ...numbersOf(failures, entries)]);

    this.#checkUids(results, failures, end);
    await this.#checkRows(results, entries);
    for (const n of this.#acknowledged) {
      if (!inResults.has(n)) this.#problems.push(`answer ${n} was a result and is gone`);
    }
    const lost = this.#lostOf(entries, kept);
    if (!isCrash) {
      for (const n of lost) this.#problems.push(`answer ${n} was paid for and is lost`);
    } else if (lost.length > 0) await this.#checkNote(lost.length);
    if (!end.isRetry) this.#checkPaidOnce(entries);
    if (end.isComplete) await this.#checkComplete(results, end);

    this.#acknowledged = inResults;
    this.#kept = new Set(entries.filter(({ n }) => kept.has(n)).map(({ request }) => request));
    if (isCrash) {
      for (const { n } of entries.slice(this.#checked)) if (!kept.has(n)) this.#inFlight.add(n);
    }
    this.#checked = entries.length;
    if (this.#problems.length > 0) throw new Error(this.#problems.slice(0, 20).join("\n"));
    return { results: results.length, lost: isCrash ? lost.length : 0 };
  }

  /** Whole answers that are neither on disk, nor superseded, nor known to have been in flight. */
  #lostOf(entries: readonly LedgerEntry[], kept: ReadonlySet<number>): number[] {
    const latest = new Map<string, number>();
    for (const entry of entries) if (kept.has(entry.n)) latest.set(rowOf(entry), entry.n);
    return entries.filter((entry) =>
      entry.isWhole && !kept.has(entry.n) && !this.#inFlight.has(entry.n) &&
      (latest.get(rowOf(entry)) ?? 0) < entry.n
    ).map(({ n }) => n);
  }

  async #checkNote(lost: number): Promise<void> {
    const note = JSON.parse(await this.#dir.read("out/in.lock"));
    if (note.running && lost <= note.in_flight) return;
    this.#problems.push(`${lost} paid answers are lost, and the lock says ${JSON.stringify(note)}`);
  }

  /** Rows that were on disk when the last run ended are not sent again. */
  #checkPaidOnce(entries: readonly LedgerEntry[]): void {
    for (const { n, request, isWhole } of entries.slice(this.#checked)) {
      if (!isWhole || !this.#kept.has(request)) continue;
      this.#problems.push(`${request} was answered, and paid for again with POST ${n}`);
    }
  }

  #checkUids(results: readonly Line[], failures: readonly Line[], { kind }: RunEnd): void {
    const uids = new Set<string>();
    for (const { uid } of results) {
      if (typeof uid !== "string") this.#problems.push(`a result has the uid ${uid}`);
      else if (uids.has(uid)) this.#problems.push(`uid "${uid}" has two results`);
      uids.add(uid);
    }
    if (kind === "crash") return;
    for (const { uid } of failures) {
      if (uids.has(uid)) this.#problems.push(`uid "${uid}" is a result and a failure`);
    }
  }

  /** Each result holds the bytes of its row, and the answer to its prompt. */
  async #checkRows(results: readonly Line[], entries: readonly LedgerEntry[]): Promise<void> {
    const rows = new Map<string, Line>();
    for (const row of await this.#dir.rows("in.jsonl")) rows.set(row.id, row);
    for (const { uid, id, prompt, response } of results) {
      const row = rows.get(id), entry = entries[numberOf(response) - 1];
      const sample = Number(/#(\d+)$/.exec(uid)?.[1] ?? 0);
      if (row === undefined) this.#problems.push(`"${uid}" is no row of the input`);
      else if (entry?.text !== response) {
        this.#problems.push(
          `the answer of "${uid}" was never sent: ${JSON.stringify(response).slice(0, 80)}`,
        );
      } else if (entry.prompt !== prompt || entry.sample !== sample) {
        this.#problems.push(`"${uid}" has the answer to ${entry.request}`);
      }
    }
  }

  async #checkComplete(results: readonly Line[], { samples = 1 }: RunEnd): Promise<void> {
    const wanted = (await this.#dir.rows("in.jsonl")).length * samples;
    if (results.length !== wanted) this.#problems.push(`${results.length} results of ${wanted}`);
    const args = ["verify", this.#dir.path("in.jsonl"), "-o", this.#dir.path("out/")];
    const { code, stdout } = await runCli(args);
    if (code !== 0) this.#problems.push(`verify ends with ${code}:\n${stdout}`);
    const files = ["out/in.jsonl", "out/in_error.jsonl"].map((name) => this.#dir.path(name));
    this.#problems.push(...await pythonProblems(files));
  }

  async #rescued(): Promise<Line[]> {
    const lines: Line[] = [];
    for await (const { name } of Deno.readDir(this.#dir.path("out"))) {
      if (/\.rescued-\d+\.jsonl$/.test(name)) {
        lines.push(...await this.#lines(`out/${name}`, false));
      }
    }
    return lines;
  }

  async #lines(name: string, mayBreakOff: boolean): Promise<Line[]> {
    if (!(await this.#dir.exists(name))) return [];
    const texts = (await this.#dir.read(name)).split("\n");
    if (texts.pop() !== "" && !mayBreakOff) this.#problems.push(`${name} ends in half a line`);
    return texts.flatMap((text, i) => {
      try {
        return [JSON.parse(text)];
      } catch {
        this.#problems.push(`${name}:${i + 1} is no JSON`);
        return [];
      }
    });
  }
}

/** The number of the POST that an answer is for. */
function numberOf(response: unknown): number {
  return Number(/^(?:answer|I cannot) (\d+) /.exec(String(response))?.[1] ?? 0);
}

/** The answers in these lines, by their numbers; only those that are there to the last byte. */
function numbersOf(lines: readonly Line[], entries: readonly LedgerEntry[]): Set<number> {
  const texts = lines.map((line) => line.response ?? line.partial?.response);
  const isWhole = (text: unknown) => entries[numberOf(text) - 1]?.text === text;
  return new Set(texts.filter(isWhole).map(numberOf));
}

/** A sample of a row, whatever its prompt was edited to. */
function rowOf({ prompt, sample }: LedgerEntry): string {
  return `${/\d+$/.exec(prompt)?.[0]}#${sample}`;
}
