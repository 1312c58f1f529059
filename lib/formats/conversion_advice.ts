/**
 * Advice on how to convert or unpack a file in another format, given as commands that users can
 * paste into a POSIX shell. On Windows, the commands for UTF-16 and UTF-32 are for PowerShell.
 *
 * @module
 */

import { posixWord, windowsWord } from "../printable.ts";

export const TO_JSON_LINES = "Convert it to JSON Lines, one object a line";

const STANDARD_INPUT = "-";

/** Returns advice for a zip archive. Many formats are zip archives with another extension. */
export function zipAdvice(path: string): string {
  const isPlainZip = !/\.(xls[xmb]|docx|ods|npz|pth?|jar)$/i.test(path);
  return isPlainZip ? unpackAdvice("unzip -p")(path) : TO_JSON_LINES;
}

export function jqAdvice(path: string, filter: string): string {
  const command = readingFrom(path, `jq -c ${filter}`);
  return `Convert it: ${command} > ${pathWord(nameInJsonLines(path))}`;
}

/**
 * Completes a command with the file that it reads. A file named `.gz`, `.zst` or `.zstd` is
 * decompressed and piped into the command.
 *
 * @param redirection `"< "` for a command that reads only standard input.
 */
function readingFrom(path: string, command: string, redirection = ""): string {
  const word = pathWord(path), [, extension] = COMPRESSED.exec(path) ?? [];
  if (extension === undefined) return `${command} ${redirection}${word}`;
  return `${/^z/i.test(extension) ? "zstd" : "gzip"} -dc ${word} | ${command}`;
}

/** Matches the extensions of the compressions that Retort reads. */
const COMPRESSED = /\.(gz|zstd?)$/i;

/** Encodings of text, with their names in PowerShell. `UTF-16` and `UTF-32` are only for text with
 * a byte order mark; without one, iconv would assume a byte order. */
const POWERSHELL_NAMES = {
  "UTF-16": "Unicode",
  "UTF-16LE": "Unicode",
  "UTF-16BE": "BigEndianUnicode",
  "UTF-32": "UTF32",
} as const;

/** This does not use `Deno.build`, which does not exist in the bundle for Node. */
const IS_WINDOWS = /^win/i.test(globalThis.navigator?.platform ?? "");

/** Returns advice on how to convert text to UTF-8. Windows has no iconv, and `>` in its PowerShell
 * writes UTF-16. */
export function unicodeAdvice(
  encoding: keyof typeof POWERSHELL_NAMES,
  isWindows = IS_WINDOWS,
): (path: string) => string {
  return (path) => {
    if (!isWindows) {
      const command = readingFrom(path, `iconv -f ${encoding} -t UTF-8`);
      return `Convert it: ${command} > ${pathWord(nameBeside(path))}`;
    }
    // PowerShell has no command for decompression.
    const plain = path.replace(COMPRESSED, "");
    const [from, to] = [plain, nameBeside(plain)].map(powershellWord);
    return `${plain === path ? "Convert it" : "Decompress it, then convert it"} in PowerShell: ` +
      `Get-Content -Encoding ${
        POWERSHELL_NAMES[encoding]
      } ${from} | Set-Content -Encoding UTF8 ${to}`;
  };
}

export function lineEndAdvice(path: string): string {
  const command = readingFrom(path, "tr '\\r' '\\n'", "< ");
  return `Convert it: ${command} > ${pathWord(nameBeside(path))}`;
}

export function unpackAdvice(command: string): (path: string) => string {
  return (path) => {
    // `command` would only decompress the archive, not extract its files.
    const tool = TAR_NAME.test(path) ? "tar -xOf" : command;
    return `Unpack it: ${tool} ${pathWord(path)} > ${pathWord(unpackedName(path))}`;
  };
}

const TAR_NAME = /\.(?:tar\.\w{1,5}|t[bglx]z2?)$/i;

const EXTENSION = /\.(jsonl|ndjson|json|csv|tsv|txt|parquet)$/i;

/** Matches the extensions of single compressed files, as opposed to archives. */
const ONE_FILE = /\.(?:xz|lzma|bz2|lz4|zst|zz|z|gz)$/i;

/** Returns `x.2.csv` for `x.csv`, `x.csv` for `x.csv.gz`, and `x.jsonl` for other extensions. */
function nameBeside(path: string): string {
  const plain = path.replace(COMPRESSED, "");
  if (plain !== path && EXTENSION.test(plain)) return plain;
  const isNamed = path !== STANDARD_INPUT && EXTENSION.test(path);
  return isNamed ? path.replace(EXTENSION, ".2$&") : nameInJsonLines(path);
}

/** Returns `x.csv` for `x.csv.xz`. If the name does not show what is inside, returns `x` for
 * `x.xz`, and `x.jsonl` for the archives `x.zip` and `x.tgz`. */
function unpackedName(path: string): string {
  const inner = path.replace(/\.\w{1,7}$/, "");
  if (EXTENSION.test(inner)) return inner;
  if (ONE_FILE.test(path) && !TAR_NAME.test(path)) return path.replace(ONE_FILE, "");
  return EXTENSION.test(path) ? nameBeside(path) : nameInJsonLines(path);
}

/** Returns `x.jsonl` for `x.parquet` or `x.jsonl.xz`, and `x.2.jsonl` for `x.jsonl`. */
function nameInJsonLines(path: string): string {
  if (path === STANDARD_INPUT) return "FILE.jsonl";
  const stem = path.replace(/(\.(jsonl|ndjson|json|csv|tsv|txt|tar))?\.(\w{1,7})$/i, "");
  // Most file systems of macOS and Windows ignore case, so `X.JSONL` would overwrite itself.
  const isSame = `${stem}.jsonl`.toLowerCase() === path.toLowerCase();
  return isSame ? `${stem}.2.jsonl` : `${stem}.jsonl`;
}

function pathWord(path: string): string {
  return path === STANDARD_INPUT ? "FILE" : posixWord(path);
}

function powershellWord(path: string): string {
  return path === STANDARD_INPUT ? "FILE" : windowsWord(path);
}
