/**
 * Evaluates conditions on lines, for fields without a column, such as texts. Searches the bytes of
 * whole blocks, and extracts members of a line without parsing its other members.
 *
 * @module
 */

import { Buffer, isAscii } from "node:buffer";
import { readFullySync } from "../files.ts";
import { type Member, topLevelMembers } from "../json.ts";
import { type Lookup, parseWhere, type Part, valueAt } from "../where/mod.ts";
import { codedValue, distillOf, lookupObjects, meansDerivedField } from "./fields.ts";
import { flagNames } from "./flags.ts";
import { DamagedLine, factsOf, type JsonObject, type RunHints, withBigInts } from "./line_facts.ts";
import type { Prefilter, ScanJob } from "./scanner.ts";
import { plainPrompt, PROMPT_FIELDS } from "./turns.ts";

/**
 * A worker sends this number, in place of a chunk or the id of a request, once it can receive
 * messages. Earlier messages would be lost, because its modules load asynchronously.
 */
export const READY = -1;

/** Number of rows in a chunk. Each thread takes one chunk at a time. */
export const SCAN_ROWS = 512;

/** Maximum size of a block of lines that are read together, unless one line is longer. */
const MAX_BLOCK_BYTES = 1 << 18;
/** Maximum gap between lines of a block. Reading a small gap is cheaper than skipping it. */
const MAX_GAP_BYTES = 1 << 16;

/** Calls `search` to search a block, for example with a time limit. May call it again after an
 * interruption: the search then starts over at the first row of the block, `ScanJob.rows[index]`. */
export type BlockRunner = (index: number, search: () => void) => void;

export class Scan implements Disposable {
  readonly #job: ScanJob;
  readonly #parts: readonly Part[];
  /**
   * The file of the last block. Only this file is open, because a folder may have more files than a
   * process may open.
   */
  #file: Deno.FsFile | undefined;
  #fileIndex = -1;
  #buffer = new Uint8Array(MAX_BLOCK_BYTES);

  constructor(job: ScanJob) {
    this.#job = job;
    this.#parts = job.where.flatMap((where) => parseWhere(where).parts);
  }

  /** Returns the hits among `rows[first]` to `rows[limit - 1]`. */
  search(first: number, limit: number, run: BlockRunner = (_, search) => search()): number[] {
    const { rows, columns: { offset, bytes, file } } = this.#job;
    const hits: number[] = [];
    for (let begin = first, last = first; begin < limit; begin = ++last) {
      const fileIndex = file[rows[begin]], start = offset[rows[begin]];
      let end = start + bytes[rows[begin]];
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
    this.#file?.close();
    this.#file = undefined;
  }

  #searchBlock(
    block: BlockText,
    start: number,
    first: number,
    last: number,
    hits: number[],
  ): void {
    const { rows, columns: { offset } } = this.#job;
    const pattern = patternFor(block, this.#job.prefilter);
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
    const text = block.lineAt(offset[row] - blockStart, bytes[row]);
    const line = new ScannedLine(this.#job, text, row);
    return this.#parts.every(({ test }) => test(line.lookup)) && !line.isDamaged;
  }

  /** Reads a block. Returns undefined if the file cannot be read in full: the index will drop its
   * rows. */
  #read(fileIndex: number, offset: number, length: number): Uint8Array | undefined {
    try {
      if (fileIndex !== this.#fileIndex) this[Symbol.dispose]();
      this.#fileIndex = fileIndex;
      const file = this.#file ??= Deno.openSync(this.#job.files[fileIndex].path);
      if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
      const bytes = this.#buffer.subarray(0, length);
      return readFullySync(file, bytes, offset) < length ? undefined : bytes;
    } catch {
      return undefined;
    }
  }
}

/** Returns the pattern of the prefilter; undefined if there is none, or if it could miss rows. */
function patternFor(block: BlockText, prefilter: Prefilter | undefined): RegExp | undefined {
  if (prefilter === undefined) return undefined;
  const { pattern, hasCaseVariants } = prefilter;
  const mayMiss = holdsPlainEscapes(block) || (hasCaseVariants && holdsCaseVariants(block));
  return mayMiss ? undefined : pattern;
}

/** Whether letters, digits or spaces may be escaped: JSON allows `\u0041`, but few programs write
 * it. */
function holdsPlainEscapes({ text }: BlockText): boolean {
  return text.includes("\\u00") && /\\u00(?:20|3\d|[46][1-9a-f]|[57][\da])/i.test(text);
}

/**
 * Whether U+212A, U+017F or U+0130 may occur, escaped or in UTF-8. If case is ignored, the first
 * two equal k and s, and the third in lower case begins with i.
 */
function holdsCaseVariants({ text, isAscii }: BlockText): boolean {
  if (["\\u212", "\\u017", "\\u013"].some((escape) => text.includes(escape))) return true;
  return !isAscii &&
    ["\xe2\x84\xaa", "\xc5\xbf", "\xc4\xb0"].some((bytes) => text.includes(bytes));
}

/** A line of a scan. Parses only the fields in the conditions, if possible. */
class ScannedLine {
  isDamaged = false;
  readonly #job: ScanJob;
  readonly #text: string;
  readonly #row: number;
  #members: readonly Member[] | undefined;
  #distill: JsonObject | undefined;
  #objects: readonly object[] | undefined;

  constructor(job: ScanJob, text: string, row: number) {
    this.#job = job;
    this.#text = text;
    this.#row = row;
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

  /**
   * Returns the prompt if only a few fields are needed for it, as in most rows; otherwise
   * undefined.
   */
  #plainPrompt(): string | undefined {
    const fields: Record<string, unknown> = {};
    for (const member of this.#lineMembers) {
      if (PROMPT_FIELDS.has(member.name)) fields[member.name] = this.#valueOf(member);
    }
    return plainPrompt(fields, this.#hints);
  }

  get #hints(): RunHints {
    const { columns: { file }, files } = this.#job;
    return files[file[this.#row]].hints;
  }

  /** Returns a field of the line or its `distill`; undefined if the whole line must be parsed. */
  #member(name: string): unknown {
    const value = this.#value(name);
    if (value !== undefined) return value;
    const distill = this.#distill ??= distillOf({ distill: this.#value("distill") });
    return Object.hasOwn(distill, name) ? distill[name] : undefined;
  }

  #value(name: string): unknown {
    const member = this.#lineMembers.findLast((each) => each.name === name);
    return member && this.#valueOf(member);
  }

  get #lineMembers(): readonly Member[] {
    return this.#members ??= this.#isWhole ? topLevelMembers(this.#text) : [];
  }

  /** Whether the text looks like a whole line. It may be parts of two lines if the file was
   * replaced after the index last checked it. */
  get #isWhole(): boolean {
    return this.#text.startsWith("{") && this.#text.trimEnd().endsWith("}");
  }

  #valueOf({ valueStart, end }: Member): unknown {
    const json = this.#text.slice(valueStart, end);
    if (json.startsWith('"') && !json.includes("\\")) return json.slice(1, -1);
    return withBigInts(json, JSON.parse(json));
  }

  /** Parses the whole line, once. Returns the objects in which fields are looked up. */
  #parsedObjects(): readonly object[] {
    if (this.#objects !== undefined) return this.#objects;
    const { flags } = this.#job.columns, row = this.#row;
    const facts = factsOf(this.#text, this.#hints);
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

class BlockText {
  readonly bytes: Uint8Array;
  /** One character per byte, so that indexes are offsets in `bytes`. */
  readonly text: string;
  readonly isAscii: boolean;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    // `TextDecoder` takes ten times as long, and decodes "latin1" as Windows-1252.
    const buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
    this.text = buffer.toString("latin1");
    this.isAscii = isAscii(bytes);
  }

  lineAt(from: number, length: number): string {
    return this.isAscii
      ? this.text.slice(from, from + length)
      : DECODER.decode(this.bytes.subarray(from, from + length));
  }
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
