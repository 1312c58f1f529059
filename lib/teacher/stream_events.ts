/**
 * Parses the events of a stream: server-sent events, and what gateways send in their place.
 *
 * @module
 */

import {
  createParser,
  type EventSourceMessage,
  type ParseError,
} from "../deps/eventsource_parser.ts";
import { asObject, type JsonObject, leadingObject, parseJson } from "./json.ts";

export interface EventSink {
  /** Whether further events are ignored. */
  readonly isOver: boolean;
  /** Called with each event that is an object, and its JSON text. */
  onObject(object: JsonObject, text: string): void;
  /** Called with each event that reports an error. */
  onError(error: unknown): void;
  /** Called with each event that is neither JSON nor a keep-alive. */
  onUnreadable(text: string): void;
  /** Called at the end marker of the stream. */
  onDone(): void;
}

export class StreamEvents {
  readonly #sink: EventSink;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: (event) => this.#event(event),
    onError: (error) => this.#unknownLine(error),
  });
  /** An incomplete line that the parser might forget. */
  #held = "";
  #isAtLineStart = true;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  feed(chunk: Uint8Array): void {
    this.#feed(this.#decoder.decode(chunk, { stream: true }));
  }

  /** Reads the rest after the last chunk, including an event without its empty line. */
  end(): void {
    this.#feed(`${this.#decoder.decode()}\n\n`);
  }

  /** Passes text to the parser. That forgets an incomplete line unless it may become a known field,
   * so all incomplete lines but those of data are held until they are complete. */
  #feed(text: string): void {
    const whole = this.#held + text;
    const lineStart = Math.max(whole.lastIndexOf("\n"), whole.lastIndexOf("\r")) + 1;
    const last = lineStart > 0 || this.#isAtLineStart ? whole.slice(lineStart) : "";
    this.#held = last === "" || last.startsWith("data:") ? "" : last;
    const fed = this.#held === "" ? whole : whole.slice(0, lineStart);
    if (fed === "") return;
    this.#isAtLineStart = lineStart === whole.length || this.#held !== "";
    this.#parser.feed(fed);
  }

  /**
   * Reads lines that the parser does not know. llama.cpp reports errors in a line of their own
   * (`error: {…}`), others as bare JSON. Some gateways send bare chunks, or put white space or a
   * byte order mark before `data:`, or capitalize it.
   */
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
    // A framework has wrapped events that were already wrapped.
    if (text.startsWith("data:")) return this.#event({ event, data: text.slice("data:".length) });
    const value = parseJson(data);
    const chunk = asObject(value);
    if (event === "error") sink.onError(chunk?.error ?? chunk ?? data);
    else if (chunk !== undefined) sink.onObject(chunk, data);
    // `null` is a keep-alive; an array holds several chunks.
    else if (value === null) return;
    else if (Array.isArray(value)) {
      for (const one of value) this.#event({ data: JSON.stringify(one) });
    } else if (A_DONE.test(text)) sink.onDone();
    else if (!isKeepAlive(text, event)) this.#unparsed(text);
  }

  /** Reads events that are not separated, as some gateways omit the empty lines, or the line ends
   * too. */
  #unparsed(text: string): void {
    if (text.includes("\n")) {
      for (const line of text.split("\n")) this.#event({ data: line });
      return;
    }
    // Object after object in one pass: an event for the rest each time would take quadratic time.
    let at = 0, object = leadingObject(text);
    while (object !== undefined && at + object.length < text.length) {
      this.#event({ data: object });
      at = endOfBreak(text, at + object.length);
      object = leadingObject(text, at);
    }
    if (at === 0) this.#sink.onUnreadable(text);
    else this.#event({ data: text.slice(at) });
  }
}

/** The end of the white space and escaped line ends that begin at `start`. */
function endOfBreak(text: string, start: number): number {
  const pattern = /(?:\\[nr]|\s)*/y;
  pattern.lastIndex = start;
  pattern.test(text);
  return pattern.lastIndex;
}

const DONE = "[DONE]";

/** Variants of `[DONE]`. */
const A_DONE = /^"?\[?done\]?"?(?:\\[nr])*$/i;

/** Whether an event is a keep-alive: a comment sent as data, or a ping of a proxy. */
function isKeepAlive(text: string, event: string | undefined): boolean {
  return KEEP_ALIVE.test(event ?? "") ||
    (text.length <= LONGEST_KEEP_ALIVE && KEEP_ALIVE.test(text));
}

const KEEP_ALIVE = /^(?::|(?:ping|pong|heart-?beat|(?:keep)?-?alive)\b)/i;
const LONGEST_KEEP_ALIVE = 60;
