/**
 * The body of a response as it arrives: decoded, recognised as events or a document, and buffered where it is
 * read as a whole.
 *
 * @module
 */

import { areChunkLines } from "./answer_body.ts";
import type { AnswerHeaders } from "./attempt_error.ts";
import { MOST_ANSWER_BYTES } from "./broken_answer.ts";
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

/** The consumer of a body. */
export interface BodyReader {
  /** A part of an event stream. */
  onEvents(chunk: Uint8Array): void;
  /** The body is too long: what was buffered is all there is. */
  onTooLong(): void;
  /** The body is complete, or as complete as it can be decoded. */
  onBodyEnd(error: Error | undefined): void;
}

const MOST_ERROR_BYTES = 64 * 1024;

/** One body. */
export class IncomingBody implements ByteSink {
  readonly #reader: BodyReader;
  readonly #held = new HeldBytes();
  #headers: AnswerHeaders = {};
  #isAnswer = false;
  #bytes = 0;
  #isBegun = false;
  #decoder: ByteDecoder | undefined;
  #transcoder: Transcoder | undefined;
  /** Decodes content coding and charset, if there is either. */
  #outer: ByteSink | undefined;
  #kind: BodyKind | undefined;

  /** Nothing has arrived yet. */
  constructor(reader: BodyReader) {
    this.#reader = reader;
  }

  /** The head has arrived. Only the body of an answer may be events. */
  start(isAnswer: boolean, headers: AnswerHeaders): void {
    this.#isAnswer = isAnswer;
    this.#headers = headers;
  }

  /** A chunk from the network. */
  receive(chunk: Uint8Array): void {
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#begin(chunk);
    }
    (this.#outer ?? this).data(chunk);
  }

  /** The network has delivered all of it. What is still being decoded comes later. */
  finish(): void {
    (this.#outer ?? this).end();
  }

  /** Takes what has arrived of the last line for all of it: no more is waited for. */
  flush(): void {
    this.#transcoder?.flush();
  }

  /** What was buffered, as text without a byte order mark. */
  text(): string {
    return this.#held.text();
  }

  /** Whether what was buffered is a complete JSON object. */
  get holdsObject(): boolean {
    return asObject(parseJson(this.text())) !== undefined;
  }

  /** Hands on as events what was buffered, if it is not a document but chunks as bare JSON, which only its end shows.
   * Returns whether it was. */
  tellLines(): boolean {
    const areLines = this.#kind === "document" && areChunkLines(this.#held.all());
    if (areLines) this.#reader.onEvents(this.#held.all());
    return areLines;
  }

  /** Stops decoding. */
  drop(): void {
    this.#decoder?.destroy();
  }

  /** A decoded chunk. */
  data(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const most = this.#mostBytes;
    if (this.#bytes > most) {
      if (!this.#isAnswer) this.#held.add(chunk.subarray(0, chunk.length - (this.#bytes - most)));
      this.#reader.onTooLong();
    } else if (this.#kind === "events") this.#reader.onEvents(chunk);
    else if (this.#kind === "document" || !this.#isAnswer) this.#held.add(chunk);
    else this.#undecided(chunk);
  }

  /** The end of the decoded bytes. */
  end(): void {
    this.#reader.onBodyEnd(undefined);
  }

  /** The bytes could not be decoded. */
  broken(error: Error): void {
    this.#reader.onBodyEnd(error);
  }

  get #mostBytes(): number {
    return this.#isAnswer ? MOST_ANSWER_BYTES : MOST_ERROR_BYTES;
  }

  #begin(first: Uint8Array): void {
    const charset = charsetOf(first, this.#headers["content-type"]);
    if (charset !== undefined) this.#transcoder = transcoderFor(charset, this, this.#mostBytes);
    this.#decoder = decoderFor(this.#headers["content-encoding"], first, this.#transcoder ?? this);
    this.#outer = this.#decoder ?? this.#transcoder;
  }

  #undecided(chunk: Uint8Array): void {
    // The first chunk is nearly always enough.
    this.#held.add(chunk);
    const start = this.#held.all();
    this.#kind = kindOf(start);
    if (this.#kind === "document") return;
    this.#held.clear();
    if (this.#kind === "events") this.#reader.onEvents(start);
    // Some servers send white space as a keep-alive, for minutes.
    else this.#held.add(withoutSpace(start));
  }
}

/** The chunks of one body. */
class HeldBytes {
  // Nearly every answer comes in one chunk; only others need a list.
  #first: Uint8Array | undefined;
  #more: Uint8Array[] | undefined;

  /** Adds a chunk without copying it. */
  add(chunk: Uint8Array): void {
    if (this.#first === undefined) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
  }

  /** All chunks in one array. */
  all(): Uint8Array {
    const first = this.#first ??= NOTHING;
    if (this.#more === undefined) return first;
    const whole = joined([first, ...this.#more]);
    this.#first = whole;
    this.#more = undefined;
    return whole;
  }

  /** All chunks as text without a byte order mark. */
  text(): string {
    return textOf(this.all());
  }

  /** Removes all chunks. */
  clear(): void {
    this.#first = this.#more = undefined;
  }
}

const NOTHING = new Uint8Array(0);

/** The charset that a body's byte order mark names, else its label (the field `content-type`). `first`: its first
 * bytes. */
function charsetOf(
  first: Uint8Array,
  label: string | readonly string[] | undefined,
): string | undefined {
  if (first[0] === 0xff && first[1] === 0xfe) return "utf-16le";
  if (first[0] === 0xfe && first[1] === 0xff) return "utf-16be";
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(String(label ?? ""))?.[1];
}

/**
 * Turns the lines of a body into UTF-8 where they are not.
 *
 * @param charset The name of their charset.
 * @param sink Where the body goes.
 * @param mostBytes The most that are held for the end of a line.
 * @returns What to put the body into; undefined for UTF-8, and for what is no charset.
 */
function transcoderFor(
  charset: string,
  sink: ByteSink,
  mostBytes: number,
): Transcoder | undefined {
  if (/^utf-?8$/i.test(charset)) return undefined;
  try {
    return new Transcoder(new TextDecoder(charset), sink, mostBytes);
  } catch {
    return undefined;
  }
}

/** Judges whole lines as they come: valid UTF-8 is taken as such, whatever the label says. */
class Transcoder implements ByteSink {
  readonly #stated: TextDecoder;
  readonly #sink: ByteSink;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #isOfBytes: boolean;
  readonly #mostBytes: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(stated: TextDecoder, sink: ByteSink, mostBytes: number) {
    this.#stated = stated;
    this.#sink = sink;
    this.#mostBytes = mostBytes;
    // UTF-16 has bytes of 0 in every line, and line ends in the middle of characters.
    this.#isOfBytes = !stated.encoding.startsWith("utf-16");
  }

  data(chunk: Uint8Array): void {
    const end = this.#isOfBytes ? chunk.lastIndexOf(LINE_END) + 1 : 0;
    if (end > 0) {
      this.#held.push(chunk.subarray(0, end));
      this.flush();
    }
    if (end === chunk.length) return;
    this.#held.push(chunk.subarray(end));
    this.#heldBytes += chunk.length - end;
    // The sink counts what it gets, and ends a body that is too long.
    if (this.#heldBytes > this.#mostBytes) this.flush();
  }

  end(): void {
    this.flush();
    this.#sink.end();
  }

  broken(error: Error): void {
    this.flush();
    this.#sink.broken(error);
  }

  /** Hands on what is held. */
  flush(): void {
    const bytes = joined(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (bytes.length > 0) this.#sink.data(this.#isUtf8(bytes) ? bytes : this.#utf8Of(bytes));
  }

  #isUtf8(bytes: Uint8Array): boolean {
    if (!this.#isOfBytes) return false;
    try {
      this.#utf8.decode(bytes);
      return true;
    } catch {
      return false;
    }
  }

  #utf8Of(bytes: Uint8Array): Uint8Array {
    return encoder.encode(this.#stated.decode(bytes));
  }
}

const encoder = new TextEncoder();
const LINE_END = 0x0a;
