/**
 * The pages of the documentation, and their commands.
 *
 * @module
 */

import { REPOSITORY } from "../support/process.ts";

/** A page of the documentation. */
export interface Page {
  /** Its path in the repository. */
  readonly path: string;
  /** Its text. */
  readonly text: string;
}

/** A command of Retort on a page. */
export interface Example {
  /** The page, and the command as written there. */
  readonly place: string;
  /** The arguments. */
  readonly args: readonly string[];
}

/** The README and the pages of `docs/`. */
export async function readPages(): Promise<Page[]> {
  const paths = ["README.md"];
  for await (const { name } of Deno.readDir(`${REPOSITORY}/docs`)) {
    if (name.endsWith(".md")) paths.push(`docs/${name}`);
  }
  return await Promise.all(
    paths.sort().map(async (path) => ({
      path,
      text: await Deno.readTextFile(`${REPOSITORY}/${path}`),
    })),
  );
}

/** How commands of Retort begin on a page. */
const PROGRAM = new RegExp(
  "^(?:exec )?(?:retort|distill|(?:npx -y deno@[\\d.]+|deno) task (?:--config \\S+ )?distill|" +
    "deno run .*?cli\\.ts) ",
);

/** The commands of Retort in the shell blocks of a page. */
export function examplesOf({ path, text }: Page): Example[] {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  return blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, "").split("\n")).flatMap((line) => {
    const begin = PROGRAM.exec(line)?.[0];
    if (begin === undefined) return [];
    if (begin.startsWith("distill")) throw new Error(`${path}: the program is "retort": ${line}`);
    return [{ place: `${path}: ${line}`, args: wordsOf(line.slice(begin.length), path) }];
  });
}

/** The words of a simple command. */
function wordsOf(line: string, path: string): string[] {
  const words: string[] = [];
  const token = /\s*(?:(#.*$)|((?:'[^']*'|"[^"$`\\]*"|[^\s'"|<>&;$`\\#]|(?<=\S)#)+))/y;
  let end = 0;
  for (let match = token.exec(line); match !== null; match = token.exec(line)) {
    end = token.lastIndex;
    const [, comment, word] = match;
    if (comment === undefined) words.push(word.replaceAll(/'([^']*)'|"([^"]*)"/g, "$1$2"));
  }
  // The part after a pipe belongs to another program.
  if (/^\s*(?:\|\s.*)?$/.test(line.slice(end))) return words;
  throw new Error(`Cannot run an example of ${path}: it is more than one simple command: ${line}`);
}
