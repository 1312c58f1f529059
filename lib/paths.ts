/**
 * Paths that callers give as strings or `file:` URLs.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

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

/** The paths as strings; one alone is a list of one. */
export function pathsOf(paths: PathLike | readonly PathLike[]): string[] {
  return typeof paths === "string" || paths instanceof URL ? [pathOf(paths)] : paths.map(pathOf);
}
