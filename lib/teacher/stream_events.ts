/**
 * Parses the events of a stream: server-sent events, and the variants that gateways send.
 *
 * @module
 */

import {
  createParser,
  type EventSourceMessage,
  type ParseError,
} from "../deps/eventsource_parser.ts";
import { asObject, type JsonObject, leadingObject, parseJson } from "./json.ts";

/** The consumer of events. */
export interface EventSink {
  /** Whether no further events are needed. */
  readonly isOver: boolean;
  /** An event that holds an object, and the object's text. */
  onObject(object: JsonObject, text: string): void;
  /** An event that reports an error. */
  onError(error: unknown): void;
  /** An event that is neither JSON nor a keep-alive. */
  onUnreadable(text: string): void;
  /** The stream's own end marker. */
  onDone(): void;
}

/** Parses the events of one stream. */
export class StreamEvents {
  readonly #sink: EventSink;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: (event) => this.#event(event),
    onError: (error) => this.#unknownLine(error),
  });
  /** The beginning of a line that the parser might forget. */
  #held = "";
  #isAtLineStart = true;

  /** Nothing is read yet. */
  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  /** Reads a chunk as it came from the network. */
  feed(chunk: Uint8Array): void {
    this.#feed(this.#decoder.decode(chunk, { stream: true }));
  }

  /** Reads the rest once the stream has ended, including an event without its blank line. */
  end(): void {
    this.#feed(`${this.#decoder.decode()}\n\n`);
  }

  /** The parser forgets an incomplete line that cannot become a field that it knows: all lines but those of data are
   * held back until they are whole. */
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

  /** llama.cpp reports errors in a line of their own (`error: {…}`), others as bare JSON. Some gateways send chunks
   * so, too, or put something before `data:`: white space, a byte order mark, a capital. */
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
    // Some servers keep a connection alive with empty events.
    if (text === "") return;
    // A framework has wrapped events that were already events.
    if (text.startsWith("data:")) return this.#event({ event, data: text.slice("data:".length) });
    const value = parseJson(data);
    const chunk = asObject(value);
    if (event === "error") sink.onError(chunk?.error ?? chunk ?? data);
    else if (chunk !== undefined) sink.onObject(chunk, data);
    // A keep-alive, or several chunks in one event.
    else if (value === null) return;
    else if (Array.isArray(value)) {
      for (const one of value) this.#event({ data: JSON.stringify(one) });
    } else if (A_DONE.test(text)) sink.onDone();
    else if (!isKeepAlive(text, event)) this.#unparsed(text);
  }

  /** Some gateways leave out what separates events: the empty lines, or the line ends as well. */
  #unparsed(text: string): void {
    if (text.includes("\n")) {
      for (const line of text.split("\n")) this.#event({ data: line });
      return;
    }
    // One object after the other: to look for the next one in an event of its own takes quadratic time.
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

/** The end of the white space and the escaped line ends at `start`. */
function endOfBreak(text: string, start: number): number {
  const pattern = /(?:\\[nr]|\s)*/y;
  pattern.lastIndex = start;
  pattern.test(text);
  return pattern.lastIndex;
}

/** The end marker. */
const DONE = "[DONE]";

/** Variants of it. */
const A_DONE = /^"?\[?done\]?"?(?:\\[nr])*$/i;

/** Whether an event is a keep-alive: comments that were sent as data, and what proxies send as events. */
function isKeepAlive(text: string, event: string | undefined): boolean {
  return KEEP_ALIVE.test(event ?? "") ||
    (text.length <= LONGEST_KEEP_ALIVE && KEEP_ALIVE.test(text));
}

const KEEP_ALIVE = /^(?::|(?:ping|pong|heart-?beat|(?:keep)?-?alive)\b)/i;
const LONGEST_KEEP_ALIVE = 60;
