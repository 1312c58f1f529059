/**
 * Image files that rows name. They are checked before the run, and read when they are sent.
 *
 * @module
 */

import { formatBytes } from "../deps/std_fmt.ts";
import { isAbsolute, join } from "../deps/std_path.ts";
import { formatCount } from "../figures.ts";
import { systemReason } from "../files.ts";
import { isInside } from "../paths.ts";
import type { Message } from "../teacher/mod.ts";
import { NO_IMAGES, type RowImages, unreadableImage } from "./parsed_row.ts";

/** 20 MiB: the limit of many providers. */
const MAX_BYTES = 20 * 2 ** 20;
/** The longest signature in `imageTypeOf` fits into this many bytes. */
const HEAD_BYTES = 16;

/** The media type of an image, by its first bytes; undefined if teachers do not accept the type. */
export function imageTypeOf(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, HEAD_BYTES));
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (head.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (/^GIF8[79]a/.test(head)) return "image/gif";
  return head.startsWith("RIFF") && head.startsWith("WEBP", 8) ? "image/webp" : undefined;
}

/** The reader of images in the folder `root`; one that rejects every image if that is undefined. */
export function imagesIn(root: string | undefined): RowImages {
  return root === undefined ? NO_IMAGES : new ImageFolder(root);
}

/** A folder that every image must be in; relative paths in rows are resolved against it. */
class ImageFolder implements RowImages {
  readonly #root: string;
  #realRoot: string | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Synchronous, because it takes only 20 µs. */
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

  /** Returns a path whose links are resolved; throws if it is outside the folder. */
  #requireInside(realPath: string): string {
    if (isInside(realPath, this.#folder)) return realPath;
    throw new ImageProblem(
      `it must be in the folder ${JSON.stringify(this.#root)} (--images-root)`,
    );
  }

  /** `#root` with its links resolved. */
  get #folder(): string {
    return this.#realRoot ??= realFolder(this.#root);
  }
}

function realFolder(root: string): string {
  try {
    return Deno.realPathSync(root);
  } catch (error) {
    throw new ImageProblem(
      `the folder ${JSON.stringify(root)} cannot be read: ${systemReason(error)}`,
    );
  }
}

/** Why an image cannot be sent, in words for users. Other errors come from the system. */
class ImageProblem extends Error {}

function withDataUrl(part: unknown, urls: ReadonlyMap<unknown, string>): unknown {
  const { image_url: image } = part as { image_url?: { url?: unknown } };
  const url = urls.get(image?.url);
  return url === undefined ? part : { ...part as object, image_url: { ...image, url } };
}

function checkFile({ isFile, size }: Deno.FileInfo): void {
  // Opening a pipe would block until something writes to it.
  if (!isFile) throw new ImageProblem("it is not a regular file");
  if (size <= MAX_BYTES) return;
  const limit = formatBytes(MAX_BYTES, { binary: true });
  throw new ImageProblem(
    `it must have at most ${limit} (${formatCount(MAX_BYTES)} bytes): it has ${
      formatCount(size)
    } bytes`,
  );
}

/** The media type of an image. @throws {ImageProblem} if teachers do not accept it */
function checkedType(bytes: Uint8Array): string {
  const type = imageTypeOf(bytes);
  if (type === undefined) throw new ImageProblem("it must be PNG, JPEG, GIF or WebP");
  return type;
}

function reasonOf(error: unknown): string {
  return error instanceof ImageProblem ? error.message : systemReason(error);
}
