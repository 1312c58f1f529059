/**
 * Keeps keys out of everything that is shown.
 *
 * @module
 */

/** Replaces every secret in a text. */
export type Redact = (text: string) => string;

/** Whether a header of this name holds something that must not be shown. */
export function isSecretHeader(name: string): boolean {
  return /auth|key|token|secret|cookie|pass|cred/i.test(name);
}

/** A header value as it may be shown: the scheme stays, what follows it does not. */
export function redactHeader(value: string): string {
  const scheme = /^(Bearer|Basic) /i.exec(value)?.[0] ?? "";
  return `${scheme}[redacted]`;
}

/**
 * Makes the function that replaces `secrets` by `[redacted]`, also where they stand as JSON or a URL
 * would write them: a teacher that refuses a key may well quote it.
 */
export function redactor(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    // What is shorter would make holes in ordinary words.
    if (secret.length < 4) continue;
    forms.add(secret).add(JSON.stringify(secret).slice(1, -1)).add(encodeURIComponent(secret));
  }
  // A secret that holds another one goes first.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) =>
    ordered.reduce((redacted, form) => redacted.replaceAll(form, "[redacted]"), text);
}
