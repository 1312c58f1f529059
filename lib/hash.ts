/**
 * The hashes that Retort uses: SHA-256 and xxHash64 of texts, MurmurHash3 of ids, and FNV-1a where
 * collisions do no harm.
 *
 * An id of 32 lower-case hex digits is its own hash. Other ids, of which a run may have millions,
 * are hashed by MurmurHash3 (Austin Appleby, public domain; 128 bits, for 32-bit machines). It
 * takes 0.05 µs for 20 bytes, whereas SHA-256 takes 2 µs. Accidental collisions are as rare as with
 * any 128-bit hash, and impossible between ids of the same length up to 16 bytes. Rows whose ids
 * were constructed to collide are detected by their different content and reported.
 *
 * The first 10,000 SHA-256 hashes come from `node:crypto`, which is loaded anyway. At the start, it
 * takes 2.5 µs per text, whereas WebAssembly takes 5 µs. Later texts are hashed by WebAssembly,
 * because on Deno 2.9.6 each call of `node:crypto` leaves native memory until the next major
 * garbage collection. Over 500,000 calls, this was 120 MB.
 *
 * @module
 */

import { createSHA256 } from "./deps/hash_wasm.ts";
import { xxhash } from "./deps/xxhash_wasm.ts";
import { isUtf8 } from "node:buffer";
import { hash as nativeHash } from "node:crypto";

const { h64ToString } = await xxhash();
const ENCODER = new TextEncoder();
let buffer = new Uint8Array(1 << 16);

/** The number of texts that `node:crypto` hashes. They leave 2 MB of native memory; 20,000 texts
 * would leave 5 MB. */
const NATIVE_TEXTS = 10_000;
let nativeTexts = 0;
/** The hasher that is created after `NATIVE_TEXTS` texts. If it cannot be created, for example
 * because there is too little address space (`ulimit -v`), `node:crypto` hashes all texts. A run
 * that has paid for answers must not fail for this reason. */
let sha256: Awaited<ReturnType<typeof createSHA256>> | undefined;

/** Returns the SHA-256 of the text in UTF-8, in lower-case hex, for names that must never
 * collide. */
export function sha256Hex(text: string): string {
  // A UTF-16 unit takes at most three bytes.
  if (text.length * 3 > buffer.length) buffer = new Uint8Array(text.length * 3);
  const bytes = buffer.subarray(0, ENCODER.encodeInto(text, buffer).written);
  // Converting only the needed digits of a binary digest to hex takes 10 % longer.
  if (sha256 !== undefined) return sha256.init().update(bytes).digest("hex");
  if (++nativeTexts === NATIVE_TEXTS) {
    createSHA256().then((hasher) => sha256 = hasher, () => {});
  }
  return nativeHash("sha256", bytes, "hex");
}

/** Returns the first 32 hex digits of the SHA-256. This takes 2 µs for 400 characters. */
export function sha256Start(text: string): string {
  return sha256Hex(text).slice(0, 32);
}

/** Returns the xxHash64 as 16 lower-case hex digits, for detecting changes. This takes 0.25 µs for
 * 400 characters. */
export function xxHash64Hex(text: string): string {
  return h64ToString(text);
}

/** Returns the FNV-1a hash of the UTF-16 units, for uses in which collisions do no harm. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Combines two hashes, using the golden-ratio constant and the last steps of MurmurHash3. */
export function mixHashes(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The number of 32-bit words in a key, which is the hash of an id. */
export const KEY_WORDS = 4;

const C1 = 0x239b961b, C2 = 0xab0e9789, C3 = 0x38b34ae5, C4 = 0xa1e38b93;

/** Writes the MurmurHash3 (128 bits, with the seed 0) to `key`. */
export function murmur3(bytes: Uint8Array, start: number, end: number, key: Uint32Array): void {
  let a = 0, b = 0, c = 0, d = 0;
  let offset = start;
  for (; offset + 16 <= end; offset += 16) {
    a = rotate(a ^ scramble(word(bytes, offset), C1, 15, C2), 19) + b | 0;
    a = Math.imul(a, 5) + 0x561ccd1b | 0;
    b = rotate(b ^ scramble(word(bytes, offset + 4), C2, 16, C3), 17) + c | 0;
    b = Math.imul(b, 5) + 0x0bcaa747 | 0;
    c = rotate(c ^ scramble(word(bytes, offset + 8), C3, 17, C4), 15) + d | 0;
    c = Math.imul(c, 5) + 0x96cd1c35 | 0;
    d = rotate(d ^ scramble(word(bytes, offset + 12), C4, 18, C1), 13) + a | 0;
    d = Math.imul(d, 5) + 0x32ac3b17 | 0;
  }
  const length = end - start;
  a ^= scramble(tailWord(bytes, offset, end), C1, 15, C2) ^ length;
  b ^= scramble(tailWord(bytes, offset + 4, end), C2, 16, C3) ^ length;
  c ^= scramble(tailWord(bytes, offset + 8, end), C3, 17, C4) ^ length;
  d ^= scramble(tailWord(bytes, offset + 12, end), C4, 18, C1) ^ length;
  a = a + b + c + d | 0;
  const e = finish(a), f = finish(b + a | 0), g = finish(c + a | 0), h = finish(d + a | 0);
  const sum = e + f + g + h | 0;
  key[0] = sum;
  key[1] = f + sum;
  key[2] = g + sum;
  key[3] = h + sum;
}

function word(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | bytes[offset + 1] << 8 | bytes[offset + 2] << 16 | bytes[offset + 3] << 24;
}

/** Returns up to four bytes from `offset`, all before `end`, as a little-endian number. Missing
 * bytes count as 0, and a word of 0 does not change the hash. */
function tailWord(bytes: Uint8Array, offset: number, end: number): number {
  let value = 0;
  for (let i = Math.min(end, offset + 4) - 1; i >= offset; i--) value = value << 8 | bytes[i];
  return value;
}

function scramble(value: number, first: number, bits: number, second: number): number {
  return Math.imul(rotate(Math.imul(value, first), bits), second);
}

function rotate(value: number, bits: number): number {
  return value << bits | value >>> 32 - bits;
}

function finish(value: number): number {
  value = Math.imul(value ^ value >>> 16, 0x85ebca6b);
  value = Math.imul(value ^ value >>> 13, 0xc2b2ae35);
  return value ^ value >>> 16;
}

/** Mixes a hash into 32 bits. All four words are used, because ids of 32 hex digits may differ in
 * any one of them. The constants are Knuth's golden ratio and those of MurmurHash3. */
export function mixWords(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a ^ (a >>> 16), 0x9e3779b1) ^ b;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ c;
  hash = Math.imul(hash ^ (hash >>> 13), 0x9e3779b1) ^ d;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The value of each lower-case hex digit; 255 for any other byte. */
const DIGITS = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

const UID_DIGITS = 32;

/** Writes the key of an id to `key`. The id is the text between the quotes of a JSON string.
 * Returns false if the id must be parsed first, because it contains escapes or is not UTF-8. */
export function readKey(bytes: Uint8Array, start: number, end: number, key: Uint32Array): boolean {
  if (end - start === UID_DIGITS && readHex(bytes, start, key)) return true;
  if (!isPlain(bytes, start, end)) return false;
  murmur3(bytes, start, end, key);
  return true;
}

function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  let isAscii = true;
  for (let i = start; i < end; i++) {
    if (bytes[i] === BACKSLASH) return false;
    if (bytes[i] >= 128) isAscii = false;
  }
  return isAscii || isUtf8(bytes.subarray(start, end));
}

const BACKSLASH = 92;

function readHex(bytes: Uint8Array, start: number, key: Uint32Array): boolean {
  // All digits, combined by "or". A byte that is not a digit makes this 255.
  let combined = 0;
  for (let word = 0; word < KEY_WORDS; word++) {
    let value = 0;
    for (let i = start + word * 8; i < start + word * 8 + 8; i++) {
      const digit = DIGITS[bytes[i]];
      combined |= digit;
      value = (value << 4) | digit;
    }
    key[word] = value;
  }
  return combined <= 15;
}

/** Whether an id is its own hash, which is the case for 32 lower-case hex digits. */
export function isKey(text: string): boolean {
  if (text.length !== UID_DIGITS) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || DIGITS[code] > 15) return false;
  }
  return true;
}

export function areLowerHexDigits(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (!(DIGITS[bytes[i]] <= 15)) return false;
  return true;
}

/** Returns eight hex digits of a text as an unsigned number. */
export function hexWordAt(text: string, start: number): number {
  let value = 0;
  for (let i = start; i < start + 8; i++) value = value << 4 | DIGITS[text.charCodeAt(i)];
  return value >>> 0;
}

/** Returns eight hex digits in a buffer as a signed number. */
export function hexWordIn(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let i = start; i < start + 8; i++) value = value << 4 | DIGITS[bytes[i]];
  return value;
}
