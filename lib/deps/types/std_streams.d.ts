export declare class TextLineStream extends TransformStream<string, string> {
  constructor(options?: { allowCR?: boolean });
}
/** Each chunk is one JSON text; blank chunks are left out. */
export declare class JsonParseStream extends TransformStream<string, unknown> {
  constructor(
    options?: {
      writableStrategy?: QueuingStrategy<string>;
      readableStrategy?: QueuingStrategy<unknown>;
    },
  );
}
/** Writes a line of each chunk. */
export declare class JsonStringifyStream extends TransformStream<unknown, string> {
  constructor(options?: { prefix?: string; suffix?: string });
}
export declare function toTransformStream<I, O>(
  transformer: (source: ReadableStream<I>) => Iterable<O> | AsyncIterable<O>,
  writableStrategy?: QueuingStrategy<I>,
  readableStrategy?: QueuingStrategy<O>,
): TransformStream<I, O>;
