/**
 * Recognizes files in other formats by content, so that a message can name the format and how to
 * convert it, instead of calling each line invalid JSON.
 *
 * @module
 */

import { parsedJson } from "../json.ts";
import { posixWord } from "../printable.ts";
import { filterOf, tableFilter } from "../jq_filters.ts";

/** A format that is not read, or only with `--input-format`. */
export interface ForeignFormat {
  /** A phrase that follows `it is ` in messages. */
  readonly what: string;
  /** A sentence that says what to do, often with a command. */
  readonly advice: (path: string) => string;
}

const STANDARD_INPUT = "-";

/** Formats by their first bytes after decompression, so gzip among them means compressed twice.
 * Prompts may begin with the letters of RAR and GGUF, but no text has the bytes after them. */
const SIGNATURES: readonly (readonly [ForeignFormat, ...starts: string[]])[] = [
  [{ what: "a Parquet file", advice: () => "Add --input-format parquet" }, "PAR1"],
  [{ what: "compressed with xz", advice: unpackedWith("xz -dc") }, "\xfd7zXZ\0"],
  [{ what: "a zip archive", advice: fromZip }, "PK\x03\x04"],
  [{ what: "an empty zip archive", advice: toAnotherFile }, "PK\x05\x06"],
  [{ what: "compressed with zstd", advice: unpackedWith("zstd -dc") }, "\x28\xb5\x2f\xfd"],
  [{ what: "compressed with lzma", advice: unpackedWith("xz -dc") }, "\x5d\0\0"],
  [{ what: "compressed with zlib", advice: unpackedWith("pigz -dcz") }, "x\x01", "x\x9c", "x\xda"],
  [{ what: "compressed with bzip2", advice: unpackedWith("bzip2 -dc") }, "BZh"],
  [{ what: "compressed with lz4", advice: unpackedWith("lz4 -dc") }, "\x04\x22\x4d\x18"],
  [{ what: "a 7z archive", advice: unpackedWith("7z x -so") }, "7z\xbc\xaf\x27\x1c"],
  [{ what: "a rar archive", advice: unpackedWith("unrar p -inul") }, "Rar!\x1a"],
  [{ what: "compressed with gzip twice", advice: unpackedWith("gzip -dc") }, "\x1f\x8b"],
  [{ what: "an Arrow file", advice: toJsonLines }, "ARROW1\0"],
  [{ what: "an Arrow stream", advice: toJsonLines }, "\xff\xff\xff\xff"],
  [{ what: "an Avro file", advice: toJsonLines }, "Obj\x01"],
  [{ what: "an SQLite database", advice: toJsonLines }, "SQLite format 3\0"],
  [{ what: "an HDF5 file", advice: toJsonLines }, "\x89HDF"],
  [{ what: "a NumPy array", advice: toJsonLines }, "\x93NUMPY"],
  [{ what: "a Python pickle", advice: toJsonLines }, "\x80\x04\x95", "\x80\x05\x95"],
  [{ what: "an Excel or Word file", advice: toJsonLines }, "\xd0\xcf\x11\xe0"],
  [{ what: "a PDF", advice: toJsonLines }, "%PDF"],
  [{ what: "an image", advice: toAnotherFile }, "\x89PNG", "\xff\xd8\xff"],
  [{ what: "a model", advice: toAnotherFile }, "GGUF\x01\0", "GGUF\x02\0", "GGUF\x03\0"],
  [{ what: "UTF-32 text", advice: fromUnicode("UTF-32") }, "\xff\xfe\0\0", "\0\0\xfe\xff"],
  [{ what: "UTF-16 text", advice: fromUnicode("UTF-16") }, "\xff\xfe", "\xfe\xff"],
  [{ what: "a program", advice: toAnotherFile }, "\x7fELF"],
];

/** A tar archive begins with the name of its first file. */
const TAR = { offset: 257, text: "ustar" };

export const NEEDS_DICTIONARY: ForeignFormat = {
  what: "compressed with a zstd dictionary",
  advice: unpackedWith("zstd -dc -D DICTIONARY"),
};

/**
 * Matches bytes as Latin-1. Text may begin with these letters, but has no control characters after
 * them, except 0x80 to 0x9f: UTF-8 has such bytes, as in `ORC’s`.
 */
const ORC = /^ORC[^]{0,12}[^\P{Cc}\t\r\n\x80-\x9f]/u;

/** The format that the first bytes show; undefined if they may be text. */
export function foreignBytes(start: Uint8Array): ForeignFormat | undefined {
  const text = latin1(start.subarray(0, 512));
  if (ORC.test(text)) return { what: "an ORC file", advice: toJsonLines };
  for (const [format, ...starts] of SIGNATURES) {
    if (starts.some((signature) => text.startsWith(signature))) return format;
  }
  if (text.startsWith(TAR.text, TAR.offset)) {
    return { what: "a tar archive", advice: unpackedWith("tar -xOf") };
  }
  // ASCII in UTF-16 without a byte order mark has a 0 in every other byte.
  if (/^\s*(?:[^\0]\0){2}/.test(text) || /^(?:\0[^\0]){2}/.test(text)) {
    return { what: "UTF-16 text", advice: fromUnicode("UTF-16") };
  }
  if (hasOnlyCarriageReturns(start)) {
    return { what: "text whose lines end with a carriage return alone", advice: toLineFeeds };
  }
  if (/^\0+$/.test(text)) {
    return {
      what: "filled with NUL bytes",
      advice: () => "It was not written completely: copy or download it again",
    };
  }
  return undefined;
}

const LINE_FEED = 10, CARRIAGE_RETURN = 13, OPEN_BRACKET = 91;

/**
 * Whether lines end with a carriage return alone, as on a Mac before 2001: they would be read as
 * one line. In a JSON array, such line ends do no harm.
 */
function hasOnlyCarriageReturns(start: Uint8Array): boolean {
  const lineEnd = start.indexOf(CARRIAGE_RETURN);
  if (lineEnd === -1 || start.includes(LINE_FEED)) return false;
  const isArray = start.find((byte) => byte > 32 && byte < 128) === OPEN_BRACKET;
  return !isArray && start.subarray(lineEnd).some((byte) => byte > 32);
}

/** The format of a file whose first line is not a row; undefined for JSON Lines with a bad line. */
export function foreignText(
  start: string,
  path: string,
  isOnlyLine: boolean,
): ForeignFormat | undefined {
  const text = start.replace(/^\uFEFF/, "").trimStart();
  const line = text.split("\n", 1)[0].trim();
  if (/^(\/\/|\/\*)/.test(line)) {
    return { what: "JSON with comments", advice: () => "Remove the comments" };
  }
  const filter = isOnlyLine ? tableFilter(line) : undefined;
  if (filter !== undefined) {
    return { what: "a table in one JSON object", advice: (path) => withJq(path, filter) };
  }
  if (/^<(!doctype|html|\?xml|head|body)\b/i.test(line)) {
    return {
      what: "a web page",
      advice: () => "A download gave a page instead of the file: download it again",
    };
  }
  if (line.startsWith("version https://git-lfs.github.com/")) {
    return {
      what: "a Git LFS pointer",
      advice: () => 'Fetch the file: "git lfs pull"',
    };
  }
  if (line.startsWith("[") && !isMessageArray(line)) {
    return { what: "a JSON array", advice: (path) => withJq(path, "'.[]'") };
  }
  // A complete row followed by a comma is an element of a list, not the start of an object.
  const isUnclosed = line.length < MAX_UNCLOSED_CHARS && /^\{(.*[[{,])?$/.test(line);
  if (isUnclosed && !/^\{.*\},$/.test(line)) {
    return { what: "JSON over several lines", advice: (path) => withJq(path, filterOf(text)) };
  }
  return line.startsWith("{") ? undefined : nonJsonText(line, path);
}

/** A longer first line may be a truncated row, not pretty-printed JSON. */
const MAX_UNCLOSED_CHARS = 4_000;

function nonJsonText(line: string, path: string): ForeignFormat | undefined {
  const extension = /\.([a-z]+)(\.gz)?$/i.exec(path)?.[1].toLowerCase();
  const delimiter = [",", ";", "\t"].find((candidate) => isHeader(line, candidate));
  if (extension === "tsv" || (delimiter === "\t" && extension !== "txt")) {
    return { what: "a TSV file", advice: () => "Add --input-format tsv" };
  }
  if (extension === "csv" || (delimiter !== undefined && extension !== "txt")) {
    return { what: "a CSV file", advice: () => "Add --input-format csv" };
  }
  if (extension === "yaml" || extension === "yml" || line === "---") {
    return { what: "a YAML file", advice: () => "Name a configuration with --config" };
  }
  if (extension !== "txt" && extension !== "md") return undefined;
  return { what: "plain text", advice: (path) => withJq(path, "-R '{prompt: .}'") };
}

/** Whether a line has at least two names, none of them a sentence. */
function isHeader(line: string, delimiter: string): boolean {
  const names = line.split(delimiter);
  return names.length > 1 &&
    names.every((name) => /^"?[\p{L}_#][\p{L}\d _.\-/()]{0,40}"?$/u.test(name));
}

/** Whether a row is a list of messages. The first key decides for an incomplete line. */
export function isMessageArray(line: string): boolean {
  const messages = parsedJson(line) as unknown[] | undefined;
  if (messages === undefined) return /^\[\s*\{\s*"(role|from)"/.test(line);
  const [first] = messages;
  return typeof first === "object" && first !== null && ("role" in first || "from" in first);
}

/** Advice for a zip archive. Many formats are zip archives with another extension. */
function fromZip(path: string): string {
  const isArchive = !/\.(xls[xmb]|docx|ods|npz|pth?|jar)$/i.test(path);
  return isArchive ? unpackedWith("unzip -p")(path) : toJsonLines();
}

function withJq(path: string, filter: string): string {
  return `Convert it: jq -c ${filter} ${pathWord(path)} > ${pathWord(nameInJsonLines(path))}`;
}

function fromUnicode(encoding: UnicodeEncoding): (path: string) => string {
  return (path) => unicodeAdvice(path, encoding);
}

type UnicodeEncoding = "UTF-16" | "UTF-32";

/** Without `Deno`, as in the bundle for Node. */
const IS_WINDOWS = /^win/i.test(globalThis.navigator?.platform ?? "");

/** Windows has no iconv, and its PowerShell writes UTF-16 where output goes to a file. */
export function unicodeAdvice(
  path: string,
  encoding: UnicodeEncoding,
  isWindows = IS_WINDOWS,
): string {
  const from = pathWord(path), to = pathWord(nameBeside(path));
  if (!isWindows) return `Convert it: iconv -f ${encoding} -t UTF-8 ${from} > ${to}`;
  const name = encoding === "UTF-16" ? "Unicode" : "UTF32";
  return `Convert it in PowerShell: Get-Content -Encoding ${name} ${from} | ` +
    `Set-Content -Encoding UTF8 ${to}`;
}

function toLineFeeds(path: string): string {
  return `Convert it: tr '\\r' '\\n' < ${pathWord(path)} > ${pathWord(nameBeside(path))}`;
}

function toJsonLines(): string {
  return "Convert it to JSON Lines, one object a line";
}

function toAnotherFile(): string {
  return "Name another file";
}

function unpackedWith(command: string): (path: string) => string {
  return (path) => {
    // `command` would only decompress the archive, not extract its files.
    const tool = TAR_NAME.test(path) ? "tar -xOf" : command;
    return `Unpack it: ${tool} ${pathWord(path)} > ${pathWord(unpackedName(path))}`;
  };
}

const TAR_NAME = /\.(?:tar\.\w{1,5}|t[bglx]z2?)$/i;

const EXTENSION = /\.(jsonl|ndjson|json|csv|tsv|txt|parquet)$/i;

/** Names of single compressed files. */
const ONE_FILE = /\.(?:xz|lzma|bz2|lz4|zst|zz|z|gz)$/i;

/** `x.2.csv` for `x.csv`. */
function nameBeside(path: string): string {
  const isNamed = path !== STANDARD_INPUT && EXTENSION.test(path);
  return isNamed ? path.replace(EXTENSION, ".2$&") : nameInJsonLines(path);
}

/** `x.csv` for `x.csv.xz`; `x` for `x.xz`, because its content is not known. */
function unpackedName(path: string): string {
  const inner = path.replace(/\.\w{1,7}$/, "");
  if (EXTENSION.test(inner)) return inner;
  if (ONE_FILE.test(path) && !TAR_NAME.test(path)) return path.replace(ONE_FILE, "");
  return EXTENSION.test(path) ? nameBeside(path) : nameInJsonLines(path);
}

/** `x.jsonl` for `x.parquet` or `x.jsonl.xz`; `x.2.jsonl` for `x.jsonl`. */
function nameInJsonLines(path: string): string {
  if (path === STANDARD_INPUT) return "FILE.jsonl";
  const stem = path.replace(/(\.(jsonl|ndjson|json|csv|tsv|txt|tar))?\.(\w{1,7})$/i, "");
  return `${stem}.jsonl` === path ? `${stem}.2.jsonl` : `${stem}.jsonl`;
}

function pathWord(path: string): string {
  return path === STANDARD_INPUT ? "FILE" : posixWord(path);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
