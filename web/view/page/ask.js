// @ts-check
/// <reference lib="dom" />
/**
 * The requests of the page to its server, with the only one that writes.
 *
 * @module
 */

/**
 * Sends a request to the server.
 *
 * @param {string} path
 * @param {Record<string, string | readonly string[]>} params
 * @returns {Promise<any>}
 */
export async function ask(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of typeof value === "string" ? [value] : value) {
      query.append(name, one);
    }
  }
  return await answerOf(await fetch(`${path}?${query}`));
}

/** @param {Response} response */
async function answerOf(response) {
  const answer = await response.json().catch(() => ({
    error: `The server answered with ${response.status}`,
  }));
  const isRefused = typeof answer?.error === "string";
  if (!response.ok || isRefused) {
    const words = isRefused ? answer.error : `The server answered with ${response.status}`;
    throw new AskError(words, response.status);
  }
  return answer;
}

/** A request that the server refused, with the reason. */
export class AskError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The page's only write. @param {object} body */
export async function save(body) {
  return await answerOf(
    await fetch("selection", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}
