/**
 * Divides a zstd file into frames (RFC 8878, 3.1), and checks that the file is complete. Without
 * this check, rows could be missing unnoticed: `node:zlib` stops without an error at truncated data
 * or a skippable frame, and drops what follows a frame in the same write.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const FRAME = 0xfd2fb528;
/** Skippable frames have the magic numbers 0x184d2a50 to 0x184d2a5f. */
const SKIPPABLE = 0x184d2a50, SKIPPABLE_MASK = 0xfffffff0;
/** The maximum size of a frame header, without the magic number. */
const MAX_HEADER_BYTES = 14;

type Part = "magic" | "skippable size" | "descriptor" | "fields" | "block" | "content" | "checksum";

export class ZstdFrames {
  #part: Part = "magic";
  /** The bytes of the current part, unless the part is content. */
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #filled = 0;
  /** The size of the complete part, in bytes. */
  #needed = 4;
  /** The number of bytes left in the content of a block or skippable frame. */
  #unparsedBytes = 0;
  #hasChecksum = false;
  #isLastBlock = false;

  /**
   * Returns copies of the bytes, without skippable frames. An array never contains bytes of two
   * frames, but a frame may span several arrays.
   *
   * @throws {Error} if the bytes are not zstd frames
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let pieces: Uint8Array[] = [];
    const addPiece = (piece: Uint8Array) => {
      pieces.push(piece);
      if (this.#part !== "magic") return;
      frames.push(new Uint8Array(Buffer.concat(pieces)));
      pieces = [];
    };
    for (let offset = 0; offset < bytes.length;) {
      if (this.#unparsedBytes > 0) {
        const count = Math.min(this.#unparsedBytes, bytes.length - offset);
        const isData = this.#part === "content";
        this.#unparsedBytes -= count;
        if (this.#unparsedBytes === 0 && isData) this.#endBlock();
        if (isData) addPiece(bytes.subarray(offset, offset + count));
        offset += count;
        continue;
      }
      this.#header[this.#filled++] = bytes[offset++];
      if (this.#filled < this.#needed) continue;
      const header = this.#header.slice(0, this.#filled), part = this.#part;
      this.#filled = 0;
      this.#finishHeader();
      const isSkippable = part === "skippable size" || this.#part === "skippable size";
      if (!isSkippable) addPiece(header);
    }
    if (pieces.length > 0) frames.push(new Uint8Array(Buffer.concat(pieces)));
    return frames;
  }

  /** @throws {Error} if the last frame is incomplete */
  end(): void {
    const isWhole = this.#part === "magic" && this.#filled === 0 && this.#unparsedBytes === 0;
    if (!isWhole) throw new Error("unexpected end of file");
  }

  #finishHeader(): void {
    switch (this.#part) {
      case "magic": {
        const magic = this.#littleEndian(4);
        if (magic === FRAME) return this.#expect("descriptor", 1);
        if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE) return this.#expect("skippable size", 4);
        throw new Error("other bytes after its end");
      }
      case "skippable size":
        this.#unparsedBytes = this.#littleEndian(4);
        return this.#expect("magic", 4);
      case "descriptor":
        return this.#readDescriptor(this.#header[0]);
      case "block":
        return this.#readBlockHeader(this.#littleEndian(3));
      case "fields":
        return this.#expect("block", 3);
      case "checksum":
        return this.#expect("magic", 4);
    }
  }

  /** Determines which fields the frame header has (RFC 8878, 3.1.1.1.1). */
  #readDescriptor(descriptor: number): void {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const windowBytes = isSingleSegment ? 0 : 1;
    const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6];
    const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3];
    this.#hasChecksum = (descriptor & 4) !== 0;
    this.#expect("fields", windowBytes + dictionaryIdBytes + contentSizeBytes);
  }

  #readBlockHeader(header: number): void {
    this.#isLastBlock = (header & 1) !== 0;
    const type = (header >> 1) & 3, size = header >>> 3;
    this.#part = "content";
    // A block that repeats a single byte stores only that byte.
    this.#unparsedBytes = type === 1 ? 1 : size;
    if (this.#unparsedBytes === 0) this.#endBlock();
  }

  #endBlock(): void {
    if (!this.#isLastBlock) this.#expect("block", 3);
    else if (this.#hasChecksum) this.#expect("checksum", 4);
    else this.#expect("magic", 4);
  }

  #expect(part: Part, bytes: number): void {
    this.#part = part;
    this.#needed = bytes;
  }

  #littleEndian(bytes: number): number {
    let number = 0;
    for (let i = bytes - 1; i >= 0; i--) number = number * 256 + this.#header[i];
    return number;
  }
}
