/**
 * Paths as callers give them, and path operations for any system.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import * as system from "./deps/std_path.ts";

/** A file or folder as a path, or as a `file:` URL. */
export type PathLike = string | URL;

/**
 * The path of a folder's URL keeps the trailing `/`.
 *
 * @throws {TypeError} If the URL is not a `file:` URL.
 */
export function pathOf(path: PathLike): string {
  if (typeof path === "string") return path;
  if (path.protocol === "file:") return fileURLToPath(path);
  const address = `${path.protocol}//${path.host}${path.pathname}`;
  throw new TypeError(`Cannot use "${address}": it must be a path or a file: URL`);
}

export function pathsOf(paths: PathLike | readonly PathLike[]): string[] {
  return typeof paths === "string" || paths instanceof URL ? [pathOf(paths)] : paths.map(pathOf);
}

/** Functions for the paths of this system. Tests pass those for Windows. */
export type PathRules = typeof system;

export function endsWithSeparator(
  path: string,
  { SEPARATOR_PATTERN }: PathRules = system,
): boolean {
  return new RegExp(`${SEPARATOR_PATTERN.source}$`).test(path);
}

export function withoutSeparator(path: string, { SEPARATOR_PATTERN }: PathRules = system): string {
  return path.replace(new RegExp(`${SEPARATOR_PATTERN.source}$`), "");
}

/** Joined by `/`, which Windows accepts too, so that paths are printed as the user typed them. */
export function inFolder(folder: string, name: string, rules: PathRules = system): string {
  return `${withoutSeparator(folder, rules)}/${name}`;
}

/** Splits after the last separator, which `start` keeps. */
export function splitPath(path: string, { basename }: Pick<PathRules, "basename"> = system) {
  const name = basename(path);
  return { start: path.slice(0, path.length - name.length), name };
}

/** Whether `path` is strictly below `folder`. Pass real paths: links are not resolved. */
export function isInside(path: string, folder: string, rules: PathRules = system): boolean {
  const relative = rules.relative(folder, path);
  return relative !== "" && !rules.isAbsolute(relative) &&
    relative.split(rules.SEPARATOR_PATTERN)[0] !== "..";
}

export const RESULTS_EXTENSION = /\.(jsonl|ndjson)$/;

/** `out/x` for the results `out/x.jsonl`. */
export function stemOf(results: string): string {
  return results.replace(RESULTS_EXTENSION, "");
}

/** The folder for Retort's own files beside an output. Dataset loaders skip hidden folders. */
export const OWN_FOLDER = ".retort";

/** A key that all paths to a file share. On filesystems without inodes, it is the absolute path. */
export function fileKeyOf(path: string, { dev, ino }: Pick<Deno.FileInfo, "dev" | "ino">): string {
  return ino ? `${dev}:${ino}` : system.resolve(path);
}
