/**
 * Keeps secrets out of everything that is shown, also where JSON, URLs or HTML have escaped them, in any
 * combination.
 *
 * @module
 */

/** Replaces every secret in a text. */
export type Redact = (text: string) => string;

/** A header value for messages: only the scheme stays. */
export function redactHeader(value: string): string {
  const scheme = /^(Bearer|Basic) /i.exec(value)?.[0] ?? "";
  return `${scheme}[redacted]`;
}

/** Shorter secrets would also match parts of ordinary words. */
const LEAST_LENGTH = 4;

/** Far more than is shown of an error. The rest is dropped: a broken server may send any amount. */
const MOST_LENGTH = 65_536;

/**
 * Creates the function that replaces `secrets` by `[redacted]`, also where they are escaped as in JSON, a URL
 * or HTML, in any combination: a teacher that rejects a key may quote it, and a gateway may quote the teacher.
 */
export function redactor(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    // Texts are decoded completely before they are compared, and a secret may contain what looks like an
    // escape.
    for (const form of [secret, ...layersOf(secret).map(({ text }) => text)]) {
      if (form.length >= LEAST_LENGTH) forms.add(form);
    }
  }
  // A secret that contains another one goes first.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    const start = text.slice(0, MOST_LENGTH);
    const plain = ordered.reduce((redacted, form) => redacted.replaceAll(form, REDACTED), start);
    return MAY_BE_ESCAPED.test(plain) ? withoutRanges(plain, rangesOf(plain, ordered)) : plain;
  };
}

const REDACTED = "[redacted]";

const MAY_BE_ESCAPED = /[\\%&]/;

/** The ranges of a text, as [start, end), that are a secret once they are decoded. */
function rangesOf(text: string, forms: readonly string[]): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  for (const layer of layersOf(text)) {
    for (const form of forms) {
      let at = layer.text.indexOf(form);
      for (; at >= 0; at = layer.text.indexOf(form, at + form.length)) {
        ranges.push([layer.starts[at], layer.starts[at + form.length]]);
      }
    }
  }
  return ranges.sort(([a], [b]) => a - b);
}

function withoutRanges(text: string, ranges: readonly [start: number, end: number][]): string {
  let shown = "", done = 0;
  for (const [start, end] of ranges) {
    // Also found in an earlier layer, or part of a longer one.
    if (end <= done) continue;
    if (start >= done) shown += text.slice(done, start) + REDACTED;
    done = end;
  }
  return shown + text.slice(done);
}

/** Levels of nested escapes: a gateway may quote JSON that quotes a URL. */
const MOST_LAYERS = 8;

/** A text with escapes decoded, and the position in the original text of each of its UTF-16 units. */
export interface Layer {
  readonly text: string;
  /** One more than the text has units; the last one is the end. */
  readonly starts: readonly number[];
}

/** The text decoded once, twice, … until nothing is left to decode. */
function layersOf(text: string): Layer[] {
  const layers: Layer[] = [];
  let layer: Layer = { text, starts: Array.from({ length: text.length + 1 }, (_, i) => i) };
  while (layers.length < MOST_LAYERS) {
    const next = decoded(layer);
    if (next === undefined) break;
    layers.push(next);
    layer = next;
  }
  return layers;
}

/** Decodes one level of escapes; undefined if there are none. */
function decoded({ text, starts }: Layer): Layer | undefined {
  let result = "", done = 0;
  const begins: number[] = [];
  const copy = (end: number) => {
    for (let i = done; i < end; i++) begins.push(starts[i]);
    result += text.slice(done, end);
    done = end;
  };
  for (const match of text.matchAll(ESCAPE)) {
    const characters = characterOf(match);
    if (characters === undefined) continue;
    copy(match.index);
    for (let i = 0; i < characters.length; i++) begins.push(starts[match.index]);
    result += characters;
    done = match.index + match[0].length;
  }
  if (done === 0) return undefined;
  copy(text.length);
  begins.push(starts[text.length]);
  return { text: result, starts: begins };
}

/** Escapes of JSON and JavaScript, of URLs (one character in UTF-8), and of HTML. */
const ESCAPE = new RegExp(
  [
    /\\(?:u\{(?<point>[\da-f]{1,6})\}|u(?<unit>[\da-f]{4})|x(?<byte>[\da-f]{2})|(?<self>[!-\/:-@[-`{-~]))/,
    /(?<url>%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3})/,
    /&(?:#x0*(?<hex>[\da-f]{1,6})|#0*(?<decimal>\d{1,7})|(?<name>[a-z]{2,6}));?/,
  ].map(({ source }) => source).join("|"),
  "gi",
);

/** HTML's names of the printable characters of ASCII. */
const NAMES: Readonly<Record<string, string>> = {
  excl: "!",
  quot: '"',
  num: "#",
  dollar: "$",
  percnt: "%",
  amp: "&",
  apos: "'",
  lpar: "(",
  rpar: ")",
  ast: "*",
  plus: "+",
  comma: ",",
  period: ".",
  sol: "/",
  colon: ":",
  semi: ";",
  lt: "<",
  equals: "=",
  gt: ">",
  quest: "?",
  commat: "@",
  lsqb: "[",
  lbrack: "[",
  bsol: "\\",
  rsqb: "]",
  rbrack: "]",
  hat: "^",
  lowbar: "_",
  grave: "`",
  lcub: "{",
  lbrace: "{",
  verbar: "|",
  vert: "|",
  rcub: "}",
  rbrace: "}",
};

/** The character of an escape, or undefined if it is not one. */
function characterOf({ groups = {} }: RegExpExecArray): string | undefined {
  const { point, unit, byte, self, url, hex, decimal, name } = groups;
  if (self !== undefined) return self;
  if (url !== undefined) return decodedUrl(url);
  if (name !== undefined) {
    const lower = name.toLowerCase();
    return Object.hasOwn(NAMES, lower) ? NAMES[lower] : undefined;
  }
  const code = decimal === undefined ? parseInt(point ?? unit ?? byte ?? hex, 16) : Number(decimal);
  return code <= MOST_CODE_POINT ? String.fromCodePoint(code) : undefined;
}

const MOST_CODE_POINT = 0x10ffff;

/** Not all bytes that look like UTF-8 are. */
function decodedUrl(bytes: string): string | undefined {
  try {
    return decodeURIComponent(bytes);
  } catch {
    return undefined;
  }
}
