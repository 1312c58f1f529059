/**
 * Image files that rows name. They are checked when their row is parsed, and read when it is sent.
 *
 * @module
 */

import { formatBytes } from "../deps/std_fmt.ts";
import { isAbsolute, join } from "../deps/std_path.ts";
import { TeacherError, UNREADABLE_FILE } from "../errors.ts";
import { formatCount } from "../figures.js";
import { isInside, systemReason } from "../files.ts";
import type { Message } from "../teacher/mod.ts";

export interface RowImages {
  /** Returns why an image cannot be sent; undefined if it can be sent. */
  problemOf(path: string): string | undefined;
  /**
   * Returns the messages with data URLs in place of `paths`. The files are read on each call,
   * because the data URL of a single image can take 28 MB of memory.
   *
   * @throws {TeacherError} if a file can no longer be read
   */
  inlineImages(messages: readonly Message[], paths: readonly string[]): Promise<Message[]>;
}

/** Returns a `RowImages` that rejects every image, with `advice` as the reason. */
export function withoutImages(advice: string): RowImages {
  return {
    problemOf: (path) => `cannot send the image ${JSON.stringify(path)}: ${advice}`,
    inlineImages: (_messages, [path]) => Promise.reject(unreadableImage(path, advice)),
  };
}

export const NO_IMAGES: RowImages = withoutImages(
  "name the folder of the images (--images-root, imagesRoot)",
);

/** Returns an error that fails the row without a retry. */
function unreadableImage(path: string, reason: string, cause?: unknown): TeacherError {
  return new TeacherError(`Cannot send the image ${JSON.stringify(path)}: ${reason}`, {
    type: "bad_row",
    code: UNREADABLE_FILE,
    cause,
  });
}

/** 20 MiB, which is the limit of many providers. */
const MAX_BYTES = 20 * 2 ** 20;
const HEAD_BYTES = 16;

/** Returns the media type that the first bytes of an image show; undefined for formats that
 * teachers do not accept. */
export function imageTypeOf(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, HEAD_BYTES));
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (/^GIF8[79]a/.test(head)) return "image/gif";
  return head.startsWith("RIFF") && head.startsWith("WEBP", 8) ? "image/webp" : undefined;
}

/** @param root The folder that contains all images. Without a folder, every image is rejected. */
export function imagesIn(root: string | undefined): RowImages {
  return root === undefined ? NO_IMAGES : new ImageFolder(root);
}

/** The folder that must contain every image. Relative paths are resolved against it. */
class ImageFolder implements RowImages {
  readonly #root: string;
  #realRoot: string | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** This function is synchronous because it takes only 20 µs. */
  problemOf(path: string): string | undefined {
    try {
      const realPath = this.#requireInside(Deno.realPathSync(this.#absolute(path)));
      checkFile(Deno.statSync(realPath));
      using file = Deno.openSync(realPath);
      const head = new Uint8Array(HEAD_BYTES);
      checkedType(head.subarray(0, file.readSync(head) ?? 0));
      return undefined;
    } catch (error) {
      return `cannot send the image ${JSON.stringify(path)}: ${reasonOf(error)}`;
    }
  }

  async inlineImages(messages: readonly Message[], paths: readonly string[]): Promise<Message[]> {
    const urls = new Map<unknown, string>();
    for (const path of new Set(paths)) urls.set(path, await this.#dataUrl(path));
    return messages.map((message) => {
      if (!Array.isArray(message.content)) return message;
      return { ...message, content: message.content.map((part) => withDataUrl(part, urls)) };
    });
  }

  async #dataUrl(path: string): Promise<string> {
    try {
      const realPath = this.#requireInside(await Deno.realPath(this.#absolute(path)));
      checkFile(await Deno.stat(realPath));
      const bytes = await Deno.readFile(realPath);
      return `data:${checkedType(bytes)};base64,${bytes.toBase64()}`;
    } catch (error) {
      throw unreadableImage(path, reasonOf(error), error);
    }
  }

  #absolute(path: string): string {
    return isAbsolute(path) ? path : join(this.#folder, path);
  }

  #requireInside(realPath: string): string {
    if (isInside(realPath, this.#folder)) return realPath;
    throw new ImageProblem(
      `it must be in the folder ${JSON.stringify(this.#root)} (--images-root)`,
    );
  }

  get #folder(): string {
    try {
      return this.#realRoot ??= Deno.realPathSync(this.#root);
    } catch (error) {
      const folder = JSON.stringify(this.#root);
      throw new ImageProblem(`the folder ${folder} cannot be read: ${systemReason(error)}`);
    }
  }
}

/** An error with a message for users. Any other error comes from the system. */
class ImageProblem extends Error {}

function withDataUrl(part: unknown, urls: ReadonlyMap<unknown, string>): unknown {
  const { image_url: image } = part as { image_url?: { url?: unknown } };
  const url = urls.get(image?.url);
  return url === undefined ? part : { ...part as object, image_url: { ...image, url } };
}

function checkFile({ isFile, size }: Deno.FileInfo): void {
  // Opening a pipe would block until a process writes to it.
  if (!isFile) throw new ImageProblem("it is not a regular file");
  if (size <= MAX_BYTES) return;
  const limit = formatBytes(MAX_BYTES, { binary: true });
  throw new ImageProblem(
    `it must have at most ${limit} (${formatCount(MAX_BYTES)} bytes): it has ${
      formatCount(size)
    } bytes`,
  );
}

function checkedType(bytes: Uint8Array): string {
  const type = imageTypeOf(bytes);
  if (type === undefined) throw new ImageProblem("it must be PNG, JPEG, GIF or WebP");
  return type;
}

function reasonOf(error: unknown): string {
  return error instanceof ImageProblem ? error.message : systemReason(error);
}
