/**
 * The header fields of a request, put together once for all requests.
 *
 * @module
 */

import type { Address } from "./address.ts";

/** What the transport sets itself, or what would break it. */
const RESERVED = /^(content-length|transfer-encoding|connection|keep-alive|upgrade|expect|te)$/;

/**
 * Checks header fields that a person gave.
 *
 * @throws {TypeError} If a name or a value cannot be sent, or the transport sets that field itself.
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (RESERVED.test(name.toLowerCase())) {
      throw new TypeError(`Cannot send the header ${JSON.stringify(name)}: it is set by Retort`);
    }
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      throw new TypeError(`Cannot send the header ${JSON.stringify(name)}: that is no header name`);
    }
    // The value may be a secret: it is not shown.
    if (typeof value !== "string" || !isSendable(value)) {
      throw new TypeError(
        `Cannot send the header ${JSON.stringify(name)}: ` +
          "its value must be one line of ASCII characters",
      );
    }
  }
}

/**
 * The header field that holds the key, else the credentials of the address, else none. Azure takes
 * keys in `api-key`, and only its tokens, which are JSON Web Tokens, in `Authorization`.
 *
 * @throws {TypeError} If the key holds what no header field can. The key is not shown.
 */
export function keyHeader(
  apiKey: string | undefined,
  { credentials, azure }: Pick<Address, "credentials" | "azure">,
): Record<string, string> {
  if (apiKey !== undefined && apiKey !== "") {
    if (!isSendable(apiKey) || apiKey.trim() !== apiKey) {
      throw new TypeError(
        "Cannot use the API key: it must be one line of ASCII characters without spaces around it",
      );
    }
    if (azure && !/^eyJ[\w-]+\.[\w-]+\./.test(apiKey)) return { "api-key": apiKey };
    return { authorization: `Bearer ${apiKey}` };
  }
  return credentials === undefined ? {} : { authorization: `Basic ${base64(credentials)}` };
}

/** Names and values in turn, as the transport reads them fastest. What is given replaces ours. */
export function headerList(
  ours: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): string[] {
  const all = new Map<string, string>();
  for (const [name, value] of Object.entries(ours)) all.set(name, value);
  for (const [name, value] of Object.entries(given)) all.set(name.toLowerCase(), value);
  return [...all].flat();
}

function isSendable(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
