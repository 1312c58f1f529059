/**
 * The uid of a line of an output file that is about to be written anew.
 *
 * @module
 */

import { DamagedFileError } from "../errors.ts";

/**
 * Gives the uid. Most can be read without parsing the line.
 *
 * @throws {DamagedFileError} when the line has none
 */
export function uidOfLine(text: string, path: string, number: number): string {
  const plain = /^\{"uid":"([^"\\]*)"/.exec(text);
  if (plain !== null) return plain[1];
  let value: { uid?: unknown } | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damage(path, number, "it is not JSON", cause);
  }
  if (typeof value?.uid !== "string") {
    throw damage(path, number, 'it has no "uid" that is a string');
  }
  return value.uid;
}

function damage(path: string, number: number, what: string, cause?: unknown): DamagedFileError {
  return new DamagedFileError(
    `Cannot tidy "${path}" line ${number}: ${what}. Repair or remove the line`,
    { path, cause },
  );
}
