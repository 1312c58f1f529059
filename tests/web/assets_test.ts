/** The scripts of the pages hold every module in order, and their elements have styles. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { PAGE_CSS, PAGE_HTML, PAGE_JS } from "../../web/assets.ts";
import FLEET_HTML from "../../web/fleet/fleet.html" with { type: "text" };
import { FLEET_CSS } from "../../web/fleet/server.ts";
import { VIEW_CSS, VIEW_HTML, VIEW_JS } from "../../web/view/assets.ts";

for (const [folder, script] of [["page/", PAGE_JS], ["view/page/", VIEW_JS]]) {
  Deno.test(`web/${folder} is served whole, each module after those that it imports`, async () => {
    const modules = await modulesOf(new URL(`../../web/${folder}`, import.meta.url));
    assert(modules.size > 0);
    const placeOf = (name: string) => script.indexOf(modules.get(name)?.head ?? "");
    assertEquals([...modules.keys()].filter((name) => placeOf(name) < 0), [], "not in the script");
    const early = [...modules].flatMap(([name, { imports }]) =>
      imports.filter((other) => placeOf(other) > placeOf(name)).map((other) => `${name}: ${other}`)
    );
    assertEquals(early, [], "stand before what they import");
  });
}

const PAGES: readonly [name: string, html: string, css: string][] = [
  ["run", PAGE_HTML, PAGE_CSS],
  ["data", VIEW_HTML, VIEW_CSS],
  ["folder", FLEET_HTML, FLEET_CSS],
];

for (const [name, html, css] of PAGES) {
  Deno.test(`page of the ${name}: each class of an element has a style`, () => {
    const classes = [...html.matchAll(/ class="([^"]+)"/g)].flatMap(([, all]) => all.split(" "));
    assert(classes.length > 10);
    const isStyled = (one: string) => new RegExp(`\\.${one}(?![\\w-])`).test(css);
    assertEquals([...new Set(classes)].filter((one) => !isStyled(one)), []);
  });
}

/** What browsers of `docs/monitor.md` lack, by name: the pages have no build step that replaces it. */
const TOO_NEW = {
  js:
    /\b(?:URL\.(?:canParse|parse)|(?:is|to)WellFormed|withResolvers|groupBy|fromAsync|Promise\.try|RegExp\.escape|(?:to|from)(?:Base64|Hex)|Iterator\.from)\(|\.(?:values|keys|entries)\(\)\.(?:map|filter|some)\b|^\s*(?:await )?using /m,
  css: /:has\(|@container|@starting-style|@scope|light-dark\(|^\s*&|\d(?:dvh|svh|lvh)\b/m,
};

Deno.test("pages use nothing that their oldest browsers lack", () => {
  const found = [
    ...[PAGE_JS, VIEW_JS].map((script) => TOO_NEW.js.exec(script)?.[0]),
    ...PAGES.map(([, , css]) => TOO_NEW.css.exec(css)?.[0]),
  ];
  assertEquals(found.filter((one) => one !== undefined), []);
});

/** The modules of a folder: the comment that each begins with, and the neighbors that it imports. */
async function modulesOf(folder: URL) {
  const modules = new Map<string, { head: string; imports: string[] }>();
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".js")) continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    const imports = [...text.matchAll(/ from "\.\/([\w/]+\.js)";$/gm)].map(([, other]) => other);
    modules.set(name, { head: text.slice(0, text.indexOf("@module")), imports });
  }
  return modules;
}
