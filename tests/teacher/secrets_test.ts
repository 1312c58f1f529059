import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { redactor } from "../../lib/teacher/secrets.ts";

/** A key with every character that JSON, URLs or HTML escape. */
const KEY = "sk-a/b+c=\"d&e<f>g'h\\\\i%4j";

const json = (text: string) => JSON.stringify(text).slice(1, -1);
const slashes = (text: string) => text.replaceAll("/", "\\/");
const lowerUrl = (text: string) =>
  encodeURIComponent(text).replaceAll(/%../g, (escape) => escape.toLowerCase());
const html = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
const each = (write: (code: string) => string) => (text: string) =>
  [...text].map((one) => write(one.codePointAt(0)!.toString(16))).join("");

const WAYS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  json,
  slashes,
  url: encodeURIComponent,
  lowerUrl,
  html,
  "every character as \\u": each((code) => `\\u${code.padStart(4, "0")}`),
  "every character as \\x": each((code) => `\\x${code.padStart(2, "0")}`),
  "every character as %": each((code) => `%${code}`),
  "every character as &#x": each((code) => `&#x${code};`),
  "every character as &#X00": each((code) => `&#X00${code.toUpperCase()};`),
  "every character as &#": (text) => [...text].map((one) => `&#${one.charCodeAt(0)};`).join(""),
  "names of HTML": (text) => html(text).replaceAll("/", "&sol;").replaceAll("=", "&equals;"),
};

Deno.test("redactor() finds a secret as JSON, a URL and HTML write it, one in another", () => {
  const redact = redactor([KEY]);
  for (const [outerName, outer] of Object.entries(WAYS)) {
    for (const [innerName, inner] of Object.entries(WAYS)) {
      const name = `${innerName} in ${outerName}`;
      const written = outer(inner(KEY));
      const shown = redact(`Wrong key: ${written} (401), 100% & more\\n`);
      assertEquals([name, shown], [name, "Wrong key: [redacted] (401), 100% & more\\n"]);
    }
  }
});

Deno.test("redactor() finds a secret whose characters are written in different ways", () => {
  const redact = redactor(["sk-a/b&c"]);
  for (
    const written of ["\\u0073k-a\\/b&amp;c", "sk\\u002da%2fb\\u0026c", "%73k-a&#47;b%26amp%3bc"]
  ) {
    assertEquals(redact(`"${written}"`), '"[redacted]"');
  }
});

Deno.test("redactor() leaves other text unchanged", () => {
  const redact = redactor([KEY, "abcd"]);
  const texts = [
    "",
    "100 %",
    "%ZZ %E0%A4%A",
    "\\",
    "\\u00",
    "&",
    "&nosuch; &#; &#x110000;",
    '{"a":"\\u0041b"}',
  ];
  for (const text of texts) assertEquals(redact(text), text);
  assertEquals(redactor([])("\\u0041"), "\\u0041");
});

Deno.test("redactor() finds each occurrence of each secret", () => {
  const redact = redactor(["key/one", "key/one/two", "pässword", "a%2Fb%41c"]);
  assertEquals(
    redact("key/one key%2Fone%2Ftwo p%C3%A4ssword a%2Fb%41c a/bAc key\\/one"),
    "[redacted] [redacted] [redacted] [redacted] [redacted] [redacted]",
  );
});

Deno.test("redactor() decodes at most 64 KiB of a body of nothing but escapes, eight times", () => {
  const redact = redactor([KEY]);
  const lengths: number[] = [];
  const { matchAll } = String.prototype;
  String.prototype.matchAll = function (pattern: RegExp) {
    lengths.push(this.length);
    return matchAll.call(this, pattern);
  };
  try {
    for (const hostile of ["%25".repeat(1e6), "\\\\".repeat(1e6), "&amp;amp;amp;".repeat(1e6)]) {
      lengths.length = 0;
      assert(redact(hostile).length <= 65_536);
      // A pattern that backtracks would take hours for one of these.
      assert(lengths.length <= 8 && Math.max(...lengths) <= 65_536, lengths.join());
    }
  } finally {
    String.prototype.matchAll = matchAll;
  }
});
