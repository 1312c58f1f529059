/** The documentation is right about the command line. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { FLAGS } from "../../cli/flags.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { commandHelp } from "../../cli/help.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { FAILURE_TYPES } from "../../lib/errors.ts";
import { ANSWER_FIELDS } from "../../lib/export/conversation.ts";
import { FORMATS } from "../../lib/export/formats.ts";
import { CONVERT_FORMATS, EXPORT_FORMATS } from "../../lib/export/mod.ts";
import { INPUT_FORMATS } from "../../lib/formats/mod.ts";
import { FILE_KINDS } from "../../lib/tables/mod.ts";
import { cleanEnv, REPOSITORY } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { examplesOf, type Page, readPages } from "./pages.ts";

const PAGES = await readPages();
const NAMES = new Set(FLAGS.map((flag) => flag.isOnByDefault ? `no-${flag.name}` : flag.name));

/** Flags of Deno, V8 and Slurm, and one that is there to be refused. */
const OTHERS =
  /^(allow-[\w-]+|v8-flags|max-semi-space-size|heap-growing-percent|unstable-[\w-]+|force|array|api-key|cached-only)$/;

Deno.test("every flag is on a page of docs/", () => {
  const text = PAGES.filter(({ path }) => path !== "README.md").map(({ text }) => text).join("\n");
  const named = new Set([...text.matchAll(/(?<![\w-])--([a-z][\w-]*)/g)].map(([, name]) => name));
  assertEquals([...NAMES].filter((name) => !named.has(name)), []);
});

Deno.test("README.md and docs/outputs.md name every file that a run writes", () => {
  const names = ["prompts_error.jsonl", "prompts.run.json", "prompts.lock", ".retort/"];
  for (const [path, folder] of [["README.md", ""], ["docs/outputs.md", "out/"]]) {
    const page = PAGES.find((page) => page.path === path)!.text;
    assertEquals(names.filter((name) => !page.includes(`| \`${folder}${name}\``)), [], path);
  }
});

Deno.test("docs/failures.md says what each failure type means", () => {
  const page = PAGES.find(({ path }) => path === "docs/failures.md")!.text;
  const rows = [...page.matchAll(/^\| `(\w+)` +\|.*\|.*\|$/gm)].map(([, type]) => type);
  assertEquals(rows, [...FAILURE_TYPES]);
});

Deno.test("docs/outputs.md and the help name every export format and every type of file", () => {
  const page = PAGES.find(({ path }) => path === "docs/outputs.md")!.text;
  const rows = [...page.matchAll(/^\| `([\w-]+)` +\|.*\|.*\|$/gm)].map(([, name]) => name);
  assertEquals(rows.filter((name) => EXPORT_FORMATS.some((one) => one === name)), [
    ...EXPORT_FORMATS,
  ]);
  for (
    const [command, formats] of [["export", EXPORT_FORMATS], ["convert", CONVERT_FORMATS]] as const
  ) {
    const help = commandHelp(command);
    const listed = help.slice(help.indexOf("Formats:"), help.indexOf("Flags:"));
    assertEquals([...listed.matchAll(/^ {2}([\w-]+) /gm)].map(([, name]) => name), [...formats]);
  }
  const types = page.slice(page.indexOf("The extension of `-o` sets the file type"));
  const sentence = types.slice(0, types.indexOf("Other data formats"));
  assertEquals(FILE_KINDS.filter((kind) => !sentence.includes(`\`.${kind}\``)), []);
  const help = commandHelp("export");
  assertEquals(FILE_KINDS.filter((kind) => !help.includes(`.${kind}`)), []);
  const inputs = FLAGS.find(({ name }) => name === "input-format")!.help;
  assertEquals(INPUT_FORMATS.filter((format) => !inputs.includes(format)), []);
  const text = page.replaceAll(/\s+/g, " ");
  const list = (names: readonly string[]) => names.map((name) => `\`${name}\``);
  const fields = list(ANSWER_FIELDS);
  assert(text.includes(`the first of ${fields.slice(0, -1).join(", ")} and ${fields.at(-1)};`));
  const prompts = list(EXPORT_FORMATS.filter((name) => {
    const format = FORMATS[name];
    return format.rows !== "as they are" && format.takesPrompts;
  }));
  assert(text.includes(`in ${prompts.slice(0, -1).join(", ")} and ${prompts.at(-1)};`), "prompts");
});

Deno.test("every flag that is alone on a page exists", () => {
  const unknown = PAGES.flatMap(({ path, text }) =>
    [...text.matchAll(/(?<!`)`--([a-z][\w-]*)[^`]*`/g)]
      .map(([, name]) => name)
      .filter((name) => !NAMES.has(name) && !OTHERS.test(name))
      .map((name) => `${path}: --${name}`)
  );
  assertEquals(unknown, []);
});

Deno.test("every command in a sentence can be parsed", () => {
  const begin = new RegExp(`^(?:retort (?=\\S)|(?=(?:${COMMANDS.join("|")}) \\S))`);
  for (const { path, text } of PAGES) {
    for (const [, span] of text.matchAll(/(?<!`)`([^`]+)`(?!`)/g)) {
      const words = span.replaceAll(/\s+/g, " ").replaceAll(/\[([^\]]*)\]/g, "$1");
      if (!begin.test(words) || words.includes("…")) continue;
      const args = words.replace(begin, "").replaceAll(/['"]/g, "").split(" ");
      try {
        parseCommandLine(args);
      } catch (error) {
        throw new Error(`${path}: ${span}`, { cause: error });
      }
    }
  }
});

Deno.test("links between pages lead to pages and headings", () => {
  const known = new Map(PAGES.map((page) => [page.path, headingsOf(page)]));
  const broken = PAGES.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link)
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [file, heading] = link.split("#");
        const target = file === "" ? path : new URL(file, `file:///${path}`).pathname.slice(1);
        if (!target.endsWith(".md")) return !existsIn(target);
        const headings = known.get(target);
        if (headings === undefined) return !existsIn(target);
        return heading !== undefined && !headings.has(heading);
      }).map((link) => `${path}: ${link}`)
  );
  assertEquals(broken, []);
});

/** The anchors that GitHub makes of headings. */
function headingsOf({ text }: Page): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading);
  return new Set(
    headings.map((heading) =>
      heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

function existsIn(path: string): boolean {
  try {
    Deno.statSync(`${REPOSITORY}/${path}`);
    return true;
  } catch {
    return false;
  }
}

Deno.test("every example of a shell runs, against the simulated teacher", async () => {
  await using dir = await tempDir();
  const examples = PAGES.flatMap(examplesOf);
  assert(examples.length > 30, `${examples.length} examples`);
  await dir.write("examples.json", JSON.stringify(examples));
  const script = new URL("./run_examples.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", script],
    cwd: dir.root,
    clearEnv: true,
    env: cleanEnv(dir.root),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = new Blob([JSON.stringify(examples)]).stream().pipeTo(child.stdin);
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), input]);
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  assertEquals(decoder.decode(stdout), "");
});

Deno.test("the README has at most 200 lines, and every page is linked from the index", () => {
  const readme = PAGES.find(({ path }) => path === "README.md")!;
  assert(readme.text.split("\n").length <= 200);
  const index = PAGES.find(({ path }) => path === "docs/README.md")!.text;
  const missing = PAGES.map(({ path }) => path.replace(/^docs\//, ""))
    .filter((name) => name !== "README.md" && !index.includes(`(${name})`));
  assertEquals(missing, []);
});
