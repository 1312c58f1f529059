/**
 * Where the image files are that rows name. Nothing here reads a file, so that rows in memory can be sent
 * where there are none.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { Message } from "../teacher/mod.ts";

/** Images by the paths that stand in rows. */
export interface RowImages {
  /** What is wrong with a path, or undefined. */
  problemOf(path: string): string | undefined;
  /**
   * Messages with the files that they name read in, as data URLs. Reads them anew each time, so that
   * nothing is kept of them.
   *
   * @throws {TeacherError} If one can no longer be read.
   */
  readIn(messages: readonly Message[], paths: readonly string[]): Promise<Message[]>;
}

/** Refuses all paths, with what to do instead. */
export function withoutImages(advice: string): RowImages {
  return {
    problemOf: (path) => `cannot send the image ${JSON.stringify(path)}: ${advice}`,
    readIn: (_messages, [path]) => Promise.reject(unreadableImage(path, advice)),
  };
}

/** No folder was named: paths are refused. */
export const NO_IMAGES: RowImages = withoutImages(
  "name the folder of the images (--images-root, imagesRoot)",
);

/** The failure of a row whose image cannot be read. */
export function unreadableImage(path: string, reason: string, cause?: unknown): TeacherError {
  return new TeacherError(`Cannot send the image ${JSON.stringify(path)}: ${reason}`, {
    type: "bad_row",
    code: "unreadable_file",
    cause,
  });
}
