/**
 * Puts the images of a row into its messages, in place of `<image>` and of image parts.
 *
 * @module
 */

import { formatCountOf } from "../figures.js";
import { isObject } from "../json.ts";
import type { Message } from "../teacher/mod.ts";
import { imageTypeOf } from "./image_files.ts";
import { isBlank, isSet } from "./json_values.ts";
import { mustBe, type Reading, RowProblem } from "./parsed_row.ts";
import type { RowObject } from "./shape.ts";

const PLACEHOLDER = "<image>";
/** Fields that cannot be sent. They must not be ignored, because the prompt would have another
 * meaning without them. */
const REFUSED_FIELDS = ["videos", "video", "audios", "audio"] as const;
const TEXT_ALONE = "send the text alone with --template, which sends only the fields that it names";
const IMAGE_FIELDS = ["images", "image"] as const;

type Part = Readonly<Record<string, unknown>>;

/** Whether `withImages` must be called. This runs for every row, and a loop over the names of
 * fields would take ten times as long. */
export function mayHoldMedia(row: RowObject, messages: readonly Message[]): boolean {
  const { images, image, videos, video, audios, audio } = row;
  if (images !== undefined || image !== undefined || videos !== undefined) return true;
  if (video !== undefined || audios !== undefined || audio !== undefined) return true;
  for (let i = 0; i < messages.length; i++) {
    if (typeof messages[i].content === "object" && holdsImagePart(messages[i])) return true;
  }
  return false;
}

/** Puts images in place of `<image>` (LLaMA-Factory, LLaVA), of parts `{"type":"image"}` without a
 * source (TRL) or with a source (Qwen, Anthropic), and of paths in `image_url`. */
export function withImages(
  messages: Message[],
  row: RowObject,
  reading: Reading,
): Message[] | RowProblem {
  const { templateFields } = reading;
  for (const name of REFUSED_FIELDS) {
    if (row[name] === undefined || templateFields.has(name) || !mayBeRecording(row[name])) continue;
    // A template uses only the fields that it names, but any other prompt may refer to the
    // recording.
    if (reading.shape === "template") reading.leaveOut(name);
    else return new RowProblem(`"${name}" cannot be sent: only images can`, () => TEXT_ALONE);
  }
  const [name, second] = IMAGE_FIELDS
    .filter((field) => mayHoldImages(row[field]) && !templateFields.has(field));
  if (second !== undefined) {
    return new RowProblem(`"${name}" and "${second}" must not both contain images`);
  }
  if (name === undefined && !messages.some(holdsImagePart)) return messages;
  const values = name === undefined ? [] : imagesOf(name, row[name]);
  if (values instanceof RowProblem) return values;
  return new ImagePlacer(name, values, reading).placeIn(messages);
}

class ImagePlacer {
  /** The field with the images. If there is no such field, `<image>` is not a placeholder. */
  readonly #field: string | undefined;
  readonly #values: readonly unknown[];
  readonly #reading: Reading;
  #placeholderCount = 0;
  #problem: RowProblem | undefined;

  constructor(field: string | undefined, values: readonly unknown[], reading: Reading) {
    this.#field = field;
    this.#values = values;
    this.#reading = reading;
  }

  placeIn(messages: Message[]): Message[] | RowProblem {
    const name = this.#field ?? "images", values = this.#values;
    const placed = messages.map((message) => this.#message(message));
    if (this.#placeholderCount === 0 && values.length > 0 && this.#reading.shape === "template") {
      this.#reading.leaveOut(name);
      return messages;
    }
    if (this.#problem !== undefined) return this.#problem;
    if (this.#placeholderCount === values.length) return placed;
    return new RowProblem(
      `"${name}" must have one image for each ${PLACEHOLDER} in the prompt: ` +
        `it has ${formatCountOf(values.length, "image")} for ` +
        formatCountOf(this.#placeholderCount, "placeholder"),
      () =>
        values.length > this.#placeholderCount
          ? `put ${PLACEHOLDER} into the prompt, or ${TEXT_ALONE}`
          : "",
    );
  }

  #message(message: Message): Message {
    const { role, content } = message;
    // Assistant messages contain only text, so `<image>` is not a placeholder in them.
    if (role === "assistant") return message;
    if (typeof content === "string") {
      return this.#hasPlaceholder(content)
        ? { ...message, content: this.#inText(content) }
        : message;
    }
    if (!Array.isArray(content)) return message;
    return { ...message, content: content.flatMap((part: Part) => this.#part(part)) };
  }

  #hasPlaceholder(text: string): boolean {
    return this.#field !== undefined && text.includes(PLACEHOLDER);
  }

  #part(part: Part): Part | Part[] {
    if (part.type === "text" && typeof part.text === "string") {
      return this.#hasPlaceholder(part.text) ? this.#inText(part.text) : part;
    }
    const path = pathIn(part);
    if (path !== undefined) {
      const { image_url: image } = part;
      const { image_url: address } = this.#image(path, "image_url");
      return {
        ...part,
        image_url: { ...isObject(image) && image, ...isObject(address) && address },
      };
    }
    if (part.type !== "image") return part;
    const source = part.image ?? part.url ?? part.path ?? anthropicImage(part.source);
    return isSet(source) ? this.#image(source, "image") : this.#nextImage();
  }

  #inText(text: string): Part[] {
    const parts: Part[] = [];
    for (const [index, piece] of text.split(PLACEHOLDER).entries()) {
      if (index > 0) parts.push(this.#nextImage());
      if (!isBlank(piece)) parts.push({ type: "text", text: piece });
    }
    return parts;
  }

  #nextImage(): Part {
    const index = this.#placeholderCount++;
    // There are too few images. `placeIn` reports both counts.
    if (index >= this.#values.length) return {};
    return this.#image(this.#values[index], `${this.#field}[${index}]`);
  }

  #image(value: unknown, place: string): Part {
    const address = addressOf(value, place, this.#reading);
    if (address instanceof RowProblem) {
      this.#problem ??= address;
      return {};
    }
    return { type: "image_url", image_url: { url: address } };
  }
}

/** Converts the `source` of an Anthropic image to a value for `addressOf`. */
function anthropicImage(source: unknown): unknown {
  if (!isObject(source)) return undefined;
  return source.type === "base64" ? { bytes: source.data } : source.url;
}

function imagesOf(name: string, value: unknown): readonly unknown[] | RowProblem {
  if (Array.isArray(value)) return value.filter(isSet);
  if (typeof value === "string" || isObject(value)) return [value];
  return mustBe(name, "an image or a list of images", value);
}

/** Returns the `url` to send for an image: a URL unchanged, bytes as a data URL, and a path, which
 * is also added to `reading.files`, unchanged. */
function addressOf(value: unknown, place: string, reading: Reading): string | RowProblem {
  if (typeof value === "string") return addressOfText(value, place, reading);
  if (!isObject(value)) return mustBe(place, "an address, a path or an object", value);
  const { bytes, path, url, image_url: inner } = value;
  if (isSet(bytes)) return dataUrlOf(bytes, `${place}.bytes`);
  const address = path ?? url ?? inner;
  if (isSet(address)) return addressOf(address, place, reading);
  return mustBe(place, 'an object with "bytes", "path" or "url"', value);
}

function addressOfText(text: string, place: string, reading: Reading): string | RowProblem {
  if (/^https?:\/\/\S/i.test(text) || /^data:image\//i.test(text)) return text;
  if (text.length > MAX_PATH_CHARS && BASE64_IMAGE.test(text)) return dataUrlOf(text, place);
  const path = /^file:\/\//i.test(text) ? pathOf(text) : text;
  if (path === undefined || path.trim() === "" || /^(data:|[a-z][\w+.-]*:\/\/)/i.test(path)) {
    return mustBe(place, "an address (http, https, data:image/) or a path", text);
  }
  (reading.files ??= []).push(path);
  return path;
}

/** Linux's `PATH_MAX`. A longer text cannot be a path. */
const MAX_PATH_CHARS = 4_096;
/** Matches the start of a PNG, JPEG, GIF or WebP image in base64. */
const BASE64_IMAGE = /^(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR)/;

/** Returns the path of a `file:` URL, without the slash before a Windows drive letter; undefined if
 * the URL is invalid or names another machine. */
function pathOf(address: string): string | undefined {
  const { host, pathname } = URL.parse(address) ?? { host: "?", pathname: "" };
  try {
    return host === "" ? decodeURIComponent(pathname).replace(/^\/(?=[a-z]:)/i, "") : undefined;
  } catch {
    return undefined;
  }
}

/** @param value The bytes as base64, or as a list of numbers. */
function dataUrlOf(value: unknown, place: string): string | RowProblem {
  try {
    const bytes = typeof value === "string"
      ? Uint8Array.fromBase64(value)
      : Uint8Array.from(value as number[]);
    const type = imageTypeOf(bytes);
    if (type !== undefined) return `data:${type};base64,${bytes.toBase64()}`;
  } catch {
    // A value that cannot be decoded gets the same message as bytes of another type.
  }
  return mustBe(place, "a PNG, JPEG, GIF or WebP image as base64", value);
}

function mayHoldImages(value: unknown): boolean {
  return isSet(value) && !(typeof value === "string" && isBlank(value));
}

/** Whether a value may contain a recording. False for a flag, a number or an empty list. */
function mayBeRecording(value: unknown): boolean {
  if (typeof value === "string") return !isBlank(value);
  return Array.isArray(value) ? value.some(isSet) : isObject(value);
}

function holdsImagePart({ content }: Message): boolean {
  return Array.isArray(content) && content.some(isImagePart);
}

function isImagePart(part: Part): boolean {
  return part.type === "image" || pathIn(part) !== undefined;
}

/** Returns the path if a part contains a path where the API accepts only a URL. */
function pathIn({ type, image_url: image }: Part): string | undefined {
  if (type !== "image_url") return undefined;
  const url = isObject(image) ? image.url : image;
  return typeof url === "string" && IMAGE_PATH.test(url) ? url : undefined;
}

/** Matches paths of images. A single letter before a colon is a Windows drive letter, not a
 * scheme. */
const IMAGE_PATH = /^(?!\s*(?:[a-z][\w+.-]+:|\/\/))[^\n]{1,1000}\.(?:png|jpe?g|gif|webp)$/i;
