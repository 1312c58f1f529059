/** Parses server-sent events and what gateways send instead of them, and joins pieces of text.
 * @module */

import {
  createParser,
  type EventSourceMessage,
  type ParseError,
} from "../deps/eventsource_parser.ts";
import { leadingObject } from "../json.ts";
import { asObject, type JsonObject, parseJson } from "./json.ts";

export interface EventSink {
  /** Whether the stream is over, so that further events are ignored. */
  readonly isOver: boolean;
  onObject(object: JsonObject, text: string): void;
  onError(error: unknown): void;
  onUnreadable(text: string): void;
  onDone(): void;
}

export class StreamEvents {
  readonly #sink: EventSink;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: (event) => this.#event(event),
    onError: (error) => this.#unknownLine(error),
  });
  /** An incomplete line that has not been passed to the parser yet. */
  #held = "";
  #isAtLineStart = true;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  feed(chunk: Uint8Array): void {
    this.#feed(this.#decoder.decode(chunk, { stream: true }));
  }

  end(): void {
    this.#feed(`${this.#decoder.decode()}\n\n`);
  }

  /** Passes text to the parser, but holds back an incomplete last line that is not data. The parser
   * would drop such a line as an unknown field. */
  #feed(text: string): void {
    const unread = this.#held + text;
    const lineStart = Math.max(unread.lastIndexOf("\n"), unread.lastIndexOf("\r")) + 1;
    const lastLine = lineStart > 0 || this.#isAtLineStart ? unread.slice(lineStart) : "";
    this.#held = lastLine === "" || lastLine.startsWith("data:") ? "" : lastLine;
    const ready = this.#held === "" ? unread : unread.slice(0, lineStart);
    if (ready === "") return;
    this.#isAtLineStart = lineStart === unread.length || this.#held !== "";
    this.#parser.feed(ready);
  }

  /** Handles a line that the parser does not know. llama.cpp sends errors as `error: {…}`. Some
   * servers and gateways send errors or chunks without `data:`, capitalize it, or put white space
   * or a byte order mark before it. */
  #unknownLine({ field, value = "", line = "" }: ParseError): void {
    if (field === "error") return this.#event({ event: "error", data: value });
    const text = line.trim();
    if (/^data:/i.test(text)) this.#event({ data: text.slice("data:".length) });
    else if (text === DONE || (text.startsWith("{") && asObject(parseJson(text)))) {
      this.#event({ data: text });
    }
  }

  #event({ event, data }: EventSourceMessage): void {
    const sink = this.#sink;
    if (sink.isOver) return;
    const text = data.trim();
    if (text === DONE) return sink.onDone();
    // Some servers keep connections alive with empty events.
    if (text === "") return;
    // Some frameworks write `data:` before events that already have it.
    if (text.startsWith("data:")) return this.#event({ event, data: text.slice("data:".length) });
    const value = parseJson(data);
    const chunk = asObject(value);
    if (event === "error") sink.onError(chunk?.error ?? chunk ?? data);
    else if (chunk !== undefined) sink.onObject(chunk, data);
    // `null` is a keep-alive, and an array contains several chunks.
    else if (value === null) return;
    else if (Array.isArray(value)) {
      for (const element of value) this.#event({ data: JSON.stringify(element) });
    } else if (DONE_VARIANT.test(text)) sink.onDone();
    else if (!isKeepAlive(text, event)) this.#unparsed(text);
  }

  /** Handles text that is not a single JSON value. Some gateways omit the empty lines between
   * events, or even the line ends. */
  #unparsed(text: string): void {
    if (text.includes("\n")) {
      for (const line of text.split("\n")) this.#event({ data: line });
      return;
    }
    // This is a loop, because recursion would copy the rest of the text for each object.
    let start = 0, object = leadingObject(text);
    while (object !== undefined && start + object.length < text.length) {
      this.#event({ data: object });
      start = endOfBreak(text, start + object.length);
      object = leadingObject(text, start);
    }
    if (start === 0) this.#sink.onUnreadable(text);
    else this.#event({ data: text.slice(start) });
  }
}

function endOfBreak(text: string, start: number): number {
  const pattern = /(?:\\[nr]|\s)*/y;
  pattern.lastIndex = start;
  pattern.test(text);
  return pattern.lastIndex;
}

const DONE = "[DONE]";

const DONE_VARIANT = /^"?\[?done\]?"?(?:\\[nr])*$/i;

/** Whether an event is a keep-alive: a comment sent as data, or a ping of a proxy. */
function isKeepAlive(text: string, event: string | undefined): boolean {
  return KEEP_ALIVE.test(event ?? "") ||
    (text.length <= MAX_KEEP_ALIVE_CHARS && KEEP_ALIVE.test(text));
}

const KEEP_ALIVE = /^(?::|(?:ping|pong|heart-?beat|(?:keep)?-?alive)\b)/i;
/** The maximum length of a keep-alive. A longer text may be an answer that begins with such a
 * word. */
const MAX_KEEP_ALIVE_CHARS = 60;

/** The minimum number of pieces that count as snapshots. A second piece may begin with the first
 * one by chance. */
const MIN_SNAPSHOTS = 3;

/** The number of snapshots after which only the last one is kept in memory. */
const CERTAIN_SNAPSHOTS = 16;

/** The minimum length of a piece that counts as a repetition of the text. A model may write a word
 * twice. */
const MIN_REPEATED_CHARS = 16;

/** Joins the pieces of a text. Some servers (DashScope, MiniMax) send snapshots: each piece begins
 * with the previous piece and is longer. Others (RAGFlow) repeat the complete text in a last piece,
 * which is dropped. */
export class DeltaText {
  #joined = "";
  #pieces = 0;
  /** The last piece; undefined once any piece was not a snapshot. */
  #snapshot: string | undefined = "";

  add(piece: string): void {
    if (piece === "" || this.#repeatsAll(piece)) return;
    const snapshot = this.#snapshot;
    if (snapshot !== undefined) {
      const isNext = piece.length > snapshot.length
        ? piece.startsWith(snapshot)
        : this.#pieces >= MIN_SNAPSHOTS && piece === snapshot;
      this.#snapshot = isNext ? piece : undefined;
    }
    this.#pieces++;
    if (this.#snapshot !== undefined && this.#pieces > CERTAIN_SNAPSHOTS) this.#joined = piece;
    else this.#joined += piece;
  }

  /** If `whole` begins with the text so far, replaces that text with `whole`. */
  extendTo(whole: string): void {
    if (!whole.startsWith(this.text)) return;
    this.#joined = whole;
    this.#snapshot = undefined;
  }

  #repeatsAll(piece: string): boolean {
    return piece.length >= MIN_REPEATED_CHARS && piece.length === this.#joined.length &&
      this.#pieces >= MIN_SNAPSHOTS && this.#snapshot === undefined && piece === this.#joined;
  }

  get text(): string {
    return this.#snapshot !== undefined && this.#pieces >= MIN_SNAPSHOTS
      ? this.#snapshot
      : this.#joined;
  }
}
