/**
 * Paths that callers give as strings or `file:` URLs, and path operations on any system.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import * as system from "./deps/std_path.ts";

/** A path, or a `file:` URL. */
export type PathLike = string | URL;

/**
 * The path as a string. A URL that names a folder keeps the `/` at its end.
 *
 * @throws {TypeError} If the URL is not one of a file.
 */
export function pathOf(path: PathLike): string {
  if (typeof path === "string") return path;
  if (path.protocol === "file:") return fileURLToPath(path);
  const address = `${path.protocol}//${path.host}${path.pathname}`;
  throw new TypeError(`Cannot use "${address}": it must be a path or a file: URL`);
}

/** The paths as strings; a single path is a list of one. */
export function pathsOf(paths: PathLike | readonly PathLike[]): string[] {
  return typeof paths === "string" || paths instanceof URL ? [pathOf(paths)] : paths.map(pathOf);
}

/** The path functions of one system: only Windows has drive letters, backslashes and UNC names. */
export type PathRules = typeof system;

/** Whether a path is written as that of a folder, with a separator at its end. */
export function endsWithSeparator(
  path: string,
  { SEPARATOR_PATTERN }: PathRules = system,
): boolean {
  return new RegExp(`${SEPARATOR_PATTERN.source}$`).test(path);
}

/** A path without separators at its end. */
export function withoutSeparator(path: string, { SEPARATOR_PATTERN }: PathRules = system): string {
  return path.replace(new RegExp(`${SEPARATOR_PATTERN.source}$`), "");
}

/** The path of a file in a folder. Written with `/`, which Windows reads too, so that paths are printed as the
 * user typed them. */
export function inFolder(folder: string, name: string, rules: PathRules = system): string {
  return `${withoutSeparator(folder, rules)}/${name}`;
}

/** The start of a file's path, its last separator included, and the name of the file. */
export function splitPath(path: string, { basename }: Pick<PathRules, "basename"> = system) {
  const name = basename(path);
  return { start: path.slice(0, path.length - name.length), name };
}

/** Whether a path is below a folder; both are real paths. */
export function isInside(path: string, folder: string, rules: PathRules = system): boolean {
  const way = rules.relative(folder, path);
  return way !== "" && way.split(rules.SEPARATOR_PATTERN)[0] !== ".." && !rules.isAbsolute(way);
}

/** The folder next to an output for Retort's own files, which dataset loaders skip. */
export const OWN_FOLDER = ".retort";
