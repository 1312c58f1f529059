/**
 * Typed arrays whose memory returns to the system when they are freed.
 *
 * @module
 */

/** Smaller arrays would waste most of a page. */
const MIN_MAPPED_BYTES = 4_096;

export function newBytes(length: number): Uint8Array {
  return new Uint8Array(newBuffer(length), 0, length);
}

export function newWords(length: number): Uint32Array {
  return new Uint32Array(newBuffer(length * Uint32Array.BYTES_PER_ELEMENT), 0, length);
}

/** A large buffer is resizable, because V8 maps the pages of such a buffer for it alone. Other
 * buffers are in the heap of the C library, which keeps the gaps that freed ones leave: 9 MB after
 * the first pass over 1,000,000 rows. */
function newBuffer(byteLength: number): ArrayBuffer {
  return byteLength < MIN_MAPPED_BYTES
    ? new ArrayBuffer(byteLength)
    : new ArrayBuffer(byteLength, { maxByteLength: byteLength });
}

/** Frees the memory of an array now: the garbage collector would be late. */
export function free({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  if (!(buffer instanceof ArrayBuffer)) return;
  if (buffer.resizable) buffer.resize(0);
  else buffer.transfer(0);
}
