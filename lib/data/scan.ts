/**
 * Evaluates conditions on lines, for fields that no column has, such as texts.
 *
 * @module
 */

import { type Lookup, parseWhere, type Part, valueAt } from "../where/mod.ts";
import type { CodedField, ColumnArrays } from "./columns.ts";
import type { DataIndex } from "./data_index.ts";
import { flagNames } from "./flags.ts";
import { DamagedLine, factsOf, type JsonObject, type RunHints } from "./line_facts.ts";
import { BlockText, MemberFinder, type Prefilter, prefilterOf } from "./line_text.ts";
import { codedValue, distillOf, firstField, lookupObjects, meansDerivedField } from "./fields.ts";
import { plainPrompt, PROMPT_FIELDS } from "./turns.ts";
import { readFullySync } from "../files.ts";

export interface ScanJob {
  /** The rows to search, in ascending order and, like `columns`, in shared memory. */
  readonly rows: Uint32Array;
  readonly columns: Pick<ColumnArrays, "offset" | "bytes" | "file" | "flags">;
  readonly files: readonly { readonly path: string; readonly hints: RunHints }[];
  /** The fields in `Table.viewFields` that the condition reads. */
  readonly viewFields: ReadonlyMap<string, CodedField>;
  readonly where: readonly string[];
}

/** @param parts Parts of a condition for which the columns do not suffice. */
export function scanJobOf(
  { table, files }: DataIndex,
  rows: Uint32Array,
  parts: readonly Part[],
): ScanJob {
  const { offset, bytes, file, flags } = table.columns;
  const sharedRows = new Uint32Array(new SharedArrayBuffer(rows.byteLength));
  sharedRows.set(rows);
  const names = new Set(parts.flatMap(({ paths }) => paths.map(firstField)));
  return {
    rows: sharedRows,
    columns: { offset, bytes, file, flags },
    files: files.map(({ readPath, hints }) => ({ path: readPath, hints })),
    viewFields: new Map(table.viewFields.entries().filter(([name]) => names.has(name))),
    where: parts.map(({ text }) => text),
  };
}

/** Rows in a chunk, which one thread takes at a time. */
export const SCAN_ROWS = 512;

/** Maximum size of a block of lines that are read together, unless one line is longer. */
const MAX_BLOCK_BYTES = 1 << 18;
/** Maximum gap between lines of a block. Reading a small gap is cheaper than skipping it. */
const MAX_GAP_BYTES = 1 << 16;

/**
 * Calls `search` to search a block, for example with a time limit. A search that was interrupted may
 * be called again: it begins with the first row of the block, which is `ScanJob.rows[index]`.
 */
export type BlockRunner = (index: number, search: () => void) => void;

export class Scan implements Disposable {
  readonly #job: ScanJob;
  readonly #parts: readonly Part[];
  readonly #prefilter: Prefilter | undefined;
  readonly #line: ScannedLine;
  readonly #files: (Deno.FsFile | undefined)[] = [];
  #buffer = new Uint8Array(MAX_BLOCK_BYTES);

  constructor(job: ScanJob) {
    this.#job = job;
    this.#parts = job.where.flatMap((where) => parseWhere(where).parts);
    const hasTemplate = job.files.some(({ hints }) => hints.template !== undefined);
    const filters = this.#parts.flatMap(({ needle }) =>
      needle === undefined ? [] : prefilterOf(needle, hasTemplate) ?? []
    );
    // One prefilter suffices, since all parts must hold. The longest text is usually the rarest.
    this.#prefilter =
      filters.toSorted((a, b) => b.pattern.source.length - a.pattern.source.length)[0];
    this.#line = new ScannedLine(job, this.#parts.flatMap(({ paths }) => paths));
  }

  /** Returns the hits among `rows[first]` to `rows[limit - 1]`. */
  search(first: number, limit: number, run: BlockRunner = (_, search) => search()): number[] {
    const { rows, columns: { offset, bytes, file } } = this.#job;
    const hits: number[] = [];
    for (let begin = first, last = first; begin < limit; begin = last + 1) {
      const fileIndex = file[rows[begin]], start = offset[rows[begin]];
      let end = start + bytes[rows[last = begin]];
      while (last + 1 < limit) {
        const next = rows[last + 1], from = offset[next], to = from + bytes[next];
        const isNear = file[next] === fileIndex && from >= end && from - end <= MAX_GAP_BYTES;
        if (!isNear || to - start > MAX_BLOCK_BYTES) break;
        last++;
        end = to;
      }
      const block = this.#read(fileIndex, start, end - start);
      if (block === undefined) continue;
      const text = new BlockText(block), blockEnd = last, { length } = hits;
      run(begin, () => {
        hits.length = length;
        this.#searchBlock(text, start, begin, blockEnd, hits);
      });
    }
    return hits;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file?.close();
  }

  #searchBlock(
    block: BlockText,
    start: number,
    first: number,
    last: number,
    hits: number[],
  ): void {
    const { rows, columns: { offset } } = this.#job;
    const pattern = this.#prefilter?.patternFor(block);
    if (pattern === undefined) {
      for (let index = first; index <= last; index++) {
        if (this.#meets(block, start, rows[index])) hits.push(rows[index]);
      }
      return;
    }
    let index = first;
    for (pattern.lastIndex = 0; index <= last;) {
      const match = pattern.exec(block.text);
      if (match === null) break;
      const matchOffset = start + match.index;
      while (index < last && offset[rows[index + 1]] <= matchOffset) index++;
      if (this.#meets(block, start, rows[index])) hits.push(rows[index]);
      if (++index > last) break;
      pattern.lastIndex = Math.max(pattern.lastIndex, offset[rows[index]] - start);
    }
  }

  #meets(block: BlockText, blockStart: number, row: number): boolean {
    const { columns: { offset, bytes } } = this.#job;
    const from = offset[row] - blockStart;
    const line = this.#line;
    line.moveTo(block, from, from + bytes[row], row);
    return this.#parts.every(({ test }) => test(line.lookup)) && !line.isDamaged;
  }

  /** Reads a block. Returns undefined if the file cannot be read in full: the index will drop its
   * rows. */
  #read(fileIndex: number, offset: number, length: number): Uint8Array | undefined {
    try {
      const file = this.#files[fileIndex] ??= Deno.openSync(this.#job.files[fileIndex].path);
      if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
      const bytes = this.#buffer.subarray(0, length);
      return readFullySync(file, bytes, offset) < length ? undefined : bytes;
    } catch {
      return undefined;
    }
  }
}

/** The current line of a scan. Parses only the fields in the conditions, if possible. */
class ScannedLine {
  isDamaged = false;
  readonly #job: ScanJob;
  readonly #names: readonly string[];
  readonly #members: MemberFinder;
  #block: BlockText | undefined;
  #from = 0;
  #to = 0;
  #row = 0;
  #distill: JsonObject | undefined;
  #objects: readonly object[] | undefined;

  constructor(job: ScanJob, paths: readonly (readonly string[])[]) {
    this.#job = job;
    const needsPrompt = paths.some((path) => meansDerivedField(path) && path[1] === "prompt");
    const promptFields = needsPrompt ? PROMPT_FIELDS : [];
    this.#names = [...new Set([...paths.map(([name]) => name), ...promptFields, "distill"])];
    this.#members = new MemberFinder(this.#names);
  }

  moveTo(block: BlockText, from: number, to: number, row: number): void {
    this.#block = block;
    this.#from = from;
    this.#to = to;
    this.#row = row;
    this.#distill = undefined;
    this.#objects = undefined;
    this.isDamaged = false;
    this.#members.find(block, from, to);
  }

  readonly lookup: Lookup = (path) => {
    try {
      if (meansDerivedField(path)) {
        return (path[1] === "prompt" ? this.#plainPrompt() : undefined) ??
          valueAt(this.#parsedObjects().slice(1), path.slice(1));
      }
      const value = this.#member(path[0]);
      return value === undefined
        ? valueAt(this.#parsedObjects(), path)
        : valueAt([{ [path[0]]: value }], path);
    } catch {
      // The file may have been replaced since the index last checked it.
      this.isDamaged = true;
      return null;
    }
  };

  /** The prompt, if it needs only a few fields as in most rows; else undefined. */
  #plainPrompt(): string | undefined {
    const fields = PROMPT_FIELDS.map((name) => [name, this.#value(name)]);
    return plainPrompt(Object.fromEntries(fields), this.#hints);
  }

  get #hints(): RunHints {
    const { columns: { file }, files } = this.#job;
    return files[file[this.#row]].hints;
  }

  /** A field of the line or its `distill`; undefined if the line must be parsed. */
  #member(name: string): unknown {
    const value = this.#value(name);
    if (value !== undefined) return value;
    const distill = this.#distill ??= distillOf({ distill: this.#value("distill") });
    return Object.hasOwn(distill, name) ? distill[name] : undefined;
  }

  /** The value of a name; undefined if it was not found. */
  #value(name: string): unknown {
    const index = 2 * this.#names.indexOf(name);
    const { ranges } = this.#members;
    const from = ranges[index];
    return from === -1 ? undefined : this.#block!.valueAt(from, ranges[index + 1]);
  }

  /** Parses the whole line, once. Returns the objects in which fields are looked up. */
  #parsedObjects(): readonly object[] {
    if (this.#objects !== undefined) return this.#objects;
    const { bytes } = this.#block!;
    const { flags } = this.#job.columns, row = this.#row;
    const facts = factsOf(DECODER.decode(bytes.subarray(this.#from, this.#to)), this.#hints);
    this.isDamaged = facts instanceof DamagedLine;
    return this.#objects = facts instanceof DamagedLine
      ? []
      : lookupObjects(facts, this.#hints, () => flagNames(flags[row]), this.#viewFields());
  }

  #viewFields(): object {
    const fields = this.#job.viewFields.entries();
    return Object.fromEntries(fields.map(([name, field]) => [name, codedValue(field, this.#row)]));
  }
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Sent in place of a chunk or the id of a question once a worker is ready for messages. Its modules
 * load asynchronously, and an earlier message would be lost.
 */
export const READY = -1;

/** The only message to a worker of a scan, once it is ready. */
export interface ScanStart {
  readonly job: ScanJob;
  /** One Int32 for all workers: the next chunk to take. */
  readonly next: SharedArrayBuffer;
}

/** A report of a worker. The first one has the chunk `READY`. */
export type ScanReport =
  | { readonly chunk: number; readonly hits: readonly number[] }
  | { readonly problem: string };
