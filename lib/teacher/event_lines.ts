/**
 * Parses server-sent events from chunks of bytes, including errors in lines of their own.
 *
 * @module
 */

import {
  createParser,
  type EventSourceMessage,
  type ParseError,
} from "../deps/eventsource_parser.ts";
import { asObject, parseJson } from "./json.ts";

/** An event: its data, and its name where it has one. */
export type ServerEvent = Pick<EventSourceMessage, "event" | "data">;

/** Parses the events of one stream. */
export class EventLines {
  readonly #onEvent: (event: ServerEvent) => void;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({
    onEvent: (event) => this.#onEvent(event),
    onError: (error) => this.#unknownLine(error),
  });
  /** The beginning of a line that the parser would drop. */
  #held = "";
  #isAtLineStart = true;

  /** `onEvent` is called with each event, during `feed()` and `end()`. */
  constructor(onEvent: (event: ServerEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Reads a chunk as it came from the network. */
  feed(chunk: Uint8Array): void {
    this.#feed(this.#decoder.decode(chunk, { stream: true }));
  }

  /** Reads the rest once the stream has ended, including an event without its blank line. */
  end(): void {
    this.#feed(`${this.#decoder.decode()}\n\n`);
  }

  /** The parser drops an incomplete line that cannot become a field it knows, so such a line is held until it
   * is complete. */
  #feed(text: string): void {
    const whole = this.#held + text;
    const lineStart = Math.max(whole.lastIndexOf("\n"), whole.lastIndexOf("\r")) + 1;
    const last = lineStart > 0 || this.#isAtLineStart ? whole.slice(lineStart) : "";
    this.#held = last !== "" && isForgotten(last) ? last : "";
    const fed = this.#held === "" ? whole : whole.slice(0, lineStart);
    if (fed === "") return;
    this.#isAtLineStart = lineStart === whole.length || this.#held !== "";
    this.#parser.feed(fed);
  }

  /** llama.cpp reports errors in a line of their own (`error: {…}`), others as bare JSON. */
  #unknownLine({ field, value = "", line = "" }: ParseError): void {
    if (field === "error") this.#onEvent({ event: "error", data: value });
    else if (line.startsWith("{") && asObject(parseJson(line))) this.#onEvent({ data: line });
  }
}

/** Whether the SSE parser would drop a line with this beginning, although it may hold an error. */
function isForgotten(start: string): boolean {
  return start.startsWith("{") || start.startsWith(ERROR_FIELD) || ERROR_FIELD.startsWith(start);
}

const ERROR_FIELD = "error:";
