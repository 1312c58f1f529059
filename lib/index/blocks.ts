/**
 * Typed arrays whose memory returns to the system when they are freed.
 *
 * @module
 */

/** Smaller arrays are not worth a mapping: a run may have thousands of small tables. */
const MIN_MAPPED_BYTES = 16_384;

/** Creates an array. A large one has a resizable buffer, because V8 maps separate pages for each
 * resizable buffer. Other buffers are in the heap of the C library, which keeps the gaps that
 * freed buffers leave: 8 MB after the first pass over 1,000,000 rows. */
export function newWords(length: number): Uint32Array {
  const byteLength = length * Uint32Array.BYTES_PER_ELEMENT;
  if (byteLength < MIN_MAPPED_BYTES) return new Uint32Array(length);
  return new Uint32Array(new ArrayBuffer(byteLength, { maxByteLength: byteLength }), 0, length);
}

/** Frees the memory of an array at once, because the garbage collector would free it late. */
export function free({ buffer }: { readonly buffer: ArrayBufferLike }): void {
  if (!(buffer instanceof ArrayBuffer)) return;
  if (buffer.resizable) buffer.resize(0);
  else buffer.transfer(0);
}
