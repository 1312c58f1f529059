/**
 * Receives the body of a response: decodes it, recognizes events or a document, and buffers a
 * document.
 *
 * @module
 */

import { areChunkLines } from "./answer_body.ts";
import { MAX_ANSWER_BYTES } from "./broken_answer.ts";
import {
  type BodyKind,
  type ByteDecoder,
  type ByteSink,
  decoderFor,
  joined,
  kindOf,
  textOf,
  withoutSpace,
} from "./content_coding.ts";
import { asObject, parseJson } from "./json.ts";
import type { HeaderFields } from "./rate_headers.ts";

export interface BodyReader {
  /** Called with each part of an event stream. */
  onEvents(chunk: Uint8Array): void;
  /** Called when the body exceeds its limit. Of an error body, the start is buffered. */
  onTooLong(): void;
  /** Called after the last decoded byte; `error` if the rest cannot be decoded. */
  onBodyEnd(error: Error | undefined): void;
}

/** The most bytes of an error body that are buffered. */
const MAX_ERROR_BYTES = 64 * 1024;

export class IncomingBody implements ByteSink {
  readonly #reader: BodyReader;
  readonly #buffer = new ChunkBuffer();
  #headers: HeaderFields = {};
  #isAnswer = false;
  #bytes = 0;
  #hasBegun = false;
  #decoder: ByteDecoder | undefined;
  #transcoder: Transcoder | undefined;
  /** The first decoder, of compression or else of a charset; undefined if neither is needed. */
  #outer: ByteSink | undefined;
  #kind: BodyKind | undefined;

  constructor(reader: BodyReader) {
    this.#reader = reader;
  }

  /** Called with the head. Only the body of a 2xx response may be events. */
  start(isAnswer: boolean, headers: HeaderFields): void {
    this.#isAnswer = isAnswer;
    this.#headers = headers;
  }

  /** Called with each chunk from the network. */
  receive(chunk: Uint8Array): void {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#begin(chunk);
    }
    (this.#outer ?? this).data(chunk);
  }

  /** Called after the last chunk. Decompression may deliver more. */
  finish(): void {
    (this.#outer ?? this).end();
  }

  /** Processes the incomplete last line instead of waiting for its end. */
  flush(): void {
    this.#transcoder?.flush();
  }

  text(): string {
    return this.#buffer.text();
  }

  /** Whether the buffered body is a complete JSON object. */
  get holdsObject(): boolean {
    return asObject(parseJson(this.text())) !== undefined;
  }

  /** If the buffered document is a stream of bare JSON chunks, one per line, passes it on as
   * events. Returns whether it did. */
  readAsLines(): boolean {
    const areLines = this.#kind === "document" && areChunkLines(this.#buffer.all());
    if (areLines) this.#reader.onEvents(this.#buffer.all());
    return areLines;
  }

  /** Stops decoding. */
  drop(): void {
    this.#decoder?.destroy();
  }

  /** Called with each decoded chunk. */
  data(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const maxBytes = this.#maxBytes;
    if (this.#bytes > maxBytes) {
      if (!this.#isAnswer) {
        this.#buffer.add(chunk.subarray(0, chunk.length - (this.#bytes - maxBytes)));
      }
      this.#reader.onTooLong();
    } else if (this.#kind === "events") this.#reader.onEvents(chunk);
    else if (this.#kind === "document" || !this.#isAnswer) this.#buffer.add(chunk);
    else this.#decideKind(chunk);
  }

  /** Called after the last decoded chunk. */
  end(): void {
    this.#reader.onBodyEnd(undefined);
  }

  /** Called if the rest cannot be decoded. */
  broken(error: Error): void {
    this.#reader.onBodyEnd(error);
  }

  get #maxBytes(): number {
    return this.#isAnswer ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
  }

  #begin(first: Uint8Array): void {
    const charset = charsetOf(first, this.#headers["content-type"]);
    if (charset !== undefined) this.#transcoder = transcoderFor(charset, this, this.#maxBytes);
    this.#decoder = decoderFor(this.#headers["content-encoding"], first, this.#transcoder ?? this);
    this.#outer = this.#decoder ?? this.#transcoder;
  }

  /** Buffers a chunk until the bytes so far show what the body is. */
  #decideKind(chunk: Uint8Array): void {
    // The first chunk is nearly always enough.
    this.#buffer.add(chunk);
    const start = this.#buffer.all();
    this.#kind = kindOf(start);
    if (this.#kind === "document") return;
    this.#buffer.clear();
    if (this.#kind === "events") this.#reader.onEvents(start);
    // Some servers keep connections alive by sending white space for minutes.
    else this.#buffer.add(withoutSpace(start));
  }
}

/** The buffered chunks of a body. */
class ChunkBuffer {
  // Nearly every answer is one chunk; only others need a list.
  #first: Uint8Array | undefined;
  #more: Uint8Array[] | undefined;

  /** Keeps a chunk without copying it. */
  add(chunk: Uint8Array): void {
    if (this.#first === undefined) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
  }

  all(): Uint8Array {
    const first = this.#first ??= NOTHING;
    if (this.#more === undefined) return first;
    const whole = joined([first, ...this.#more]);
    this.#first = whole;
    this.#more = undefined;
    return whole;
  }

  text(): string {
    return textOf(this.all());
  }

  clear(): void {
    this.#first = this.#more = undefined;
  }
}

const NOTHING = new Uint8Array(0);

/**
 * The charset of a body by its UTF-16 byte order mark, else by its label; undefined if neither
 * names one.
 *
 * @param first The first bytes of the body.
 * @param label The field `content-type`.
 */
function charsetOf(
  first: Uint8Array,
  label: string | readonly string[] | undefined,
): string | undefined {
  if (first[0] === 0xff && first[1] === 0xfe) return "utf-16le";
  if (first[0] === 0xfe && first[1] === 0xff) return "utf-16be";
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(String(label ?? ""))?.[1];
}

/**
 * A converter to UTF-8; undefined if the charset is UTF-8 or unknown.
 *
 * @param charset The charset as labeled.
 * @param sink Receives UTF-8.
 * @param maxBytes The maximum number of bytes held until a line ends.
 */
function transcoderFor(
  charset: string,
  sink: ByteSink,
  maxBytes: number,
): Transcoder | undefined {
  if (/^utf-?8$/i.test(charset)) return undefined;
  try {
    return new Transcoder(new TextDecoder(charset), sink, maxBytes);
  } catch {
    return undefined;
  }
}

/** Converts complete lines to UTF-8. Valid UTF-8 stays unchanged, whatever the label says. */
class Transcoder implements ByteSink {
  readonly #labeled: TextDecoder;
  readonly #sink: ByteSink;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #isAsciiCompatible: boolean;
  readonly #maxBytes: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(labeled: TextDecoder, sink: ByteSink, maxBytes: number) {
    this.#labeled = labeled;
    this.#sink = sink;
    this.#maxBytes = maxBytes;
    // UTF-16 text may be valid UTF-8 too, and has the byte 0x0a inside characters.
    this.#isAsciiCompatible = !labeled.encoding.startsWith("utf-16");
  }

  data(chunk: Uint8Array): void {
    const end = this.#isAsciiCompatible ? chunk.lastIndexOf(LINE_END) + 1 : 0;
    if (end > 0) {
      this.#held.push(chunk.subarray(0, end));
      this.flush();
    }
    if (end === chunk.length) return;
    this.#held.push(chunk.subarray(end));
    this.#heldBytes += chunk.length - end;
    // The sink counts bytes, and rejects a body that is too long.
    if (this.#heldBytes > this.#maxBytes) this.flush();
  }

  end(): void {
    this.flush();
    this.#sink.end();
  }

  broken(error: Error): void {
    this.flush();
    this.#sink.broken(error);
  }

  /** Converts and passes on what is held. */
  flush(): void {
    const bytes = joined(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (bytes.length > 0) this.#sink.data(this.#isUtf8(bytes) ? bytes : this.#utf8Of(bytes));
  }

  #isUtf8(bytes: Uint8Array): boolean {
    if (!this.#isAsciiCompatible) return false;
    try {
      this.#utf8.decode(bytes);
      return true;
    } catch {
      return false;
    }
  }

  #utf8Of(bytes: Uint8Array): Uint8Array {
    return encoder.encode(this.#labeled.decode(bytes));
  }
}

const encoder = new TextEncoder();
const LINE_END = 0x0a;
