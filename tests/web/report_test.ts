/** Tests of the page's files, and of the report made from them. @module */

import { createHash } from "node:crypto";
import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { RUN_PAGE, UPLOT_CSS, UPLOT_JS } from "../../web/assets.ts";
import { renderReport } from "../../web/report.ts";
import { makeErrorGroup } from "../progress/fixtures.ts";
import { makeSample, makeState, makeWireSnapshot } from "./page_fixture.ts";

const MAX_GZIP_BYTES = 150 * 1024;

const PAYLOADS = [
  "</script><script>alert(1)</script>",
  "<!--<script>",
  "]]><svg onload=alert(1)>",
  '"><img src=x onerror=alert(1)>',
  "\u2028alert(1)\u2029",
  "$& $' $` $1",
  "</body></html>",
];

async function gzipBytes(text: string): Promise<number> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

function withPayload(payload: string) {
  const failure = { type: payload, message: payload, status: 400 };
  const texts = { uid: payload, prompt: payload, response: payload, reasoning: payload };
  const sample = makeSample(1, { ...texts, model: payload, finish_reason: payload, failure });
  return makeState(2, {
    snapshot: makeWireSnapshot({
      reason: payload,
      errors: [makeErrorGroup({ type: payload, message: payload, uids: [payload] })],
    }),
    samples: { latest: [1], reservoir: [1], failures: [1], added: [sample] },
    notices: [{ type: "notice", time: "", level: "warning", message: payload }],
  });
}

function embedded(html: string): string {
  const opening = '<script type="application/json" id="report-state">';
  const start = html.indexOf(opening) + opening.length;
  assert(start > opening.length);
  return html.slice(start, html.indexOf("</script>", start));
}

Deno.test("the page and everything that it loads are at most 150 KB in gzip", async () => {
  const sizes = await Promise.all(
    [RUN_PAGE.html, RUN_PAGE.script, RUN_PAGE.style, UPLOT_JS, UPLOT_CSS].map(gzipBytes),
  );
  const sum = sizes.reduce((a, b) => a + b);
  assert(sum > 30_000 && sum <= MAX_GZIP_BYTES, `${sum}`);
});

Deno.test("no text can become markup or script in the page", () => {
  const ways =
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc/;
  assertEquals(ways.exec(RUN_PAGE.script), null);
  assertEquals(/\son\w+=|javascript:|<style|\sstyle=/i.exec(RUN_PAGE.html), null);
});

Deno.test("the page loads nothing from other servers", () => {
  const links = [...RUN_PAGE.html.matchAll(/(?:src|href)\s*=\s*"([^"]*)"/g)].map(([, link]) =>
    link
  );
  assert(links.length > 4);
  const foreign = links.filter((link) => /^(\w+:)?\/\//.test(link) || link.startsWith("/"));
  assertEquals(foreign, []);
  assertEquals(/url\(|@import/.exec(RUN_PAGE.style + UPLOT_CSS), null);
});

Deno.test("a report holds the exact state, whatever texts are in it", () => {
  for (const payload of PAYLOADS) {
    const state = withPayload(payload);
    const json = embedded(renderReport(state));
    assertEquals(JSON.parse(json), state);
    assertEquals(/[<>&\u2028\u2029]/.exec(json), null);
  }
});

Deno.test("a text in a report changes nothing but the data", () => {
  const frame = (payload: string) => {
    const html = renderReport(withPayload(payload));
    return html.replace(embedded(html), () => "");
  };
  for (const payload of PAYLOADS) assertEquals(frame(payload), frame("plain"));
});

Deno.test("a report needs no server and runs nothing but its own scripts", () => {
  const html = renderReport(makeState(2));
  assertEquals(/<link rel="stylesheet"|<script[^>]*\ssrc=/.exec(html), null);
  const policy = /<meta http-equiv="content-security-policy" content="([^"]+)">/.exec(html)?.[1] ??
    "";
  assertStringIncludes(policy, "default-src 'none'");
  assertEquals(policy.includes("unsafe"), false);
  const elements = [...html.matchAll(/<(script|style)( type="module")?>([^]*?)<\/\1>/g)];
  const names = elements.map(([, name]) => name);
  assertEquals(names, ["style", "style", "script", "script", "script"]);
  assertStringIncludes(policy, "require-trusted-types-for 'script'; trusted-types 'none'");
  const hashes = elements.map(([, , , text]) =>
    `'sha256-${createHash("sha256").update(text).digest("base64")}'`
  );
  assertStringIncludes(policy, `; style-src ${hashes[0]} ${hashes[1]}; `);
  assertStringIncludes(policy, `; script-src ${hashes.slice(2).join(" ")}; `);
  assert(html.indexOf("content-security-policy") < html.indexOf("<style"));
});
