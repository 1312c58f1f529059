/**
 * Files that are no JSON Lines, by their content: a user who hands one over should hear what it is and how to
 * convert it, not that each of its lines is no JSON.
 *
 * @module
 */

/** A format that cannot be read as rows. */
export interface ForeignFormat {
  /** What it is; stands after `it is `. */
  readonly what: string;
  /** The way out: a sentence, often with a command. */
  readonly advice: (path: string) => string;
}

/** How standard input is named. */
const STANDARD_INPUT = "-";

/** Formats that begin with certain bytes. */
const SIGNATURES: readonly (readonly [bytes: string, format: ForeignFormat])[] = [
  ["PAR1", { what: "a Parquet file", advice: () => "Add --input-format parquet" }],
  ["\xfd7zXZ\0", { what: "packed with xz", advice: unpackedWith("xz -dc") }],
  ["PK\x03\x04", { what: "a zip archive", advice: fromZip }],
  ["PK\x05\x06", { what: "an empty zip archive", advice: () => "There is nothing in it" }],
  ["\x28\xb5\x2f\xfd", { what: "packed with zstd", advice: unpackedWith("zstd -dc") }],
  ["BZh", { what: "packed with bzip2", advice: unpackedWith("bzip2 -dc") }],
  ["\x04\x22\x4d\x18", { what: "packed with lz4", advice: unpackedWith("lz4 -dc") }],
  ["7z\xbc\xaf\x27\x1c", { what: "a 7z archive", advice: unpackedWith("7z x -so") }],
  ["Rar!", { what: "a rar archive", advice: unpackedWith("unrar p -inul") }],
  ["\x1f\x8b", { what: "packed with gzip twice", advice: unpackedWith("gzip -dc") }],
  ["ARROW1", { what: "an Arrow file", advice: toJsonLines }],
  ["\xff\xff\xff\xff", { what: "an Arrow stream", advice: toJsonLines }],
  ["Obj\x01", { what: "an Avro file", advice: toJsonLines }],
  ["SQLite format 3\0", { what: "an SQLite database", advice: toJsonLines }],
  ["\x89HDF", { what: "an HDF5 file", advice: toJsonLines }],
  ["\x93NUMPY", { what: "a NumPy array", advice: toJsonLines }],
  ["\x80\x04\x95", { what: "a Python pickle", advice: toJsonLines }],
  ["\x80\x05\x95", { what: "a Python pickle", advice: toJsonLines }],
  ["\xd0\xcf\x11\xe0", { what: "an Excel or Word file", advice: toJsonLines }],
  ["%PDF", { what: "a PDF", advice: toJsonLines }],
  ["\x89PNG", { what: "an image", advice: toJsonLines }],
  ["\xff\xd8\xff", { what: "an image", advice: toJsonLines }],
  ["GGUF", { what: "a model", advice: toJsonLines }],
  ["\xff\xfe", { what: "UTF-16 text", advice: fromUtf16 }],
  ["\xfe\xff", { what: "UTF-16 text", advice: fromUtf16 }],
  ["\x7fELF", { what: "a program", advice: toJsonLines }],
];

/** A tar archive names itself behind the name of its first file. */
const TAR = { offset: 257, text: "ustar" };

/** What a file is whose first bytes are these; undefined where they may be text. */
export function foreignBytes(start: Uint8Array): ForeignFormat | undefined {
  const text = latin1(start.subarray(0, 512));
  const signed = SIGNATURES.find(([bytes]) => text.startsWith(bytes));
  if (signed !== undefined) return signed[1];
  if (text.startsWith(TAR.text, TAR.offset)) {
    return { what: "a tar archive", advice: unpackedWith("tar -xOf") };
  }
  // UTF-16 of ASCII without a mark: every other byte is 0.
  if (/^\s*(?:[^\0]\0){2}/.test(text) || /^(?:\0[^\0]){2}/.test(text)) {
    return { what: "UTF-16 text", advice: fromUtf16 };
  }
  if (/^\0+$/.test(text)) {
    return {
      what: "filled with NUL bytes",
      advice: () => "It was not written whole: copy or download it again",
    };
  }
  return undefined;
}

/** What a text file is whose first line is no row; undefined where it is JSON Lines with a bad line. */
export function foreignText(firstLine: string, path: string): ForeignFormat | undefined {
  const line = firstLine.trim();
  if (/^<(!doctype|html|\?xml|head|body)\b/i.test(line)) {
    return {
      what: "a web page",
      advice: () => "A download gave a page instead of the file: download it again",
    };
  }
  if (line.startsWith("version https://git-lfs.github.com/")) {
    return {
      what: "a pointer of Git LFS",
      advice: () => 'Fetch the file: "git lfs pull"',
    };
  }
  if (line.startsWith("[") && !isMessageArray(line)) {
    return { what: "a JSON array", advice: (path) => withJq(path, "'.[]'") };
  }
  // A whole row with a comma behind it is a line of a list.
  const isOpen = line.length < MOST_OPEN && /^\{(.*[[{,])?$/.test(line);
  if (isOpen && !/^\{.*\},$/.test(line)) {
    const list = /^\{\s*"([^"]*)"\s*:\s*\[/.exec(line)?.[1];
    const filter = list === undefined ? "." : `'.["${list}"][]'`;
    return { what: "JSON over several lines", advice: (path) => withJq(path, filter) };
  }
  return line.startsWith("{") ? undefined : separatedText(line, path);
}

/** The first line of pretty-printed JSON is short; of a longer one only the beginning may be known. */
const MOST_OPEN = 4_000;

/** The lines of a table, or of plain text. */
function separatedText(line: string, path: string): ForeignFormat | undefined {
  const extension = /\.([a-z]+)(\.gz)?$/i.exec(path)?.[1].toLowerCase();
  const isTable = [",", ";", "\t"].find((separator) => isHeader(line, separator));
  if (extension === "tsv" || (isTable === "\t" && extension !== "txt")) {
    return { what: "a TSV file", advice: () => "Add --input-format tsv" };
  }
  if (extension === "csv" || (isTable !== undefined && extension !== "txt")) {
    return { what: "a CSV file", advice: () => "Add --input-format csv" };
  }
  if (extension === "yaml" || extension === "yml" || line === "---") {
    return { what: "a YAML file", advice: () => "A configuration is named with --config" };
  }
  if (extension !== "txt" && extension !== "md") return undefined;
  return { what: "plain text", advice: (path) => withJq(path, "-R '{prompt: .}'") };
}

/** Names of columns: at least two, and none of them a sentence. */
function isHeader(line: string, separator: string): boolean {
  const names = line.split(separator);
  return names.length > 1 &&
    names.every((name) => /^"?[\p{L}_#][\p{L}\d _.\-/()]{0,40}"?$/u.test(name));
}

/** Whether a line that begins an array is a row of its own: a bare list of messages. */
function isMessageArray(line: string): boolean {
  try {
    const [first] = JSON.parse(line) as unknown[];
    return typeof first === "object" && first !== null && ("role" in first || "from" in first);
  } catch {
    return /^\[\s*\{\s*"(role|from)"/.test(line);
  }
}

/** Many formats are zip archives with another name. */
function fromZip(path: string): string {
  const isArchive = !/\.(xls[xmb]|docx|ods|npz|pth?|jar)$/i.test(path);
  return isArchive ? unpackedWith("unzip -p")(path) : toJsonLines();
}

function withJq(path: string, filter: string): string {
  return `Convert it: jq -c ${filter} ${word(path)} > ${word(nameInJsonLines(path))}`;
}

function fromUtf16(path: string): string {
  return `Convert it: iconv -f UTF-16 -t UTF-8 ${word(path)} > ${word(nameInJsonLines(path))}`;
}

function toJsonLines(): string {
  return "Convert it to JSON Lines, one object a line";
}

function unpackedWith(command: string): (path: string) => string {
  return (path) => `Unpack it: ${command} ${word(path)} > ${word(nameInJsonLines(path))}`;
}

/** `x.jsonl` for `x.parquet`, `x.jsonl.xz` and, where that would be the file itself, `x.2.jsonl`. */
function nameInJsonLines(path: string): string {
  if (path === STANDARD_INPUT) return "FILE.jsonl";
  const stem = path.replace(/(\.(jsonl|ndjson|json|csv|tsv|txt|tar))?\.(\w{1,7})$/i, "");
  return `${stem}.jsonl` === path ? `${stem}.2.jsonl` : `${stem}.jsonl`;
}

/** As a POSIX shell reads it back. */
function word(path: string): string {
  if (path === STANDARD_INPUT) return "FILE";
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
