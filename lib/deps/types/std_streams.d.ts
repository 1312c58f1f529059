export declare class TextLineStream extends TransformStream<string, string> {
  constructor(options?: { allowCR?: boolean });
}
/** Each chunk must be one JSON text; blank chunks are skipped. */
export declare class JsonParseStream extends TransformStream<string, unknown> {
  constructor(
    options?: {
      writableStrategy?: QueuingStrategy<string>;
      readableStrategy?: QueuingStrategy<unknown>;
    },
  );
}
/** Writes each chunk as one line of JSON. */
export declare class JsonStringifyStream extends TransformStream<unknown, string> {
  constructor(options?: { prefix?: string; suffix?: string });
}
export declare function toTransformStream<I, O>(
  transformer: (source: ReadableStream<I>) => Iterable<O> | AsyncIterable<O>,
  writableStrategy?: QueuingStrategy<I>,
  readableStrategy?: QueuingStrategy<O>,
): TransformStream<I, O>;
