/**
 * Reads inputs as decompressed bytes, and recognizes compression by the name and the first bytes of
 * a file.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";
import { SourceError } from "../errors.ts";
import { openToRead, systemReason } from "../files.ts";
import type { ZstdFrames } from "./zstd_frames.ts";
import {
  compressedTwice,
  foreignBytes,
  foreignText,
  inputError,
  needsDictionary,
} from "./foreign_format.ts";

/** With 64 KiB, the first pass of a run spent a tenth of its time waiting for Deno's reads. */
const CHUNK_BYTES = 256 * 2 ** 10;
const DECOMPRESSED_BYTES = 64 * 2 ** 10;

/** The compression of a whole file, as opposed to that of pages in a Parquet file. */
export type Compression = "gzip" | "zstd";

interface CompressionDefinition {
  /** The extensions in lower case, with the usual one first. */
  readonly extensions: readonly string[];
  /** Whether the first bytes of a file show this compression. No text begins with these bytes. */
  readonly isStart: (start: Uint8Array) => boolean;
  readonly compress: () => Transform;
  readonly decompress: () => Transform;
  /** Creates a check for missing or extra bytes, which decompression alone does not notice. */
  readonly check?: () => Promise<ZstdFrames>;
}

const COMPRESSIONS: Readonly<Record<Compression, CompressionDefinition>> = {
  gzip: {
    extensions: [".gz"],
    // The magic number is defined in RFC 1952, 2.3.1.
    isStart: ([first, second]) => first === 0x1f && second === 0x8b,
    compress: () => createGzip(),
    decompress: () => createGunzip({ chunkSize: DECOMPRESSED_BYTES }),
  },
  zstd: {
    extensions: [".zst", ".zstd"],
    // The magic numbers are defined in RFC 8878, 3.1.1 and 3.1.2. Files of pzstd begin with a
    // skippable frame.
    isStart: ([first, second, third, fourth]) =>
      (first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd) ||
      (first >> 4 === 5 && second === 0x2a && third === 0x4d && fourth === 0x18),
    compress: () => createZstdCompress(),
    decompress: () => createZstdDecompress({ chunkSize: DECOMPRESSED_BYTES }),
    check: async () => new (await import("./zstd_frames.ts")).ZstdFrames(),
  },
};

const COMPRESSION_NAMES = Object.keys(COMPRESSIONS) as readonly Compression[];

export const COMPRESSED_EXTENSIONS: readonly string[] = COMPRESSION_NAMES.flatMap((name) =>
  COMPRESSIONS[name].extensions
);

export const USUAL_EXTENSIONS: readonly string[] = COMPRESSION_NAMES.map((name) =>
  COMPRESSIONS[name].extensions[0]
);

export function createCompressor(compression: Compression): Transform {
  return COMPRESSIONS[compression].compress();
}

export function compressionOfName(path: string): Compression | undefined {
  const extension = compressedExtension(path);
  return COMPRESSION_NAMES.find((name) => COMPRESSIONS[name].extensions.includes(extension));
}

/** Returns `x.csv` for `x.csv.gz`. */
export function withoutCompression(path: string): string {
  return path.slice(0, path.length - compressedExtension(path).length);
}

/** Returns the extension of a compression, in lower case; "" if the name has none. */
function compressedExtension(name: string): string {
  const lower = name.toLowerCase();
  return COMPRESSED_EXTENSIONS.find((extension) => lower.endsWith(extension)) ?? "";
}

export interface ByteRange {
  readonly start: number;
  /** The offset after the last byte. */
  readonly end: number;
}

/** Whether a file is compressed, judging by its first bytes or by the extension `.gz`. */
export async function isCompressed(path: string, name: string): Promise<boolean> {
  return compressionOf(await startOf(path, name), path) !== undefined;
}

/** Whether a file is compressed, judging only by its first bytes. */
export async function holdsCompressed(path: string): Promise<boolean> {
  return hasCompressedStart(await startOf(path, path));
}

function hasCompressedStart(start: Uint8Array): boolean {
  return COMPRESSION_NAMES.some((name) => COMPRESSIONS[name].isStart(start));
}

/** Returns the first bytes of a file without decompressing them. */
export async function startOf(path: string, name: string): Promise<Uint8Array> {
  using file = await openFile(path, name);
  const { value: first = new Uint8Array() } = await chunksOf(file, name).next();
  return first;
}

/** Reads ranges of an uncompressed file. The memory of a chunk may be reused for the next one. */
export async function* openRanges(
  path: string,
  name: string,
  ranges: readonly ByteRange[],
  chunkBytes = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  using file = await openFile(path, name);
  for (const range of ranges) yield* chunksOf(file, name, range, chunkBytes);
}

/**
 * Reads the decompressed bytes of a file. The memory of a chunk may be reused for the next one. The
 * file is closed even if the reader stops early.
 *
 * @param name The name of the file in errors.
 * @throws {SourceError} if the file cannot be read, is damaged, or has a foreign format
 */
export async function* openBytes(path: string, name: string): AsyncGenerator<Uint8Array> {
  using file = await openFile(path, name);
  const chunks = chunksOf(file, name);
  // The content takes precedence over the name, because the copy of standard input has no
  // extension.
  const { value: first = new Uint8Array() } = await chunks.next();
  const compression = compressionOf(first, path);
  if (compression && !COMPRESSIONS[compression].isStart(first)) refuseText(first, name);
  const whole = startingWith(first, chunks);
  const bytes = compression === undefined ? whole : decompressed(whole, name, compression);
  let isFirst = true;
  for await (const chunk of bytes) {
    if (isFirst) refuseForeign(chunk, name, compression);
    isFirst = false;
    yield chunk;
  }
}

/** @param start The first bytes of the file, decompressed. */
function refuseForeign(
  start: Uint8Array,
  name: string,
  compression: Compression | undefined,
): void {
  const isTwice = compression !== undefined && hasCompressedStart(start);
  const error = isTwice ? compressedTwice(name, compression) : foreignBytes(start, name);
  if (error !== undefined) throw error;
}

function compressionOf(first: Uint8Array, path: string): Compression | undefined {
  return COMPRESSION_NAMES.find((name) => COMPRESSIONS[name].isStart(first)) ??
    (compressionOfName(path) === "gzip" ? "gzip" : undefined);
}

/** Throws if a file named `.gz` is text. Browsers may decompress a download but keep its name. */
function refuseText(first: Uint8Array, name: string): void {
  if (first.length === 0 || !isText(first)) return;
  const problem = 'it is not compressed, but its name ends in ".gz". Rename it without ".gz"';
  throw inputError(name, problem);
}

/** Whether bytes are UTF-8 without NUL bytes. The last character may be incomplete. */
function isText(start: Uint8Array): boolean {
  const lengths = [0, 1, 2, 3].map((missing) => Math.max(0, start.length - missing));
  return lengths.some((length) => isUtf8(start.subarray(0, length))) && !start.includes(0);
}

/** Returns the error for a file whose first line is not a row. Returns undefined if the text shows
 * no other format, as in JSON Lines with an invalid line. */
export async function foreignTextError(
  path: string,
  name: string,
  isOnlyLine: boolean,
): Promise<SourceError | undefined> {
  return foreignText(await firstText(path, name), name, isOnlyLine);
}

/** Returns at least 64 Ki characters of a file, or all of it, without a byte order mark. */
export async function firstText(path: string, name: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  // A chunk may be short, because each frame of zstd ends a chunk.
  for await (const chunk of openBytes(path, name)) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= 2 ** 16) break;
  }
  return text;
}

export function statInput(path: string, name = path): Promise<Deno.FileInfo> {
  return withReason(name, Deno.stat(path));
}

export function openFile(path: string, name: string): Promise<Deno.FsFile> {
  return withReason(name, openToRead(path));
}

/** Converts the error of an operation on a file into a `SourceError` that gives the reason. */
export function withReason<T>(name: string, operation: Promise<T>): Promise<T> {
  return operation.catch((cause) => {
    throw inputError(name, systemReason(cause), cause);
  });
}

async function* startingWith(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function* chunksOf(
  file: Deno.FsFile,
  name: string,
  range?: ByteRange,
  chunkBytes = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  let bytesLeft = range === undefined ? Infinity : range.end - range.start;
  const { size, isFile } = await file.stat();
  // A run may read thousands of small files, which do not need a buffer of 256 KB each.
  const maxBytes = isFile && size > 0 ? size + 1 : Infinity;
  const buffer = new Uint8Array(Math.min(chunkBytes, bytesLeft, maxBytes));
  if (range !== undefined) await file.seek(range.start, Deno.SeekMode.Start);
  while (bytesLeft > 0) {
    const target = bytesLeft < buffer.length ? buffer.subarray(0, bytesLeft) : buffer;
    const length = await withReason(name, file.read(target));
    if (length === null) return;
    bytesLeft -= length;
    yield buffer.subarray(0, length);
  }
}

/**
 * Decompresses a file with `node:zlib`. `DecompressionStream` would fail at the second member of a
 * gzip file, as written by `cat a.gz b.gz` or bgzip.
 */
async function* decompressed(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  compression: Compression,
): AsyncGenerator<Uint8Array> {
  const { decompress, check } = COMPRESSIONS[compression];
  const transform = decompress();
  const copies = copiesOf(chunks, await check?.());
  // Errors are ignored here, because reading `transform` throws them as well.
  const writing = pipeline(Readable.from(copies), transform).catch(() => {});
  try {
    yield* transform;
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    const { message } = cause as Error;
    if (/dictionary/i.test(message)) throw needsDictionary(name);
    throw inputError(name, `its ${compression} data is damaged (${message})`, cause);
  } finally {
    transform.destroy();
    await writing;
  }
}

async function* copiesOf(
  chunks: AsyncIterable<Uint8Array>,
  frames: ZstdFrames | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield* frames?.push(chunk) ?? [chunk.slice()];
  frames?.end();
}
