/**
 * What a body is, by how it begins: its label is wrong often enough.
 *
 * @module
 */

/** Server-sent events, or a document that is read as a whole. */
export type BodyKind = "events" | "document";

/** The fields of server-sent events, `error` of llama.cpp among them; comments have an empty name. */
const FIELDS = ["data", "event", "id", "retry", "error", ""];
const LONGEST_FIELD = 6;
const BRACE = 0x7b;
const SPACE = 0x20;

/** The kind of a body that begins with these bytes, or undefined as long as they do not tell. */
export function kindOf(start: Uint8Array): BodyKind | undefined {
  if (start[0] === BRACE) return "document";
  const text = beginning(withoutSpace(start));
  if (text === "") return undefined;
  const colon = text.indexOf(":");
  if (colon >= 0) return FIELDS.includes(text.slice(0, colon)) ? "events" : "document";
  return text.length < LONGEST_FIELD && FIELDS.some((field) => field.startsWith(text))
    ? undefined
    : "document";
}

/** Whether bytes begin as JSON or events do, and not as anything that is compressed. */
export function startsAsText(start: Uint8Array): boolean {
  const text = beginning(withoutSpace(start));
  return /^(?:\{\s*(?:"|$)|(?:data|event|id|retry|error)?:)/.test(text);
}

/** The bytes without white space and a byte order mark before them. */
export function withoutSpace(start: Uint8Array): Uint8Array {
  let at = start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf ? 3 : 0;
  while (start[at] <= SPACE) at++;
  return start.subarray(at);
}

function beginning(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, LONGEST_FIELD));
}
