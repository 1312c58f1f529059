/** The scripts of the pages hold every module in order, and their elements have styles. */

import { assert, assertEquals, assertMatch, assertThrows } from "../../lib/deps/std_assert.ts";
import { UPLOT_JS as UPLOT_SCRIPT } from "../../lib/deps/uplot.ts";
import { RUN_PAGE, UPLOT_JS } from "../../web/assets.ts";
import { FLEET_PAGE } from "../../web/fleet/server.ts";
import { DATA_PAGE } from "../../web/view/server.ts";

for (const [folder, script] of [["page/", RUN_PAGE.script], ["view/page/", DATA_PAGE.script]]) {
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

const PAGES = { run: RUN_PAGE, data: DATA_PAGE, folder: FLEET_PAGE };

/** The functions of `dom.js` that find an element by its id. */
const BY_ID =
  /(?<!\.)(?:byId|on(?:Click|Submit)|set(?:Text|Shown|Icon|Words|Attribute))\(\s*"([^"]+)"/g;

for (const [name, { html, script, style }] of Object.entries(PAGES)) {
  Deno.test(`page of the ${name}: the modules form one script`, () => {
    assertEquals(script.match(/^(import|export)\b.*$/gm), null);
    // Compiles the script without running it: a name that is declared twice is a syntax error.
    new Function(script);
  });

  Deno.test(`page of the ${name}: every id and icon that the script uses is in it, once`, () => {
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    assertEquals(ids.length, new Set(ids).size);
    const wanted = [...script.matchAll(BY_ID)].map(([, id]) => id);
    assert(wanted.length > (name === "run" ? 40 : 10));
    assertEquals(wanted.filter((id) => !ids.includes(id)), []);
    const icons = [...script.matchAll(/\bicon(?:: |\()"([a-z]+)"/g)].map(([, one]) => one);
    assert(name !== "run" || icons.length > 10);
    assertEquals(icons.filter((one) => !ids.includes(`icon-${one}`)), []);
  });

  Deno.test(`page of the ${name}: each class of an element has a style`, () => {
    const classes = [...html.matchAll(/ class="([^"]+)"/g)].flatMap(([, all]) => all.split(" "));
    assert(classes.length > 10);
    const isStyled = (one: string) => new RegExp(`\\.${one}(?![\\w-])`).test(style);
    assertEquals([...new Set(classes)].filter((one) => !isStyled(one)), []);
  });
}

for (const [name, { style }] of Object.entries({ run: RUN_PAGE, folder: FLEET_PAGE })) {
  Deno.test(`page of the ${name}: a banner has a border in high-contrast modes`, () => {
    assertMatch(style, /@media \(forced-colors: active\) \{[^@]*\.banner \{\s*border:/);
  });
}

/** What browsers of `docs/monitor.md` lack, by name: no build step of the pages replaces it. */
const TOO_NEW = {
  js:
    /\b(?:URL\.(?:canParse|parse)|(?:is|to)WellFormed|withResolvers|groupBy|fromAsync|Promise\.try|RegExp\.escape|(?:to|from)(?:Base64|Hex)|Iterator\.from)\(|\.(?:values|keys|entries)\(\)\.(?:map|filter|some)\b|^\s*(?:await )?using /m,
  css: /:has\(|@container|@starting-style|@scope|light-dark\(|^\s*&|\d(?:dvh|svh|lvh)\b/m,
};

Deno.test("pages use nothing that their oldest browsers lack", () => {
  const found = [
    ...Object.values(PAGES).map(({ script }) => TOO_NEW.js.exec(script)?.[0]),
    ...Object.values(PAGES).map(({ style }) => TOO_NEW.css.exec(style)?.[0]),
  ];
  assertEquals(found.filter((one) => one !== undefined), []);
});

/** Runs a script with those parts of a browser that uPlot uses while it is loaded. */
function load(
  script: string,
  language: string,
): { new (): unknown; fmtNum(value: number): string } {
  const target = new EventTarget();
  const matchMedia = () => target;
  const globals = {
    navigator: { language },
    window: target,
    document: {},
    devicePixelRatio: 1,
    matchMedia,
  };
  const run = new Function(...Object.keys(globals), `${script}; return uPlot;`);
  return run(...Object.values(globals));
}

Deno.test("charts do not use the browser's language, which Intl may not know", () => {
  const language = "en-US@posix";
  assertThrows(() => load(UPLOT_SCRIPT, language), RangeError, "Invalid language tag");
  for (const one of [language, "", "de-DE", "en-US"]) {
    assertEquals(load(UPLOT_JS, one).fmtNum(1234567.5), "1,234,567.5");
  }
});

/** The modules of a folder: the comment at the start of each, and the neighbors it imports. */
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
