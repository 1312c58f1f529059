/** Decompresses bodies, distinguishes event streams from documents, decodes text, and recognizes
 * web pages. Retort requests no compression, but some gateways compress anyway, even twice. Labels
 * are often wrong, so the first bytes take precedence over them. @module */

import { Buffer } from "node:buffer";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  inflateRawSync,
} from "node:zlib";

export interface ByteSink {
  data(chunk: Uint8Array): void;
  /** Called at the end of the data. `error` is set if the rest cannot be decoded. */
  end(error?: Error): void;
}

type Coding = "gzip" | "deflate" | "br" | "zstd";
type Decompressor = ReturnType<typeof createGunzip>;

const CODINGS: readonly Coding[] = ["gzip", "deflate", "br", "zstd"];

/**
 * Returns the decoder of a body; undefined if the body needs no decoder. Some gateways omit the
 * label, and others leave the label on decoded bodies.
 *
 * @param label The header `content-encoding`.
 */
export function decoderFor(
  label: string | readonly string[] | undefined,
  first: Uint8Array,
  sink: ByteSink,
): Decoder | undefined {
  const labelCodings = label === undefined ? NO_CODINGS : codingsOf(String(label));
  const codings = labelCodings.length === 0 ? codingsByMagic(first) : labelCodings;
  let decoder: Decoder | undefined;
  // The coding that was applied last is the last one in the label, and has to be removed first.
  for (const coding of codings) decoder = new Decoder(coding, decoder ?? sink);
  return decoder;
}

function codingsOf(label: string): Coding[] {
  const names = label.toLowerCase().split(",").map((name) =>
    name.trim().replace(/^x-gzip$/, "gzip")
  );
  // Labels that name no known coding (`identity`, `utf-8`) are ignored.
  return names.flatMap((name) => CODINGS.filter((coding) => coding === name));
}

/** Returns the coding that the first bytes show. This is on the hot path, and destructuring `start`
 * would create an iterator. */
function codingsByMagic(start: Uint8Array): readonly Coding[] {
  if (start[0] === 0x1f && start[1] === 0x8b) return ["gzip"];
  const isZstd = start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd;
  return isZstd ? ["zstd"] : NO_CODINGS;
}

const NO_CODINGS: readonly Coding[] = [];

/** Removes one coding, unless the first bytes show that the body does not have it. For nested
 * codings, decoders form a chain. */
export class Decoder implements ByteSink {
  readonly #coding: Coding;
  readonly #next: ByteSink;
  #hasBegun = false;
  #decompressor: Decompressor | undefined;
  /** The gzip data so far, for {@linkcode firstMember}. */
  readonly #coded: Uint8Array[] = [];
  #decodedBytes = 0;

  constructor(coding: Coding, next: ByteSink) {
    this.#coding = coding;
    this.#next = next;
  }

  data(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (!this.#hasBegun) this.#begin(chunk);
    if (this.#decompressor === undefined) return this.#next.data(chunk);
    if (this.#coding === "gzip") this.#coded.push(chunk);
    this.#decompressor.write(chunk);
  }

  end(error?: Error): void {
    if (this.#decompressor === undefined || error !== undefined) this.#next.end(error);
    else this.#decompressor.end();
  }

  /** Stops this decoder and the following ones, and frees native memory. */
  destroy(): void {
    this.#decompressor?.destroy();
    if (this.#next instanceof Decoder) this.#next.destroy();
  }

  #begin(first: Uint8Array): void {
    this.#hasBegun = true;
    if (!mayHaveCoding(first, this.#coding)) return;
    const next = this.#next;
    this.#decompressor = decompressor(this.#coding, first)
      .on("data", (chunk: Uint8Array) => {
        this.#decodedBytes += chunk.length;
        next.data(chunk);
      })
      .on("end", () => next.end())
      .on("error", (error: Error) => this.#failed(error));
  }

  /** Called when zlib reports an error. If garbage follows a complete gzip member, keeps that
   * member, as the gzip tool does. */
  #failed(error: Error): void {
    const first = error.message === NO_MEMBER ? firstMember(joined(this.#coded)) : undefined;
    if (first === undefined) return this.#next.end(error);
    this.#next.data(first.subarray(this.#decodedBytes));
    this.#next.end();
  }
}

/** Returns the decoded first gzip member; undefined if it is incomplete. */
function firstMember(bytes: Uint8Array): Uint8Array | undefined {
  const flags = bytes[3];
  let start = 10;
  // The optional fields of the header have a flag each (RFC 1952, 2.3.1).
  if (flags & 4) start += 2 + bytes[start] + 256 * bytes[start + 1];
  if (flags & 8) start = bytes.indexOf(0, start) + 1;
  if (flags & 16) start = bytes.indexOf(0, start) + 1;
  if (flags & 2) start += 2;
  try {
    return inflateRawSync(bytes.subarray(start));
  } catch {
    return undefined;
  }
}

/** zlib's message if something other than a gzip member follows the last member. */
const NO_MEMBER = "incorrect header check";

/** Returns a decompressor that decodes a truncated body as far as possible, because it may contain
 * a complete answer. */
function decompressor(coding: Coding, first: Uint8Array): Decompressor {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = constants;
  if (coding === "gzip") return createGunzip({ finishFlush: Z_SYNC_FLUSH });
  if (coding === "br") return createBrotliDecompress({ finishFlush: BROTLI_OPERATION_FLUSH });
  if (coding === "zstd") return createZstdDecompress({ finishFlush: ZSTD_e_flush });
  return hasZlibHeader(first)
    ? createInflate({ finishFlush: Z_SYNC_FLUSH })
    : createInflateRaw({ finishFlush: Z_SYNC_FLUSH });
}

/** Whether the first bytes may have this coding. Gzip and Zstandard have magic numbers, and the
 * other codings must not look like text. */
function mayHaveCoding(first: Uint8Array, coding: Coding): boolean {
  const [a, b] = first;
  // The second byte may not have arrived yet.
  if (coding === "gzip") return a === 0x1f && (b === undefined || b === 0x8b);
  // 0x28 begins a data frame, 0x50 to 0x5f a skippable one.
  if (coding === "zstd") return a === 0x28 || (a & 0xf0) === 0x50;
  return !startsAsText(first);
}

/** Whether the bytes begin with a zlib header, which some servers omit. The method in the header is
 * 8, and the number that its two bytes form is a multiple of 31 (RFC 1950, 2.2). */
function hasZlibHeader([a, b]: Uint8Array): boolean {
  return (a & 0x0f) === 8 && (b === undefined || ((a << 8) | b) % 31 === 0);
}

/** How a body is read: events are read as they arrive, and a document is read once it is
 * complete. */
export type BodyKind = "events" | "document";

/** Fields of server-sent events, including those of gateways (`Data`) and llama.cpp (`error`). The
 * empty field begins a comment. */
const FIELDS = ["data", "Data", "event", "id", "retry", "error", ""];
const MAX_FIELD_LENGTH = 6;
const OPENING_BRACE = 0x7b;
const SPACE = 0x20;

/** Returns the kind of a body; undefined if more bytes are needed. */
export function kindOf(start: Uint8Array): BodyKind | undefined {
  if (start[0] === OPENING_BRACE) return "document";
  const text = firstCharacters(withoutSpace(start));
  if (text === "" || isPartialBom(start)) return undefined;
  const colon = text.indexOf(":");
  if (colon >= 0) return FIELDS.includes(text.slice(0, colon)) ? "events" : "document";
  return text.length < MAX_FIELD_LENGTH && FIELDS.some((field) => field.startsWith(text))
    ? undefined
    : "document";
}

function isPartialBom([a, b, c]: Uint8Array): boolean {
  return a === 0xef && (b === undefined || (b === 0xbb && c === undefined));
}

/** Whether bytes begin like JSON or events. Brotli data often begins with the byte of `[`, but not
 * with `[{"`. */
export function startsAsText(start: Uint8Array): boolean {
  const text = firstCharacters(withoutSpace(start));
  return /^(?:\{\s*(?:"|$)|\[\s*\{\s*")/.test(text) || kindOf(start) === "events";
}

/** Removes a byte order mark and white space from the start. */
export function withoutSpace(start: Uint8Array): Uint8Array {
  let index = start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf ? 3 : 0;
  while (start[index] <= SPACE) index++;
  return start.subarray(index);
}

function firstCharacters(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, MAX_FIELD_LENGTH));
}

/** Joins chunks. A single chunk is not copied. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/** Decodes UTF-8, or Latin-1 if the bytes are not UTF-8 but look like Latin-1 (`isLatin1`). Drops a
 * byte order mark. */
export function textOf(bytes: Uint8Array): string {
  const text = utf8.decode(bytes);
  return text.includes(REPLACEMENT) && isLatin1(bytes, text) ? latin1.decode(bytes) : text;
}

const utf8 = new TextDecoder();
const latin1 = new TextDecoder("windows-1252");
const REPLACEMENT = "\ufffd";

/** Whether bytes that are not UTF-8 are Latin-1, which servers in front of older systems send
 * without a label. In Latin-1, non-ASCII letters rarely follow each other. So fewer than a tenth of
 * these letters may be followed by another, and none may be part of valid UTF-8. A letter before a
 * quote proves nothing, because an answer may end with half of a UTF-8 character. */
function isLatin1(bytes: Uint8Array, text: string): boolean {
  if (/[^\p{ASCII}\ufffd]/u.test(text)) return false;
  let letters = 0, followedByAnother = 0, followedByAscii = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] < FIRST_LETTER) {
      if (bytes[i] >= 0x80) return false;
      continue;
    }
    letters++;
    if (bytes[i + 1] >= 0x80) followedByAnother++;
    else if (bytes[i + 1] !== QUOTE) followedByAscii++;
  }
  return followedByAscii > 0 && followedByAnother * 10 < letters;
}

/** 0x80 to 0x9f are control characters in Latin-1. */
const FIRST_LETTER = 0xa0;
const QUOTE = 0x22;

/** Returns the text at the start of a web page. Any other body is only trimmed. */
export function pageText(body: string): string {
  if (!isPage(body)) return body.trim();
  const shown = body.slice(0, MAX_PAGE_CHARS).replace(
    /<(style|script)\b.*?<\/\1>|<!--.*?-->|<[^>]*>/gis,
    " ",
  );
  // Most pages repeat their title as a heading.
  return shown.replace(/\s+/g, " ").trim().replace(/^(.{3,200}) \1(?= |$)/, "$1");
}

const MAX_PAGE_CHARS = 10_000;

export function isPage(body: string): boolean {
  return /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b/is.test(
    body,
  );
}
