/**
 * Reads the lines of rows, for what the columns do not hold: texts.
 *
 * @module
 */

import { type Needle, parseWhere, type Part, valueAt } from "../where/mod.ts";
import { placesOf } from "./derived.ts";
import { flagNames } from "./flags.ts";
import { DamagedLine, factsOf, type RunHints } from "./line_facts.ts";
import type { Table } from "./table.ts";

/** The lines to be read, in their order: plain data that can go to another thread. */
export interface ScanRows {
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly offset: Float64Array<ArrayBuffer>;
  readonly bytes: Uint32Array<ArrayBuffer>;
  readonly file: Uint16Array<ArrayBuffer>;
  readonly flags: Uint16Array<ArrayBuffer>;
}

/** What a scan looks for, and where. */
export interface ScanJob extends ScanRows {
  readonly files: readonly { readonly path: string; readonly hints: RunHints }[];
  /** Conditions that all have to hold. */
  readonly where: readonly string[];
}

/** Collects what a scan needs of some rows. */
export function scanRowsOf({ columns }: Table, rows: Uint32Array<ArrayBuffer>): ScanRows {
  const { length } = rows;
  const result = {
    rows,
    offset: new Float64Array(length),
    bytes: new Uint32Array(length),
    file: new Uint16Array(length),
    flags: new Uint16Array(length),
  };
  for (let at = 0; at < length; at++) {
    const row = rows[at];
    result.offset[at] = columns.offset[row];
    result.bytes[at] = columns.bytes[row];
    result.file[at] = columns.file[row];
    result.flags[at] = columns.flags[row];
  }
  return result;
}

/** Read at once: lines that stand close to one another. */
const BLOCK_BYTES = 1 << 20;
/** A gap that is cheaper to read than to jump. */
const MOST_GAP = 1 << 16;

/** A scan, block by block. */
export class Scan implements Disposable {
  /** How many rows were looked at. */
  done = 0;
  readonly #job: ScanJob;
  readonly #parts: readonly Part[];
  readonly #prefilter: RegExp | undefined;
  readonly #files: (Deno.FsFile | undefined)[] = [];
  #buffer = new Uint8Array(BLOCK_BYTES);

  /** @throws {UsageError} where a condition makes no sense */
  constructor(job: ScanJob) {
    this.#job = job;
    this.#parts = job.where.flatMap((where) => parseWhere(where).parts);
    const filters = this.#parts.flatMap(({ needle }) =>
      needle === undefined ? [] : prefilterOf(needle) ?? []
    );
    // The longest is the rarest, most often.
    this.#prefilter = filters.toSorted((a, b) => b.source.length - a.source.length)[0];
  }

  /** Whether everything was read. */
  get isDone(): boolean {
    return this.done >= this.#job.rows.length;
  }

  /** Reads the next block; gives the rows in it that meet the conditions. */
  next(): number[] {
    const { rows, offset, bytes, file } = this.#job;
    const first = this.done;
    if (this.isDone) return [];
    const start = offset[first];
    let last = first, end = start + bytes[first];
    while (
      last + 1 < rows.length && file[last + 1] === file[first] && offset[last + 1] >= end &&
      offset[last + 1] - end <= MOST_GAP &&
      offset[last + 1] + bytes[last + 1] - start <= BLOCK_BYTES
    ) {
      last++;
      end = offset[last] + bytes[last];
    }
    this.done = last + 1;
    const block = this.#read(file[first], start, end - start);
    return block === undefined ? [] : this.#search(block, start, first, last);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file?.close();
  }

  #search(block: Uint8Array, start: number, first: number, last: number): number[] {
    const { rows, offset } = this.#job;
    const found: number[] = [];
    if (this.#prefilter === undefined) {
      for (let at = first; at <= last; at++) {
        if (this.#meets(block, start, at)) found.push(rows[at]);
      }
      return found;
    }
    const text = LATIN1.decode(block);
    const prefilter = this.#prefilter;
    let at = first;
    for (prefilter.lastIndex = 0; at <= last;) {
      const match = prefilter.exec(text);
      if (match === null) break;
      const place = start + match.index;
      while (at < last && offset[at + 1] <= place) at++;
      if (this.#meets(block, start, at)) found.push(rows[at]);
      if (++at <= last) prefilter.lastIndex = Math.max(prefilter.lastIndex, offset[at] - start);
    }
    return found;
  }

  #meets(block: Uint8Array, start: number, at: number): boolean {
    const { offset, bytes, file, files, flags } = this.#job;
    const from = offset[at] - start;
    const { hints } = files[file[at]];
    const facts = factsOf(DECODER.decode(block.subarray(from, from + bytes[at])), hints);
    if (facts instanceof DamagedLine) return false;
    const places = placesOf(facts, hints, () => flagNames(flags[at]));
    const lookup = (path: readonly string[]) => valueAt(places, path);
    return this.#parts.every(({ test }) => test(lookup));
  }

  /** Undefined where the file can no longer be read: its rows are dropped when that is noticed. */
  #read(number: number, offset: number, length: number): Uint8Array | undefined {
    try {
      const file = this.#files[number] ??= Deno.openSync(this.#job.files[number].path);
      if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
      file.seekSync(offset, Deno.SeekMode.Start);
      let done = 0;
      while (done < length) {
        const count = file.readSync(this.#buffer.subarray(done, length));
        if (count === null) return undefined;
        done += count;
      }
      return this.#buffer.subarray(0, length);
    } catch {
      return undefined;
    }
  }
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
/** One character a byte: places in the text are places in the block. */
const LATIN1 = new TextDecoder("latin1");

/** What has to stand in the bytes of a line that holds a text, in any way in which JSON may write it; undefined
 * where that cannot be told. */
export function prefilterOf({ text, ignoresCase, path }: Needle): RegExp | undefined {
  // What is found out is not in the line.
  if (["flags", "status", "source_file"].includes(path[0])) return undefined;
  // Case beyond ASCII is not known to bytes. (K and ſ are letters of other scripts that lower case makes k and s.)
  if (ignoresCase && /[^\x20-\x7e\n\t]/.test(text)) return undefined;
  let source = "";
  for (const char of text.toWellFormed()) {
    const code = char.codePointAt(0)!;
    if (/[a-zA-Z0-9 ]/.test(char)) source += char;
    else if (char === "\n") source += "\\\\n";
    else if (char === "\t") source += "\\\\t";
    else if (char === '"' || char === "\\") source += `(?:\\\\\\${char}|${unitsOf(char)})`;
    else if (code < 0x20) return undefined;
    else if (char === "/") source += `(?:\\\\?/|${unitsOf(char)})`;
    else if (code < 0x7f) source += `(?:${RegExp.escape(char)}|${unitsOf(char)})`;
    else source += `(?:${RegExp.escape(LATIN1.decode(ENCODER.encode(char)))}|${unitsOf(char)})`;
  }
  return new RegExp(source, ignoresCase ? "gi" : "g");
}

const ENCODER = new TextEncoder();

/** A character as escapes of its UTF-16 units, in upper and lower case. */
function unitsOf(char: string): string {
  let source = "";
  for (let at = 0; at < char.length; at++) {
    const digits = char.charCodeAt(at).toString(16).padStart(4, "0");
    source += "\\\\u" +
      [...digits].map((digit) => /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit)
        .join("");
  }
  return source;
}
