/** Receives the body of a response: decodes it, and buffers it unless it is a stream. @module */

import { TeacherError } from "../errors.ts";
import { areChunkLines } from "./answer_body.ts";
import {
  type BodyKind,
  type ByteSink,
  type Decoder,
  decoderFor,
  joined,
  kindOf,
  textOf,
  withoutSpace,
} from "./content_coding.ts";
import { asObject, parseJson } from "./json.ts";
import type { HeaderFields } from "./rate_headers.ts";
import { isUtf8 } from "node:buffer";

export interface BodyReader {
  onEvents(chunk: Uint8Array): void;
  /** Called when a body exceeds its size limit. The start of an error body is buffered even
   * then. */
  onTooLong(): void;
  /** Called at the end of the body. `error` is set if the rest cannot be decoded. */
  onBodyEnd(error: Error | undefined): void;
}

const MAX_ERROR_BYTES = 64 * 1024;

/** The maximum size of an answer after decompression. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export function tooLongError(status: number): TeacherError {
  const what = `The answer is longer than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB`;
  return new TeacherError(what, { type: "response", status });
}

export class IncomingBody implements ByteSink {
  readonly #reader: BodyReader;
  #chunks: Uint8Array[] = NO_CHUNKS;
  #headers: HeaderFields = {};
  #isAnswer = false;
  #bytes = 0;
  /** The number of bytes at the last call of `hasNewObject()`. */
  #checkedBytes = 0;
  #decoder: Decoder | undefined;
  #transcoder: Transcoder | undefined;
  /** Receives the bytes. It is the decoder, the transcoder or this object; undefined before the
   * first bytes. */
  #outer: ByteSink | undefined;
  #kind: BodyKind | undefined;

  constructor(reader: BodyReader) {
    this.#reader = reader;
  }

  /** Begins a body. Only the body of a 2xx response may consist of events. */
  start(isAnswer: boolean, headers: HeaderFields): void {
    this.#isAnswer = isAnswer;
    this.#headers = headers;
  }

  receive(chunk: Uint8Array): void {
    this.#outer ??= this.#begin(chunk);
    this.#outer.data(chunk);
  }

  /** Ends the response. Decompression may deliver more data after this. */
  finish(): void {
    (this.#outer ?? this).end();
  }

  /** Passes on an incomplete last line instead of waiting for the rest of the line. */
  flush(): void {
    this.#transcoder?.flush();
  }

  text(): string {
    return textOf(this.#buffered());
  }

  get holdsObject(): boolean {
    return asObject(parseJson(this.text())) !== undefined;
  }

  /** Whether the body has become a complete JSON object since the last call. The body is parsed
   * only if it ends with `}`. */
  hasNewObject(): boolean {
    if (this.#checkedBytes === this.#bytes) return false;
    this.#checkedBytes = this.#bytes;
    const last = this.#chunks.at(-1)?.findLast((byte) => byte > SPACE);
    return last === CLOSING_BRACE && this.holdsObject;
  }

  /** Passes on a document of bare JSON chunks, one per line, as events. Returns false for other
   * documents. */
  readAsLines(): boolean {
    const areLines = this.#kind === "document" && areChunkLines(this.#buffered());
    if (!areLines) return false;
    this.#reader.onEvents(this.#buffered());
    // The last line may lack its line end.
    this.#reader.onEvents(LINE_BREAK);
    return true;
  }

  destroyDecoder(): void {
    this.#decoder?.destroy();
  }

  data(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const maxBytes = this.#maxBytes;
    if (this.#bytes > maxBytes) {
      if (!this.#isAnswer) {
        this.#buffer(chunk.subarray(0, chunk.length - (this.#bytes - maxBytes)));
      }
      this.#reader.onTooLong();
    } else if (this.#kind === "events") this.#reader.onEvents(chunk);
    else if (this.#kind === "document" || !this.#isAnswer) this.#buffer(chunk);
    else this.#decideKind(chunk);
  }

  end(error?: Error): void {
    this.#reader.onBodyEnd(error);
  }

  get #maxBytes(): number {
    return this.#isAnswer ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
  }

  #begin(first: Uint8Array): ByteSink {
    const charset = charsetOf(first, this.#headers["content-type"]);
    if (charset !== undefined) this.#transcoder = transcoderFor(charset, this, this.#maxBytes);
    const sink = this.#transcoder ?? this;
    this.#decoder = decoderFor(this.#headers["content-encoding"], first, sink);
    return this.#decoder ?? sink;
  }

  /** Buffers a chunk until the bytes so far show the kind of the body. */
  #decideKind(chunk: Uint8Array): void {
    this.#buffer(chunk);
    const start = this.#buffered();
    this.#kind = kindOf(start);
    if (this.#kind === "document") return;
    this.#chunks = NO_CHUNKS;
    if (this.#kind === "events") this.#reader.onEvents(start);
    // Some servers keep connections alive by sending white space for minutes.
    else this.#buffer(withoutSpace(start));
  }

  #buffer(chunk: Uint8Array): void {
    if (this.#chunks.length === 0) this.#chunks = [chunk];
    else this.#chunks.push(chunk);
  }

  #buffered(): Uint8Array {
    if (this.#chunks.length > 1) this.#chunks = [joined(this.#chunks)];
    return joined(this.#chunks);
  }
}

const SPACE = 0x20;
const CLOSING_BRACE = 0x7d;

/** All bodies share this list, so nothing may be added to it. */
const NO_CHUNKS: Uint8Array[] = [];

/** Returns the charset of a UTF-16 byte order mark, or else of the label in `content-type`. */
function charsetOf(
  first: Uint8Array,
  label: string | readonly string[] | undefined,
): string | undefined {
  if (first[0] === 0xff && first[1] === 0xfe) return "utf-16le";
  if (first[0] === 0xfe && first[1] === 0xff) return "utf-16be";
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(String(label ?? ""))?.[1];
}

/**
 * Returns the transcoder to UTF-8; undefined if the charset is UTF-8 or unknown.
 *
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

/** Converts text to UTF-8: complete lines as they arrive, or UTF-16 as a whole. Despite the label,
 * text that is already valid UTF-8 stays unchanged, unless the label is UTF-16. */
class Transcoder implements ByteSink {
  readonly #labeled: TextDecoder;
  readonly #sink: ByteSink;
  readonly #isAsciiCompatible: boolean;
  readonly #maxBytes: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(labeled: TextDecoder, sink: ByteSink, maxBytes: number) {
    this.#labeled = labeled;
    this.#sink = sink;
    this.#maxBytes = maxBytes;
    // UTF-16 text may also be valid UTF-8, and has the byte 0x0a inside characters.
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

  end(error?: Error): void {
    this.flush();
    this.#sink.end(error);
  }

  flush(): void {
    const bytes = joined(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (bytes.length === 0) return;
    const staysUnchanged = this.#isAsciiCompatible && isUtf8(bytes);
    this.#sink.data(staysUnchanged ? bytes : encoder.encode(this.#labeled.decode(bytes)));
  }
}

const encoder = new TextEncoder();
const LINE_END = 0x0a;
const LINE_BREAK = Uint8Array.of(LINE_END);
