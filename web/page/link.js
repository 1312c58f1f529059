// @ts-check
/** The page's connection to its server: the WebSocket, and requests for full texts. @module */

/** @import { PageMessage, ServerMessage } from "../protocol.ts" */
/** @import { Sample, Samples } from "../monitor_state.ts" */

/** Delay before the first attempt to reconnect. It doubles with each failure. */
const FIRST_DELAY_MS = 500;

const LONGEST_DELAY_MS = 15_000;

/**
 * Interval of messages to the server, which considers a page lost after 3 minutes without a
 * message. In background tabs, browsers run timers only once a minute.
 */
const HEARTBEAT_MS = 20_000;

/**
 * Attempts to reconnect after the end of the run. Together they take less than the 10 s that its
 * server waits for pages that are being reloaded.
 */
const TRIES_AFTER_END = 4;
/** Close code of a server that stops (RFC 6455). */
const GOING_AWAY = 1001;

/**
 * @typedef {object} LinkStatus
 * @property {boolean} isOpen
 * @property {number} tries attempts to connect since it was last open
 * @property {number | null} nextMs when the next attempt begins, in Unix milliseconds; null while
 * the connection is open or being opened, and if no attempt will follow
 */

/**
 * @typedef {object} LinkOptions
 * @property {() => WebSocket} connect opens a socket
 * @property {(message: ServerMessage) => void} onMessage
 * @property {() => boolean} isOver whether the run has ended, so that its server may stop at any
 * time
 * @property {() => number} [now] Unix milliseconds
 * @property {() => number} [random] in [0, 1)
 */

/**
 * Returns the URL of the WebSocket. It is relative to the page's URL, so it works with any port,
 * path prefix and TLS.
 * @param {string} base URL of the page
 * @returns {string}
 */
export function socketAddress(base) {
  const url = new URL("ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * Returns the delay before an attempt to reconnect. Half of it is random, so that not all pages
 * reconnect to a restarted server at the same time.
 * @param {number} attempt counted from 1
 * @param {number} chance in [0, 1)
 * @returns {number} milliseconds
 */
export function reconnectDelayMs(attempt, chance) {
  const wholeMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 10));
  return wholeMs / 2 + wholeMs / 2 * chance;
}

/** A WebSocket that reconnects until the run has ended and the server is gone. */
export class Link {
  #options;
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #heartbeat;
  #isVisible = true;
  /** @type {LinkStatus} */
  #status = { isOpen: false, tries: 0, nextMs: null };

  /** @param {LinkOptions} options */
  constructor(options) {
    this.#options = { now: Date.now, random: Math.random, ...options };
  }

  get status() {
    return this.#status;
  }

  start() {
    const socket = this.#options.connect();
    this.#timer = undefined;
    this.#socket = socket;
    this.#status = { isOpen: false, tries: this.#status.tries + 1, nextMs: null };
    socket.onopen = () => {
      this.#status = { isOpen: true, tries: 0, nextMs: null };
      if (!this.#isVisible) this.#sendVisibility();
      this.#heartbeat = setInterval(() => this.#sendVisibility(), HEARTBEAT_MS);
    };
    socket.onmessage = ({ data }) => {
      const message = readMessage(data);
      if (message !== undefined) this.#options.onMessage(message);
    };
    socket.onclose = ({ code }) => this.#reconnectLater(socket, code);
  }

  /**
   * Sends the visibility to the server. Without a connection, a page that becomes visible connects
   * immediately.
   * @param {boolean} isVisible
   */
  setVisible(isVisible) {
    if (this.#isVisible === isVisible) return;
    this.#isVisible = isVisible;
    if (this.#status.isOpen) this.#sendVisibility();
    else if (isVisible) this.retry();
  }

  /** Connects immediately if an attempt is due later. */
  retry() {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.start();
  }

  /** @param {WebSocket} socket @param {number} code */
  #reconnectLater(socket, code) {
    if (socket !== this.#socket) return;
    clearInterval(this.#heartbeat);
    const { now, random, isOver } = this.#options;
    const { tries } = this.#status;
    this.#socket = undefined;
    if (isOver() && (code === GOING_AWAY || tries >= TRIES_AFTER_END)) {
      this.#status = { isOpen: false, tries, nextMs: null };
      return;
    }
    const delayMs = reconnectDelayMs(tries + 1, random());
    this.#status = { isOpen: false, tries, nextMs: now() + delayMs };
    this.#timer = setTimeout(() => this.start(), delayMs);
  }

  #sendVisibility() {
    /** @type {PageMessage} */
    const message = { visible: this.#isVisible };
    this.#socket?.send(JSON.stringify(message));
  }
}

/**
 * Returns the sample with full texts; unchanged if no text is truncated or the request fails.
 * @param {Sample} sample
 */
export async function fetchWhole(sample) {
  return sample.is_cut ? await fetchJson(`samples/${sample.id}`) ?? sample : sample;
}

/**
 * Returns all samples with full texts; undefined if the request fails.
 * @returns {Promise<Samples | undefined>}
 */
export async function fetchSamples() {
  return await fetchJson("samples");
}

/** @param {string} path */
async function fetchJson(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} data @returns {ServerMessage | undefined} */
function readMessage(data) {
  if (typeof data !== "string") return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
