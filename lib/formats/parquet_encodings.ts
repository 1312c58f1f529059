/**
 * Encodings of Parquet: decodes levels, indices and texts, and rejects damaged pages that would
 * make hyparquet loop or allocate without bounds.
 *
 * @module
 */

import { deltaBinaryUnpack, readRleBitPackedHybrid, readVarInt } from "../deps/hyparquet.ts";

/** Size of the length that is stored before a text, or before levels. */
export const LENGTH_BYTES = 4;
/** Stands for levels that are all the same. */
export const NO_LEVELS = new Uint8Array();

/** Returns where each text begins; the last entry is where a further text would begin. */
export function startsOf(bytes: Uint8Array, count: number): Uint32Array {
  const { view } = readerOf(bytes);
  const starts = new Uint32Array(count + 1);
  let start = LENGTH_BYTES;
  for (let i = 0; i < count; i++) {
    starts[i] = start;
    start += view.getUint32(start - LENGTH_BYTES, true) + LENGTH_BYTES;
  }
  if (start - LENGTH_BYTES > bytes.length) throw new Error("a text is longer than its page");
  starts[count] = start;
  return starts;
}

/** Reads `count` indices into a dictionary. */
export function indicesOf(bytes: Uint8Array, count: number): Uint8Array | Uint32Array {
  const width = count === 0 ? 0 : bytes[0];
  if (width === 0) return new Uint8Array(count);
  const indices = new Uint32Array(count);
  const reader = { ...readerOf(bytes), offset: 1 };
  checkRuns(reader, width, count);
  readRleBitPackedHybrid(reader, width, indices, bytes.length - 1);
  return indices;
}

/**
 * Reads `count` levels from 0 to `maxLevel`. `length` is the number of their bytes, if it is not
 * stored before them.
 */
export function levelsOf(
  reader: Reader,
  maxLevel: number,
  count: number,
  length?: number,
): Uint8Array {
  if (maxLevel === 0) return NO_LEVELS;
  const levels = new Uint8Array(count), width = 32 - Math.clz32(maxLevel);
  const start = reader.offset + (length === undefined ? LENGTH_BYTES : 0);
  checkRuns({ view: reader.view, offset: start }, width, count);
  readRleBitPackedHybrid(reader, width, levels, length);
  return levels;
}

/**
 * Rejects a run that is longer than the page has values: hyparquet would repeat the value as often
 * as a damaged run says, up to 2^31 times.
 */
function checkRuns({ view, offset }: Reader, width: number, count: number): void {
  const reader = { view, offset };
  for (let valueCount = 0; valueCount < count;) {
    const header = readVarInt(reader), length = header >>> 1;
    const isPacked = (header & 1) === 1;
    if (!isPacked && length > count) {
      throw new Error("a value is repeated beyond the end of its page");
    }
    valueCount += isPacked ? length * 8 : length;
    // hyparquet reads at least one byte of a packed run, even of one without values.
    reader.offset += isPacked ? Math.max(1, length * width) : (width + 7) >> 3;
  }
}

/**
 * Decodes DELTA_BYTE_ARRAY, which stores of each text the length of the prefix that it shares with
 * the text before, and the rest. hyparquet would allocate as much memory as a damaged length says.
 */
export function textsOfPrefixes(bytes: Uint8Array, count: number): Uint8Array[] {
  const reader = readerOf(bytes);
  const prefixes = new Int32Array(count), suffixes = new Int32Array(count);
  deltaBinaryUnpack(reader, count, prefixes);
  deltaBinaryUnpack(reader, count, suffixes);
  let start = reader.offset, previous: Uint8Array = new Uint8Array();
  return Array.from(prefixes, (prefixLength, index) => {
    const end = start + suffixes[index];
    const isPrefixValid = prefixLength >= 0 && prefixLength <= previous.length;
    if (!isPrefixValid || end < start || end > bytes.length) {
      throw new Error("a text is longer than its page");
    }
    const suffix = bytes.subarray(start, end);
    start = end;
    if (prefixLength === 0) return previous = suffix;
    const text = new Uint8Array(prefixLength + suffix.length);
    text.set(previous.subarray(0, prefixLength));
    text.set(suffix, prefixLength);
    return previous = text;
  });
}

/** Bytes, and the offset at which hyparquet reads them next. */
export type Reader = Parameters<typeof readRleBitPackedHybrid>[0];

/** Returns a reader at the start of the bytes. */
export function readerOf({ buffer, byteOffset, byteLength }: Uint8Array): Reader {
  return { view: new DataView(buffer, byteOffset, byteLength), offset: 0 };
}
