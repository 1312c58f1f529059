// @ts-check
/// <reference lib="dom" />
/** Sends requests to the page's server, and polls its state. @module */

import { lostText } from "../../page/dom.js";

/**
 * Gets JSON from the page's server. Throws an `AskError` if the server rejects the request.
 * @param {string} path
 * @param {Record<string, string | readonly string[]>} params
 * @returns {Promise<any>}
 */
export async function ask(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const item of typeof value === "string" ? [value] : value) {
      query.append(name, item);
    }
  }
  return await answerOf(await fetch(`${path}?${query}`));
}

/** @param {Response} response */
async function answerOf(response) {
  if (response.status === 401) throw new UnknownPageError(lostText({ isTokenUnknown: true }));
  const answer = await response.text().then(parseExactly).catch(() => undefined);
  const isRejected = typeof answer?.error === "string";
  if (!response.ok || isRejected || answer === undefined) {
    const problem = response.ok
      ? "The server's answer is not JSON: is there a proxy in between?"
      : `The server answered with status ${response.status}`;
    throw new AskError(isRejected ? answer.error : problem);
  }
  return answer;
}

/**
 * Like `JSON.parse`, but whole numbers beyond 2^53 are `bigint`, such as ids of 19 digits. Browsers
 * without `context.source`, such as Firefox before 2025, round such numbers.
 * @param {string} text
 */
export function parseExactly(text) {
  /** @param {string} _key @param {unknown} value @param {{ source?: string }} [context] */
  const keepInteger = (_key, value, context) => {
    const isRounded = typeof value === "number" && !Number.isSafeInteger(value);
    const source = context?.source ?? "";
    return isRounded && /^-?\d+$/.test(source) ? BigInt(source) : value;
  };
  return JSON.parse(text, keepInteger);
}

/**
 * Like `JSON.stringify`, with each `bigint` as a number.
 * @param {unknown} value
 * @returns {string}
 */
export function jsonOf(value) {
  const { rawJSON } = /** @type {{ rawJSON?: (text: string) => unknown }} */ (JSON);
  return JSON.stringify(
    value,
    (_key, inner) => typeof inner === "bigint" ? rawJSON?.(String(inner)) : inner,
  );
}

/** Thrown if the server does not know the token of the page, because the program was restarted. */
export class UnknownPageError extends Error {}

/** Thrown if the server rejects a request or sends no JSON. The message is for the user. */
export class AskError extends Error {}

/**
 * Saves ids of rows in a file: the only request that writes.
 * @param {object} body `ids` or `where`
 */
export async function save(body) {
  return await answerOf(
    await fetch("selection", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

/** Pause between refreshes while the server is busy. */
const BUSY_MS = 250;

const IDLE_MS = 2_000;

/** Refreshes the page periodically after the first `pollNow()`. Refreshes never overlap. */
export class Poll {
  #refresh;
  #listener;
  #isRefreshing = false;
  /** Whether `pollNow()` was called during a refresh, whose result may then be outdated. */
  #isOutdated = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<boolean>} refresh updates the page; returns whether the server is busy
   * @param {{ done: (isBusy: boolean) => void, failed: (error: unknown) => void }} listener
   */
  constructor(refresh, listener) {
    this.#refresh = refresh;
    this.#listener = listener;
  }

  pollNow() {
    this.#isOutdated = true;
    if (!this.#isRefreshing) this.#pollIn(0);
  }

  /** @param {number} delayMs */
  #pollIn(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), delayMs);
  }

  async #poll() {
    this.#isRefreshing = true;
    this.#isOutdated = false;
    let isBusy = false;
    try {
      isBusy = await this.#refresh();
      this.#listener.done(isBusy);
    } catch (error) {
      this.#listener.failed(error);
    }
    this.#isRefreshing = false;
    this.#pollIn(this.#isOutdated ? 0 : isBusy ? BUSY_MS : IDLE_MS);
  }
}
