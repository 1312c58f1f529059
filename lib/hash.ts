/**
 * The hashes that Retort uses.
 *
 * `node:crypto` is only used for the first texts: on Deno 2.9.6 every call leaves native memory behind until the
 * next major garbage collection, 120 MB over 500,000 calls. SHA-256 and xxHash64 in WebAssembly leave nothing.
 *
 * @module
 */

import { xxhash } from "./deps/xxhash_wasm.ts";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** Texts that `node:crypto` hashes. To load the other one takes 8 ms, and its code is three times as slow until V8
 * has optimised it. */
const FIRST_TEXTS = 20_000;

const { h64ToString } = await xxhash();
const ENCODER = new TextEncoder();
let buffer = new Uint8Array(1 << 16);
// Not a plain `Uint8Array`: Node 24 has no `toHex`.
const hash = Buffer.alloc(32);
let sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
let texts = 0;

/** SHA-256 of the text's UTF-8 bytes as 64 hex digits, lower case: for names that must never collide. */
export function sha256Hex(text: string): string {
  digest(text);
  return hash.toString("hex");
}

/** The first 32 hex digits of SHA-256: 2.5 µs for 400 characters. */
export function sha256Start(text: string): string {
  digest(text);
  return hash.toString("hex", 0, 16);
}

/** Leaves the digest in `hash`: only the digits that are read are written, and no buffer is allocated. */
function digest(text: string): void {
  // One UTF-16 unit takes three bytes at most.
  if (text.length * 3 > buffer.length) buffer = new Uint8Array(text.length * 3);
  const { written } = ENCODER.encodeInto(text, buffer);
  hash.set(sha256(buffer.subarray(0, written)));
  if (++texts === FIRST_TEXTS) void useWebAssembly();
}

async function useWebAssembly(): Promise<void> {
  try {
    const { createSHA256 } = await import("./deps/hash_wasm.ts");
    const wasm = await createSHA256();
    sha256 = (bytes) => wasm.init().update(bytes).digest("binary");
  } catch {
    // The program was replaced meanwhile. The hashes are the same without it.
  }
}

/**
 * xxHash64 of the text's UTF-8 bytes as 16 hex digits, lower case: to notice changes. 0.25 µs for 400
 * characters.
 */
export function xxHash64Hex(text: string): string {
  return h64ToString(text);
}

/** A 32-bit hash of a text (FNV-1a), for uses where collisions do no harm. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
