/** The scripts of the pages hold every module, each after those that it imports. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { PAGE_JS } from "../../web/assets.ts";
import { VIEW_JS } from "../../web/view/assets.ts";

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
