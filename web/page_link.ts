/**
 * One open page: its socket, and the state of what was sent.
 *
 * @module
 */

/** The unread bytes at which a page is dropped. */
export const MAX_BACKLOG_BYTES = 1_000_000;

/** The unread bytes at which a page gets nothing large until it has read them. */
const SLOW_BACKLOG_BYTES = 64 * 1024;

/** The longest message of a page, in UTF-16 units. */
export const MAX_PAGE_MESSAGE = 256;

/** Why a socket is closed: close codes of RFC 6455, and 1013 of its registry. */
export const CLOSE = {
  goingAway: 1001,
  unsupported: 1003,
  violation: 1008,
  tooBig: 1009,
  tryLater: 1013,
} as const;

/** The part of `WebSocket` that is used. */
export interface PageSocket {
  /** 1 while messages can be sent. */
  readonly readyState: number;
  /** Bytes that were queued and not sent yet. */
  readonly bufferedAmount: number;
  /** Sends a text. */
  send(text: string): void;
  /** Ends the connection. */
  close(code: number, reason: string): void;
}

const OPEN = 1;

/** Never throws and never waits, whatever the socket does. */
export class PageLink {
  readonly #socket: PageSocket;
  /** Whether the page is visible. */
  isVisible = true;
  /** When it last sent something, in milliseconds of the hub's clock. */
  heardAt = 0;
  /** Whether it needs the whole state. */
  needsHello = true;
  /** The beat of the last snapshot that it got. */
  toldAt = 0;
  /** Which samples it has: the version of the last list that it was sent. */
  knownSamples = 0;

  /** Takes a socket that is open. */
  constructor(socket: PageSocket) {
    this.#socket = socket;
  }

  /** Whether it reads more slowly than it is sent to. */
  get isSlow(): boolean {
    try {
      return this.#socket.bufferedAmount > SLOW_BACKLOG_BYTES;
    } catch {
      return true;
    }
  }

  /** Sends a text. Returns false when the page had to be dropped: its backlog is above 1 MB, or its socket is
   * broken. */
  send(text: string): boolean {
    try {
      if (this.#socket.bufferedAmount > MAX_BACKLOG_BYTES) {
        this.close(CLOSE.tryLater, "too slow");
        return false;
      }
      if (this.#socket.readyState === OPEN) this.#socket.send(text);
      return true;
    } catch {
      this.close(CLOSE.goingAway, "cannot be sent to");
      return false;
    }
  }

  /** Takes a message of the page; closes the socket when it is not a `PageMessage`. */
  receive(data: unknown): void {
    if (typeof data !== "string") return this.close(CLOSE.unsupported, "text only");
    if (data.length > MAX_PAGE_MESSAGE) return this.close(CLOSE.tooBig, "too long");
    const isVisible = visibilityIn(data);
    if (isVisible === undefined) return this.close(CLOSE.violation, "not understood");
    if (isVisible && !this.isVisible) this.needsHello = true;
    this.isVisible = isVisible;
  }

  /** Closes the socket. */
  close(code: number, reason: string): void {
    try {
      this.#socket.close(code, reason);
    } catch {
      // The socket is broken, or closed already.
    }
  }
}

function visibilityIn(text: string): boolean | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null || !("visible" in message)) return;
    if (Object.keys(message).length > 1) return;
    return typeof message.visible === "boolean" ? message.visible : undefined;
  } catch {
    return undefined;
  }
}
