/**
 * Keeps keys out of everything that is shown.
 *
 * @module
 */

import { layersOf } from "./escapes.ts";

/** Replaces every secret in a text. */
export type Redact = (text: string) => string;

/** A header value as it may be shown: the scheme stays, what follows it does not. */
export function redactHeader(value: string): string {
  const scheme = /^(Bearer|Basic) /i.exec(value)?.[0] ?? "";
  return `${scheme}[redacted]`;
}

/** What is shorter would make holes in ordinary words. */
const LEAST_LENGTH = 4;

/** Far more than is shown of an error. What follows is dropped: a broken server may send any amount. */
const MOST_LENGTH = 65_536;

/**
 * Makes the function that replaces `secrets` by `[redacted]`, also where they stand as JSON, a URL or
 * HTML would write them, in any mix: a teacher that refuses a key may well quote it, and a gateway may
 * quote the teacher.
 */
export function redactor(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    // What is compared is decoded to the end; a secret may hold what looks like an escape.
    for (const form of [secret, ...layersOf(secret).map(({ text }) => text)]) {
      if (form.length >= LEAST_LENGTH) forms.add(form);
    }
  }
  // A secret that holds another one goes first.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => {
    const start = text.slice(0, MOST_LENGTH);
    const plain = ordered.reduce((redacted, form) => redacted.replaceAll(form, REDACTED), start);
    return MAY_BE_ESCAPED.test(plain) ? withoutRanges(plain, rangesOf(plain, ordered)) : plain;
  };
}

const REDACTED = "[redacted]";

const MAY_BE_ESCAPED = /[\\%&]/;

/** The places of a text, as [start, end), that are a secret once they are decoded. */
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
    // Found in an earlier layer, too, or inside of a longer one.
    if (end <= done) continue;
    if (start >= done) shown += text.slice(done, start) + REDACTED;
    done = end;
  }
  return shown + text.slice(done);
}
