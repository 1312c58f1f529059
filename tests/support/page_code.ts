/**
 * The TypeScript examples of the documentation.
 *
 * @module
 */

import { REPOSITORY } from "./process.ts";

/** One example. */
export interface PageCode {
  /** The page and the line that it begins at, as in `docs/library.md:7`. */
  readonly place: string;
  /** The example. */
  readonly code: string;
}

/** Where examples import from. */
export const IMPORTED_FROM = "https://…/";
/** The teacher of the examples. */
export const TEACHER = "http://127.0.0.1:8000/v1";

/** All examples of README and docs. */
export async function pageCode(): Promise<PageCode[]> {
  const pages = ["README.md"];
  for await (const { name } of Deno.readDir(`${REPOSITORY}/docs`)) {
    if (name.endsWith(".md")) pages.push(`docs/${name}`);
  }
  const found = await Promise.all(
    pages.sort().map(async (page) => {
      const text = await Deno.readTextFile(`${REPOSITORY}/${page}`);
      // `ignore` is for `deno test --doc`, which knows neither the address nor the teacher.
      return [...text.matchAll(/^```ts(?: ignore)?\n(.*?)^```$/gms)].map(({ 1: code, index }) => ({
        place: `${page}:${text.slice(0, index).split("\n").length}`,
        code,
      }));
    }),
  );
  return found.flat();
}
