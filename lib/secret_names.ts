/**
 * Which names say that their value is a secret.
 *
 * @module
 */

/** Whether a header of this name holds something that must not be shown. */
export function isSecretHeader(name: string): boolean {
  return /auth|key|token|secret|cookie|pass|cred/i.test(name);
}

/** Parameters that hold a credential: `api_key`, `OPENAI_API_KEY`, `access-token`, … `max_tokens` and
 * `prompt_cache_key` are not. */
const SECRET_PARAM = new RegExp(
  "^(?:(?:\\w+[_-])?api[_-]?key|key|(?:proxy[_-])?authorization|bearer|" +
    "(?:(?:access|api|auth|bearer|id|refresh|secret|session)[_-]?)?token|" +
    "(?:(?:api|client)[_-]?)?secret(?:[_-](?:access[_-])?key)?|" +
    "password|passwd|credentials?|cookie)$",
  "i",
);

/** Header fields and URL parameters of the Python client, which servers do not read from a body. */
const HEADER_BLOCK = /^(?:(?:extra|default)[_-])?(?:headers|query)$/i;

/**
 * The path of a parameter that holds a credential, or undefined: parameters are written to files. Blocks of
 * header fields and `extra_body` are searched; schemas of tools, where anything may be named `password`, are
 * not.
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
