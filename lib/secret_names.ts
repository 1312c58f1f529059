/**
 * Recognizes the names of headers and parameters whose values are secrets.
 *
 * @module
 */

/** Whether the value of this header must not be shown. Errs on the side of hiding. */
export function isSecretHeader(name: string): boolean {
  return /auth|key|token|secret|cookie|pass|cred/i.test(name);
}

/** Names of parameters that hold a credential: `api_key`, `OPENAI_API_KEY`, `access-token`.
 * Excludes `max_tokens` and `prompt_cache_key`. */
const SECRET_PARAM = new RegExp(
  "^(?:(?:\\w+[_-])?api[_-]?key|key|(?:proxy[_-])?authorization|bearer|" +
    "(?:(?:access|api|auth|bearer|id|refresh|secret|session)[_-]?)?token|" +
    "(?:(?:api|client)[_-]?)?secret(?:[_-](?:access[_-])?key)?|" +
    "password|passwd|credentials?|cookie)$",
  "i",
);

/**
 * `extra_headers`, `extra_query`, … of OpenAI's Python client, which no server reads from a body.
 */
const HEADER_BLOCK = /^(?:(?:extra|default)[_-])?(?:headers|query)$/i;

/**
 * The path of a parameter that holds a credential, which must not be written to files; undefined if
 * there is none. Searches `extra_body` and blocks of headers, but not schemas of tools, where any
 * property may be called `password`.
 */
export function secretParam(params: Readonly<Record<string, unknown>>): string | undefined {
  for (const name in params) {
    if (SECRET_PARAM.test(name)) return name;
    if (HEADER_BLOCK.test(name)) {
      const field = Object.keys(blockAt(params, name)).find(isSecretHeader);
      if (field !== undefined) return `${name}.${field}`;
    } else if (name === "extra_body") {
      const inner = secretParam(blockAt(params, name));
      if (inner !== undefined) return `${name}.${inner}`;
    }
  }
  return undefined;
}

function blockAt(
  params: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  const value = params[name];
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
