/** Builds the header fields that carry a teacher's secrets, and hides the secrets, even escaped
 * ones, in everything that is shown. @module */

import { isSecretHeader } from "../params.ts";
import { VERSION } from "../version.ts";
import { type Address, decodedUrl, REDACTED, secretsIn } from "./network.ts";
import type { ResolvedTeacherOptions } from "./teacher_options.ts";
import { Buffer } from "node:buffer";

/** Header fields that undici sets itself or rejects. */
const RESERVED = /^(content-length|transfer-encoding|connection|keep-alive|upgrade|expect|te)$/;

export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    // The value may be a secret, so it is not shown.
    const problem = RESERVED.test(name.toLowerCase())
      ? "it is reserved for the HTTP client"
      : !/^[\w!#$%&'*+.^`|~-]+$/.test(name)
      ? 'its name must be letters, digits and marks such as "-"'
      : typeof value !== "string" || !isSendable(value)
      ? "its value must be one line of ASCII characters"
      : undefined;
    if (problem !== undefined) {
      throw new TypeError(`Cannot send the header ${JSON.stringify(name)}: ${problem}`);
    }
  }
}

/**
 * Returns the header field with the key or, without a key, with the credentials of the base URL.
 * Azure takes keys in `api-key`, and tokens (JSON Web Tokens) in `Authorization`.
 *
 * @throws {TypeError} if the key cannot be sent. The message does not contain the key.
 */
export function keyHeader(
  apiKey: string | undefined,
  { credentials, isAzure }: Pick<Address, "credentials" | "isAzure">,
): Record<string, string> {
  if (apiKey !== undefined && apiKey !== "") {
    if (!isSendable(apiKey) || apiKey.trim() !== apiKey) {
      throw new TypeError(
        "Cannot use the API key: it must be one line of ASCII characters without spaces around it",
      );
    }
    if (isAzure && !/^eyJ[\w-]+\.[\w-]+\./.test(apiKey)) return { "api-key": apiKey };
    return { authorization: `Bearer ${apiKey}` };
  }
  if (credentials === undefined) return {};
  return { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
}

export function secretsOf(
  { apiKey, headers, secrets: userSecrets }: ResolvedTeacherOptions,
  address: Address,
  keyHeaderValues: readonly string[],
  proxy: URL | undefined,
): string[] {
  const secrets = [...address.secrets, ...userSecrets, ...keyHeaderValues.map(withoutScheme)];
  if (apiKey !== undefined) secrets.push(apiKey);
  for (const [name, value] of Object.entries(headers)) {
    if (isSecretHeader(name, value)) secrets.push(value, withoutScheme(value));
  }
  if (proxy !== undefined) secrets.push(...secretsIn(proxy));
  return secrets;
}

function withoutScheme(authorization: string): string {
  return authorization.replace(/^\S+ /, "");
}

/** Returns alternating names and values, which is the form that undici reads fastest. The user's
 * fields replace fields of the same name. */
export function headerList(
  stream: boolean,
  key: Readonly<Record<string, string>>,
  userFields: Readonly<Record<string, string>>,
): string[] {
  const fields = new Map(Object.entries({
    "content-type": "application/json",
    accept: stream ? "text/event-stream, application/json" : "application/json",
    // Without this field, some gateways compress responses, and buffer streams in order to compress
    // them.
    "accept-encoding": "identity",
    "user-agent": `retort/${VERSION}`,
    ...key,
  }));
  for (const [name, value] of Object.entries(userFields)) fields.set(name.toLowerCase(), value);
  return [...fields].flat();
}

function isSendable(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

export type Redact = (text: string) => string;

/** Returns the header fields by name, safe to show. Of a secret value, only the scheme is shown. */
export function shownHeaders(
  list: readonly string[],
  secrets: readonly string[],
  redact: Redact,
): Record<string, string> {
  const shown: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i], value = list[i + 1];
    const isSecret = isSecretHeader(name, value) || secrets.includes(value);
    const scheme = /^(Bearer|Basic) /i.exec(value)?.[0] ?? "";
    shown[name] = isSecret ? `${scheme}${REDACTED}` : redact(value);
  }
  return shown;
}

/** Minimum length of a secret that is searched for. Shorter secrets would match parts of words. */
const MIN_SECRET_CHARS = 4;

/** Texts are truncated to this length before they are searched. No message shows more. */
const MAX_TEXT_CHARS = 65_536;

/** Returns a function that truncates a text and replaces its secrets. Secrets are found even if
 * they are escaped for JSON, a URL or HTML, in any combination: a gateway may quote a teacher that
 * quotes the key. */
export function redactor(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    // Texts are decoded before they are compared, so a secret that looks escaped must also be
    // compared in its decoded forms.
    for (const form of [secret, ...layersOf(secret).map(({ text }) => text)]) {
      if (form.length >= MIN_SECRET_CHARS) forms.add(form);
    }
  }
  // Longer secrets come first, because a secret may contain a shorter one.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    const start = text.slice(0, MAX_TEXT_CHARS);
    const plain = ordered.reduce((redacted, form) => redacted.replaceAll(form, REDACTED), start);
    return MAY_BE_ESCAPED.test(plain) ? withoutRanges(plain, rangesOf(plain, ordered)) : plain;
  };
}

const MAY_BE_ESCAPED = /[\\%&]/;

/** Returns the ranges of a text that decode to a secret. `end` is exclusive. */
function rangesOf(text: string, forms: readonly string[]): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  for (const layer of layersOf(text)) {
    for (const form of forms) {
      let start = layer.text.indexOf(form);
      while (start >= 0) {
        const end = start + form.length;
        ranges.push([layer.starts[start], layer.starts[end]]);
        start = layer.text.indexOf(form, end);
      }
    }
  }
  return ranges.sort(([a], [b]) => a - b);
}

function withoutRanges(text: string, ranges: readonly [start: number, end: number][]): string {
  let shown = "", removedTo = 0;
  for (const [start, end] of ranges) {
    if (end <= removedTo) continue;
    if (start >= removedTo) shown += text.slice(removedTo, start) + REDACTED;
    removedTo = end;
  }
  return shown + text.slice(removedTo);
}

/** The maximum number of times that nested escapes are decoded. A gateway may quote JSON that
 * quotes a URL. */
const MAX_LAYERS = 8;

/** A decoded text, and where each UTF-16 code unit begins in the original text. */
interface Layer {
  readonly text: string;
  /** The start of each code unit, followed by the end of the original text. */
  readonly starts: readonly number[];
}

/** Returns the text decoded once, twice, and so on, until no escapes are left. */
function layersOf(text: string): Layer[] {
  const layers: Layer[] = [];
  let layer: Layer = { text, starts: Array.from({ length: text.length + 1 }, (_, i) => i) };
  while (layers.length < MAX_LAYERS) {
    const next = decoded(layer);
    if (next === undefined) break;
    layers.push(next);
    layer = next;
  }
  return layers;
}

/** Decodes each escape once. Returns undefined if there are no escapes. */
function decoded({ text, starts }: Layer): Layer | undefined {
  let result = "", copiedTo = 0;
  const resultStarts: number[] = [];
  const copyTo = (end: number) => {
    for (let i = copiedTo; i < end; i++) resultStarts.push(starts[i]);
    result += text.slice(copiedTo, end);
    copiedTo = end;
  };
  for (const match of text.matchAll(ESCAPE)) {
    const characters = characterOf(match);
    if (characters === undefined) continue;
    copyTo(match.index);
    for (let i = 0; i < characters.length; i++) resultStarts.push(starts[match.index]);
    result += characters;
    copiedTo = match.index + match[0].length;
  }
  if (copiedTo === 0) return undefined;
  copyTo(text.length);
  resultStarts.push(starts[text.length]);
  return { text: result, starts: resultStarts };
}

/** Matches escapes of JSON and JavaScript, of URLs (one UTF-8 character), and of HTML. */
const ESCAPE = new RegExp(
  [
    /\\(?:u\{(?<point>[\da-f]{1,6})\}|u(?<unit>[\da-f]{4})|x(?<byte>[\da-f]{2})|(?<self>[!-\/:-@[-`{-~]))/,
    /(?<url>%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3})/,
    /&(?:#x0*(?<hex>[\da-f]{1,6})|#0*(?<decimal>\d{1,7})|(?<name>[a-z]{2,6}));?/,
  ].map(({ source }) => source).join("|"),
  "gi",
);

/** HTML's names of printable ASCII characters. Each pair is a name followed by its character. */
const HTML_NAMES: ReadonlyMap<string, string> = new Map(
  `excl! quot" num# dollar$ percnt% amp& apos' lpar( rpar) ast* plus+ comma, period. sol/
  colon: semi; lt< equals= gt> quest? commat@ lsqb[ lbrack[ bsol\\ rsqb] rbrack] hat^
  lowbar_ grave\` lcub{ lbrace{ verbar| vert| rcub} rbrace}`
    .split(/\s+/).map((pair) => [pair.slice(0, -1), pair.slice(-1)]),
);

function characterOf({ groups = {} }: RegExpExecArray): string | undefined {
  const { point, unit, byte, self, url, hex, decimal, name } = groups;
  if (self !== undefined) return self;
  if (url !== undefined) return decodedUrl(url);
  if (name !== undefined) return HTML_NAMES.get(name.toLowerCase());
  const code = decimal === undefined ? parseInt(point ?? unit ?? byte ?? hex, 16) : Number(decimal);
  return code <= MAX_CODE_POINT ? String.fromCodePoint(code) : undefined;
}

const MAX_CODE_POINT = 0x10ffff;
