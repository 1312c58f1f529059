/** Keeps secrets out of everything that is shown, even if they are escaped. @module */

export type Redact = (text: string) => string;

/** Redacts the value of a header, but keeps its scheme, such as `Bearer`. */
export function redactHeader(value: string): string {
  const scheme = /^(Bearer|Basic) /i.exec(value)?.[0] ?? "";
  return `${scheme}[redacted]`;
}

/** Shorter secrets would match parts of words. */
const MIN_SECRET_CHARS = 4;

/** Longer texts are truncated before they are searched: no message shows as many characters. */
const MAX_TEXT_CHARS = 65_536;

/** A teacher that rejects a key may quote it, and a gateway may quote the teacher: so secrets are
 * also found if they are escaped as in JSON, a URL or HTML, in any combination. */
export function redactor(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    // Texts are decoded before they are compared, so the decoded forms of a secret that looks
    // escaped are needed too.
    for (const form of [secret, ...layersOf(secret).map(({ text }) => text)]) {
      if (form.length >= MIN_SECRET_CHARS) forms.add(form);
    }
  }
  // Longer ones first: a secret may contain another.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    const start = text.slice(0, MAX_TEXT_CHARS);
    const plain = ordered.reduce((redacted, form) => redacted.replaceAll(form, REDACTED), start);
    return MAY_BE_ESCAPED.test(plain) ? withoutRanges(plain, rangesOf(plain, ordered)) : plain;
  };
}

const REDACTED = "[redacted]";

const MAY_BE_ESCAPED = /[\\%&]/;

/** The parts of a text that decode to a secret; `end` is exclusive. */
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
    // The range is inside one that was removed.
    if (end <= removedTo) continue;
    if (start >= removedTo) shown += text.slice(removedTo, start) + REDACTED;
    removedTo = end;
  }
  return shown + text.slice(removedTo);
}

/** The levels of nested escapes that are decoded: a gateway may quote JSON that quotes a URL. */
const MAX_LAYERS = 8;

/** A decoded text, and where each of its UTF-16 code units begins in the original text. */
interface Layer {
  readonly text: string;
  /** The start of each code unit, then the end of the original text. */
  readonly starts: readonly number[];
}

/** Decodes a text once, twice, and so on, until no escapes are left, at most `MAX_LAYERS` times. */
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

/** Decodes all escapes of a text once; undefined if there are none. */
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

/** Escapes of JSON and JavaScript, of URLs (one UTF-8 character), and of HTML. */
const ESCAPE = new RegExp(
  [
    /\\(?:u\{(?<point>[\da-f]{1,6})\}|u(?<unit>[\da-f]{4})|x(?<byte>[\da-f]{2})|(?<self>[!-\/:-@[-`{-~]))/,
    /(?<url>%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3})/,
    /&(?:#x0*(?<hex>[\da-f]{1,6})|#0*(?<decimal>\d{1,7})|(?<name>[a-z]{2,6}));?/,
  ].map(({ source }) => source).join("|"),
  "gi",
);

/** HTML's names of printable ASCII characters, each followed by its character. */
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

/** Decodes bytes such as `%C3%A4`; undefined if they are not UTF-8. */
function decodedUrl(bytes: string): string | undefined {
  try {
    return decodeURIComponent(bytes);
  } catch {
    return undefined;
  }
}
