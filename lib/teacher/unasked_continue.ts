/**
 * For servers that send `100 Continue` although no request has asked for it. undici destroys the
 * socket when it reads one; RFC 9110 (15.2) wants it skipped.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** What is needed of a socket. */
export interface ReadableSocket {
  /** Takes what has come, or null where there is nothing. */
  read(size?: number): Uint8Array | null;
}

const STATUS_LINE = /^HTTP\/1\.[01] 100[ \r]/;
const STATUS_LINE_LENGTH = "HTTP/1.1 100 ".length;
const END = "\r\n\r\n";

/** Takes each `100 Continue` out of what is read from one socket. */
export class UnaskedContinue {
  readonly #read: ReadableSocket["read"];
  #isHeadDue = true;
  /** The beginning of an answer that may be one. */
  #held: Buffer = Buffer.alloc(0);

  /** From now on the socket's `read` leaves them out. */
  constructor(socket: ReadableSocket) {
    this.#read = socket.read.bind(socket);
    socket.read = (size) => this.#isHeadDue ? this.#readHead(size) : this.#read(size);
  }

  /** A request is sent: the next bytes begin an answer. */
  expect(): void {
    this.#isHeadDue = true;
  }

  #readHead(size: number | undefined): Uint8Array | null {
    while (true) {
      const chunk = this.#read(size);
      if (chunk === null) return null;
      this.#held = Buffer.concat([this.#held, chunk]);
      const rest = this.#rest();
      if (rest === undefined) continue;
      this.#isHeadDue = false;
      this.#held = Buffer.alloc(0);
      return rest;
    }
  }

  /** What follows; undefined while it is not all there. */
  #rest(): Buffer | undefined {
    while (this.#held.length >= STATUS_LINE_LENGTH) {
      if (!STATUS_LINE.test(this.#held.toString("latin1", 0, STATUS_LINE_LENGTH))) {
        return this.#held;
      }
      const end = this.#held.indexOf(END);
      if (end < 0) return undefined;
      this.#held = this.#held.subarray(end + END.length);
    }
    return undefined;
  }
}
