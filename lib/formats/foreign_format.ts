/**
 * Recognizes files in other formats by their content. The error then names the format and says how
 * to convert the file. Otherwise, each line would be reported as invalid JSON.
 *
 * @module
 */

import { SourceError } from "../errors.ts";
import { parsedJson } from "../json.ts";
import { filterOf, tableFilter } from "../jq_filters.ts";
import {
  jqAdvice,
  lineEndAdvice,
  TO_JSON_LINES,
  unicodeAdvice,
  unpackAdvice,
  zipAdvice,
} from "./conversion_advice.ts";

/** Returns the error for a format that Retort does not read. */
function foreignError(name: string, what: string, advice: string): SourceError {
  const formats = "JSON Lines, JSON arrays, CSV, TSV, Parquet and plain text";
  return inputError(name, `it is ${what}, and rows are read from ${formats}. ${advice}`);
}

/** Returns the error for a format that Retort reads only with `--input-format`. */
function readableError(name: string, what: string, inputFormat: string): SourceError {
  return inputError(name, `it is ${what}. Add --input-format ${inputFormat}`);
}

export function inputError(name: string, problem: string, cause?: unknown): SourceError {
  return new SourceError(`Cannot read "${name}": ${problem}`, { path: name, cause });
}

/** The advice, or a function that returns it for the path of the file. */
type Advice = string | ((path: string) => string);

const OTHER_FILE = "Name another file";
const NOT_WRITTEN = "It was not written completely: copy or download it again";

/** Formats by their first bytes. If these begin with letters, as in RAR and GGUF, the bytes after
 * the letters occur in hardly any text. */
const SIGNATURES: readonly (readonly [what: string, advice: Advice, ...starts: string[]])[] = [
  ["compressed with xz", unpackAdvice("xz -dc"), "\xfd7zXZ\0"],
  ["a zip archive", zipAdvice, "PK\x03\x04"],
  ["an empty zip archive", OTHER_FILE, "PK\x05\x06"],
  ["compressed with zstd", unpackAdvice("zstd -dc"), "\x28\xb5\x2f\xfd"],
  ["compressed with lzma", unpackAdvice("xz -dc"), "\x5d\0\0"],
  ["compressed with zlib", unpackAdvice("pigz -dcz"), "x\x01", "x\x9c", "x\xda"],
  ["compressed with lz4", unpackAdvice("lz4 -dc"), "\x04\x22\x4d\x18"],
  ["a 7z archive", unpackAdvice("7z x -so"), "7z\xbc\xaf\x27\x1c"],
  ["a rar archive", unpackAdvice("unrar p -inul"), "Rar!\x1a"],
  ["compressed with gzip", unpackAdvice("gzip -dc"), "\x1f\x8b"],
  ["an Arrow file", TO_JSON_LINES, "ARROW1\0"],
  ["an Arrow stream", TO_JSON_LINES, "\xff\xff\xff\xff"],
  ["an Avro file", TO_JSON_LINES, "Obj\x01"],
  ["an SQLite database", TO_JSON_LINES, "SQLite format 3\0"],
  ["an HDF5 file", TO_JSON_LINES, "\x89HDF"],
  ["a NumPy array", TO_JSON_LINES, "\x93NUMPY"],
  ["a Python pickle", TO_JSON_LINES, "\x80\x04\x95", "\x80\x05\x95"],
  ["an Excel or Word file", TO_JSON_LINES, "\xd0\xcf\x11\xe0"],
  ["an image", OTHER_FILE, "\x89PNG", "\xff\xd8\xff"],
  ["a model", OTHER_FILE, "GGUF\x01\0", "GGUF\x02\0", "GGUF\x03\0"],
  ["UTF-32 text", unicodeAdvice("UTF-32"), "\xff\xfe\0\0", "\0\0\xfe\xff"],
  ["UTF-16 text", unicodeAdvice("UTF-16"), "\xff\xfe", "\xfe\xff"],
  ["a program", OTHER_FILE, "\x7fELF"],
];

/** Formats whose signature is not at the start of the file, has variable parts, or consists of
 * letters with which a text may begin. */
const PATTERNS: readonly (readonly [what: string, advice: Advice, start: RegExp])[] = [
  ["an ORC file", TO_JSON_LINES, lettersOfBinary("ORC")],
  ["compressed with bzip2", unpackAdvice("bzip2 -dc"), /^BZh[1-9]1AY&SY/],
  ["a PDF", TO_JSON_LINES, /^%PDF-\d\.\d\s*[\r\n]/],
  // The signature follows the metadata of the first file.
  ["a tar archive", unpackAdvice("tar -xOf"), /^[^]{257}ustar/],
  // In UTF-16 without a byte order mark, every other byte of ASCII text is 0.
  ["UTF-16 text", unicodeAdvice("UTF-16LE"), /^\s*(?:[^\0]\0){2}/],
  ["UTF-16 text", unicodeAdvice("UTF-16BE"), /^(?:\0[^\0]){2}/],
  ["filled with NUL bytes", NOT_WRITTEN, /^\0+$/],
];

const PARQUET = lettersOfBinary("PAR1");

/** Returns a pattern for a start with these letters and a control character anywhere after them.
 * The control characters of texts do not count: tabs, line and page breaks, and the escapes of
 * terminals. In bytes read as Latin-1, 0x80 to 0x9f do not count either, because they are parts of
 * characters in UTF-8, as in `ORC’s`. */
function lettersOfBinary(letters: string): RegExp {
  return new RegExp(`^${letters}[^]*[^\\P{Cc}\\t-\\r\\x1b\\x80-\\x9f]`, "u");
}

export function isParquetStart(start: Uint8Array): boolean {
  return PARQUET.test(latin1(start.subarray(0, START_BYTES)));
}

/** The number of bytes at the start of a file in which formats are recognized. */
const START_BYTES = 512;

/** @param outer The compression of the file, whose content is compressed again. */
export function compressedTwice(path: string, outer: "gzip" | "zstd"): SourceError {
  return foreignError(path, "compressed twice", unpackAdvice(`${outer} -dc`)(path));
}

export function needsDictionary(path: string): SourceError {
  const advice = unpackAdvice("zstd -dc -D DICTIONARY")(path);
  return foreignError(path, "compressed with a zstd dictionary", advice);
}

/** Returns the error for the format that the first bytes show; undefined if they may be text. */
export function foreignBytes(start: Uint8Array, path: string): SourceError | undefined {
  if (isParquetStart(start)) return readableError(path, "a Parquet file", "parquet");
  const format = formatOfBytes(start);
  if (format === undefined) return undefined;
  const [what, advice] = format;
  return foreignError(path, what, typeof advice === "string" ? advice : advice(path));
}

function formatOfBytes(start: Uint8Array): readonly [string, Advice, ...unknown[]] | undefined {
  const text = latin1(start.subarray(0, START_BYTES));
  const known =
    SIGNATURES.find(([, , ...starts]) => starts.some((each) => text.startsWith(each))) ??
      PATTERNS.find(([, , pattern]) => pattern.test(text));
  if (known !== undefined || !hasOnlyCarriageReturns(start)) return known;
  return ["text whose lines end with a carriage return alone", lineEndAdvice];
}

const LINE_FEED = 10, CARRIAGE_RETURN = 13, OPEN_BRACKET = 91;

/** Whether lines end with a carriage return alone, as on a Mac before 2001. The whole file would be
 * read as one line. In a JSON array, such line ends do no harm. */
function hasOnlyCarriageReturns(start: Uint8Array): boolean {
  const lineEnd = start.indexOf(CARRIAGE_RETURN);
  if (lineEnd === -1 || start.includes(LINE_FEED)) return false;
  const isArray = start.find((byte) => byte > 32 && byte < 128) === OPEN_BRACKET;
  return !isArray && start.subarray(lineEnd).some((byte) => byte > 32);
}

/** Returns the error for a file whose first line is not a row. Returns undefined if the text shows
 * no other format, as in JSON Lines with an invalid line. A file of one line may be a table in a
 * single JSON object. */
export function foreignText(
  start: string,
  path: string,
  isOnlyLine: boolean,
): SourceError | undefined {
  const text = start.replace(/^\uFEFF/, "").trimStart();
  const line = text.split("\n", 1)[0].trim();
  const foreign = (what: string, advice: string) => foreignError(path, what, advice);
  if (/^(\/\/|\/\*)/.test(line)) return foreign("JSON with comments", "Remove the comments");
  const filter = isOnlyLine ? tableFilter(line) : undefined;
  if (filter !== undefined) return foreign("a table in one JSON object", jqAdvice(path, filter));
  if (/^<(!doctype|html|\?xml|head|body)\b/i.test(line)) {
    const advice = "The download returned a web page instead of the file: download it again";
    return foreign("a web page", advice);
  }
  if (line.startsWith("version https://git-lfs.github.com/")) {
    return foreign("a Git LFS pointer", 'Fetch the file: "git lfs pull"');
  }
  if (line.startsWith("[") && !isMessageArray(line)) {
    return isOnlyLine || parsedJson(line) === undefined
      ? readableError(path, "a JSON array", "json")
      : foreign("JSON Lines of arrays, not of objects", jqAdvice(path, "'.[]'"));
  }
  // A complete object with a comma after it is an element of a list, not the start of an object.
  const isUnclosed = line.length < MAX_UNCLOSED_CHARS && /^\{(.*[[{,])?$/.test(line);
  if (isUnclosed && !/^\{.*\},$/.test(line)) {
    return foreign("JSON over several lines", jqAdvice(path, filterOf(text)));
  }
  return line.startsWith("{") ? undefined : nonJsonText(line, path);
}

/** The maximum length of the first line of pretty-printed JSON. A longer line may be a truncated
 * row. */
const MAX_UNCLOSED_CHARS = 4_000;

function nonJsonText(line: string, path: string): SourceError | undefined {
  const extension = /\.([a-z]+)(\.gz)?$/i.exec(path)?.[1].toLowerCase();
  const delimiter = [",", ";", "\t"].find((candidate) => isHeader(line, candidate));
  if (extension === "tsv" || (delimiter === "\t" && extension !== "txt")) {
    return readableError(path, "a TSV file", "tsv");
  }
  if (extension === "csv" || (delimiter !== undefined && extension !== "txt")) {
    return readableError(path, "a CSV file", "csv");
  }
  if (extension === "yaml" || extension === "yml" || line === "---") {
    const advice =
      "If it is a configuration, name it with --config. Otherwise, convert it to JSON Lines";
    return foreignError(path, "a YAML file", advice);
  }
  if (extension !== "txt" && extension !== "md") return undefined;
  return readableError(path, "plain text", "txt");
}

/** Whether a line consists of at least two names, none of which is a sentence. */
function isHeader(line: string, delimiter: string): boolean {
  const names = line.split(delimiter);
  return names.length > 1 &&
    names.every((name) => /^"?[\p{L}_#][\p{L}\d _.\-/()]{0,40}"?$/u.test(name));
}

/** Whether a row is a list of messages. In an incomplete line, the first key decides. */
export function isMessageArray(line: string): boolean {
  const messages = parsedJson(line) as unknown[] | undefined;
  if (messages === undefined) return /^\[\s*\{\s*"(role|from)"/.test(line);
  const [first] = messages;
  return typeof first === "object" && first !== null && ("role" in first || "from" in first);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
