/** The server's end of a page's WebSocket. @module */

/** Limit of unread bytes. A page with more is dropped. */
export const MAX_BACKLOG_BYTES = 1_000_000;

/** Unread bytes above which new samples, and a `hello` that is not urgent, wait. */
const SLOW_BACKLOG_BYTES = 64 * 1024;

/** Longest message of a page, in UTF-16 units. */
const MAX_PAGE_MESSAGE = 256;

/** Close codes of RFC 6455, and 1013 of IANA's registry. */
export const CLOSE = {
  goingAway: 1001,
  unsupported: 1003,
  violation: 1008,
  tooBig: 1009,
  tryLater: 1013,
} as const;

export interface PageSocket {
  /** 1 while the socket is open. */
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

const OPEN = 1;

/** Sends messages to a page. Never throws or waits, even if the socket is broken. */
export class PageLink {
  readonly #socket: PageSocket;
  isVisible = true;
  lastHeardMs = 0;
  /** Whether the page must get the whole state first. */
  needsHello = true;
  /** The hub's beat at which the page last got a snapshot. */
  snapshotBeat = 0;
  /** Version of the samples that the page has. */
  samplesVersion = 0;

  constructor(socket: PageSocket) {
    this.#socket = socket;
  }

  /** Whether messages are sent faster than the page reads them. */
  get isSlow(): boolean {
    try {
      return this.#socket.bufferedAmount > SLOW_BACKLOG_BYTES;
    } catch {
      return true;
    }
  }

  /**
   * Sends a text. Returns false if the page must be dropped, because its backlog is above 1 MB or
   * its socket is broken.
   */
  send(text: string): boolean {
    try {
      if (this.#socket.bufferedAmount > MAX_BACKLOG_BYTES) {
        this.close(CLOSE.tryLater, "too slow");
        return false;
      }
      if (this.#socket.readyState === OPEN) this.#socket.send(text);
      return true;
    } catch {
      this.close(CLOSE.goingAway, "sending failed");
      return false;
    }
  }

  /** Closes the socket if the message is not a `PageMessage`. */
  receive(data: unknown): void {
    if (typeof data !== "string") return this.close(CLOSE.unsupported, "text only");
    if (data.length > MAX_PAGE_MESSAGE) return this.close(CLOSE.tooBig, "too long");
    const isVisible = visibilityIn(data);
    if (isVisible === undefined) return this.close(CLOSE.violation, "not understood");
    if (isVisible && !this.isVisible) this.needsHello = true;
    this.isVisible = isVisible;
  }

  close(code: number, reason: string): void {
    try {
      this.#socket.close(code, reason);
    } catch {
      // The socket is broken or already closed.
    }
  }
}

/** Returns the visibility that a `PageMessage` reports; undefined for any other text. */
function visibilityIn(text: string): boolean | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null) return undefined;
    const { visible, ...others } = message as Record<string, unknown>;
    return typeof visible === "boolean" && Object.keys(others).length === 0 ? visible : undefined;
  } catch {
    return undefined;
  }
}
