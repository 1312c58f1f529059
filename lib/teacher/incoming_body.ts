/**
 * The body of an answer as it comes in: decoded, told apart into events and documents, and held where
 * it is read as a whole.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { AnswerHeaders } from "./attempt_error.ts";
import {
  type BodyKind,
  type ByteDecoder,
  type ByteSink,
  decoderFor,
  kindOf,
  withoutSpace,
} from "./content_coding.ts";

/** Who reads a body. */
export interface BodyReader {
  /** A part of a stream of events. */
  onEvents(chunk: Uint8Array): void;
  /** It is longer than it may be: what was held is all there is. */
  onTooLong(): void;
  /** All of it is there, or all that can be decoded. */
  onBodyEnd(error: Error | undefined): void;
}

const MOST_ERROR_BYTES = 64 * 1024;
/** The most bytes that an answer may have, decoded. */
const MOST_ANSWER_BYTES = 256 * 1024 * 1024;

/** One body. */
export class IncomingBody implements ByteSink {
  readonly #reader: BodyReader;
  readonly #held = new HeldBytes();
  #label: string | string[] | undefined;
  #isAnswer = false;
  #bytes = 0;
  #isBegun = false;
  #decoder: ByteDecoder | undefined;
  #kind: BodyKind | undefined;

  /** Makes a body that is told to `reader`. */
  constructor(reader: BodyReader) {
    this.#reader = reader;
  }

  /** The head is there. Events are told from documents in an answer only. */
  start(isAnswer: boolean, headers: AnswerHeaders): void {
    this.#isAnswer = isAnswer;
    this.#label = headers["content-encoding"];
  }

  /** A part came from the network. */
  receive(chunk: Uint8Array): void {
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#decoder = decoderFor(this.#label, chunk, this);
    }
    if (this.#decoder === undefined) this.data(chunk);
    else this.#decoder.data(chunk);
  }

  /** The network has told all of it. What is being decoded comes later. */
  finish(): void {
    if (this.#decoder === undefined) this.end();
    else this.#decoder.end();
  }

  /** What was held, as text, without a byte order mark. */
  text(): string {
    return this.#held.text();
  }

  /** Nothing more of it is read. */
  drop(): void {
    this.#decoder?.destroy();
  }

  /** A decoded part. */
  data(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const most = this.#isAnswer ? MOST_ANSWER_BYTES : MOST_ERROR_BYTES;
    if (this.#bytes > most) {
      if (!this.#isAnswer) this.#held.add(chunk.subarray(0, chunk.length - (this.#bytes - most)));
      this.#reader.onTooLong();
    } else if (this.#kind === "events") this.#reader.onEvents(chunk);
    else if (this.#kind === "document" || !this.#isAnswer) this.#held.add(chunk);
    else this.#undecided(chunk);
  }

  /** The end of what is decoded. */
  end(): void {
    this.#reader.onBodyEnd(undefined);
  }

  /** It could not be decoded. */
  broken(error: Error): void {
    this.#reader.onBodyEnd(error);
  }

  #undecided(chunk: Uint8Array): void {
    // Nearly always the first chunk tells.
    this.#held.add(chunk);
    const start = this.#held.all();
    this.#kind = kindOf(start);
    if (this.#kind === "document") return;
    this.#held.clear();
    if (this.#kind === "events") this.#reader.onEvents(start);
    // Some servers send white space as a sign of life, for minutes.
    else this.#held.add(withoutSpace(start));
  }
}

const decoder = new TextDecoder();

/** The chunks of one body. */
class HeldBytes {
  // Nearly every answer comes in one chunk: a list is made for the others only.
  #first: Uint8Array | undefined;
  #more: Uint8Array[] | undefined;

  /** Holds a chunk; it is not copied. */
  add(chunk: Uint8Array): void {
    if (this.#first === undefined) this.#first = chunk;
    else (this.#more ??= []).push(chunk);
  }

  /** All of them in one. */
  all(): Uint8Array {
    const first = this.#first ??= NOTHING;
    if (this.#more === undefined) return first;
    const chunks = [first, ...this.#more];
    const whole = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
    let offset = 0;
    for (const chunk of chunks) {
      whole.set(chunk, offset);
      offset += chunk.length;
    }
    this.#first = whole;
    this.#more = undefined;
    return whole;
  }

  /** All of them as text, without a byte order mark. */
  text(): string {
    return decoder.decode(this.all());
  }

  /** Forgets them. */
  clear(): void {
    this.#first = this.#more = undefined;
  }
}

const NOTHING = new Uint8Array(0);

/** The error of an answer that is longer than is read. */
export function tooLong(status: number): TeacherError {
  const what = `The answer is longer than ${MOST_ANSWER_BYTES / 1024 / 1024} MiB`;
  return new TeacherError(what, { type: "response", status });
}
