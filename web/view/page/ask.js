// @ts-check
/// <reference lib="dom" />
/**
 * Requests to the page's server.
 *
 * @module
 */

/**
 * Sends a GET request. Throws an `AskError` if the server rejects it.
 *
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
  const answer = await response.json().catch(() => undefined);
  const isRejected = typeof answer?.error === "string";
  if (!response.ok || isRejected || answer === undefined) {
    throw new AskError(
      isRejected ? answer.error : `The server answered with status ${response.status}`,
    );
  }
  return answer;
}

/** A request that the server rejected; the message is the reason. */
export class AskError extends Error {}

/** Saves the ids of rows: the only request that writes. @param {object} body `ids` or `where` */
export async function save(body) {
  return await answerOf(
    await fetch("selection", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}
