/** Throws a `SyntaxError` with line and column if the text is not YAML. */
export declare function parse(content: string): unknown;

/** Without `useAnchors`, an object that occurs twice is written twice instead of as an alias. */
export declare function stringify(
  data: unknown,
  options?: { lineWidth?: number; useAnchors?: boolean; skipInvalid?: boolean },
): string;
