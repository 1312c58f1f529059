/** The pages for developers name files, functions and types that exist. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { REPOSITORY } from "../support/process.ts";
import { readPages } from "./pages.ts";

/** The files of the repository by their paths, with their code: comments name what is gone, too. */
const FILES = new Map<string, string>();
for (const folder of ["lib", "cli", "web", "bench", "tests", "tools", "examples", "docs"]) {
  await collect(folder);
}
for await (const { name, isFile } of Deno.readDir(REPOSITORY)) if (isFile) await add(name);

/** Names of other software, and of the example in CONTRIBUTING.md. */
const FOREIGN = new Set([
  "createHash",
  "DecompressionStream",
  "monitorEventLoopDelay",
  "unicodeWidth",
  "weekly_credits_exhausted",
]);

async function collect(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(`${REPOSITORY}/${folder}`)) {
    if (isDirectory) await collect(`${folder}/${name}`);
    else await add(`${folder}/${name}`);
  }
}

async function add(path: string): Promise<void> {
  if (!/\.(ts|js|html|css|json|md)$/.test(path)) return void FILES.set(path, "");
  const text = await Deno.readTextFile(`${REPOSITORY}/${path}`);
  FILES.set(path, /\.(ts|js)$/.test(path) ? text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "") : text);
}

/** The files that a page means by a path: `lib/engine/` and `lib/version.ts`, or a name alone. */
function filesAt(path: string): string[] {
  return [...FILES.keys()].filter((file) =>
    file === path || (path.endsWith("/") ? file.startsWith(path) : file.endsWith(`/${path}`))
  );
}

function isNamed(name: string, files: Iterable<string>): boolean {
  const word = new RegExp(`(?<![\\w$])${RegExp.escape(name)}(?![\\w$])`);
  for (const file of files) if (word.test(FILES.get(file)!)) return true;
  return false;
}

/** Whether a file declares the name, or has it as a key: others only use it. */
function isDeclared(name: string, files: readonly string[]): boolean {
  const word = RegExp.escape(name);
  const declaration = new RegExp(
    `\\b(?:function\\*?|const|let|class|interface|type|get)\\s+${word}\\b|^\\s+(?:async |static |\\w+ )?["']?${word}["']?\\??\\s*[:(=]`,
    "m",
  );
  return files.some((file) => declaration.test(FILES.get(file)!));
}

const ALL = await readPages();
const CONTRIBUTING = await Deno.readTextFile(`${REPOSITORY}/CONTRIBUTING.md`);
const DEVELOPERS = [
  { path: "CONTRIBUTING.md", text: CONTRIBUTING },
  ...ALL.filter(({ path }) => /^docs\/(architecture|flow)\.md$/.test(path)),
];
const CODE = [...FILES.keys()].filter((path) => !path.endsWith(".md"));

function codeSpans(text: string): string[] {
  return [...text.replaceAll(/^```.*?^```$/gms, "").matchAll(/(?<!`)`([^`]+)`(?!`)/g)]
    .map(([, span]) => span.replaceAll(/\s+/g, " "));
}

Deno.test("every path of a file or folder that a page names exists", () => {
  const isOurs =
    /^((lib|cli|web|bench|tests|tools|examples|docs)\/[\w./-]*|[\w-]+\.ts|[A-Z]+\.md)$/;
  const paths = [...DEVELOPERS, ...ALL].flatMap(({ path: page, text }) =>
    codeSpans(text).filter((span) => isOurs.test(span)).map((path) => ({ page, path }))
  );
  assert(paths.length > 100);
  assertEquals(paths.filter(({ path }) => filesAt(path).length === 0), []);
});

Deno.test("every link to a file leads to one", () => {
  const broken = [...ALL, DEVELOPERS[0]].flatMap(({ path: page, text }) =>
    [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)]
      .map(([, link]) => new URL(link, `file:///${page}`).pathname.slice(1))
      .filter((path) => filesAt(path).length === 0)
      .map((path) => `${page}: ${path}`)
  );
  assertEquals(broken, []);
});

Deno.test("every name of code that a page for developers uses is in the code", () => {
  const isName = /^(?=.*([a-z][A-Z]|_|\(\)))[A-Za-z_][\w.]*(\(\))?$/;
  const names = DEVELOPERS.flatMap(({ path: page, text }) =>
    codeSpans(text).filter((span) => isName.test(span) && !/\.(ts|js)$/.test(span))
      .flatMap((span) => span.replace("()", "").split("."))
      .map((name) => ({ page, name }))
  );
  assert(names.length > 40);
  assertEquals(names.filter(({ name }) => !FOREIGN.has(name) && !isNamed(name, CODE)), []);
});

Deno.test("a name that a page places in a file is in that file", () => {
  const place =
    /`([A-Za-z_]\w*)`[^`.;:]{0,30}?\sin\s+(?:the file )?`([\w./]+\.(?:ts|js|html|css))`/g;
  const claims = DEVELOPERS.flatMap(({ path: page, text }) =>
    [...text.matchAll(place)].map(([, name, path]) => ({ page, name, path }))
  );
  assert(claims.length >= 8, `${claims.length} claims`);
  assertEquals(claims.filter(({ name, path }) => !isDeclared(name, filesAt(path))), []);
});

Deno.test("the picture of the architecture names every folder of lib/ and of lib/engine/", () => {
  const { text } = ALL.find(({ path }) => path === "docs/architecture.md")!;
  const picture = text.slice(text.indexOf("## The picture"), text.indexOf("## Doors"));
  const folders = new Set(
    [...FILES.keys()].flatMap((path) =>
      /^lib\/(?:engine\/)?(?!deps\/)(\w+)\//.exec(path)?.[1] ?? []
    ),
  );
  assert(folders.size > 20);
  assertEquals([...folders].filter((name) => !new RegExp(`\\b${name}\\b`).test(picture)), []);
});
