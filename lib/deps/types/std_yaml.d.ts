/** Throws `SyntaxError` with the line and column when the text is not YAML. */
export declare function parse(content: string): unknown;

/** Writes a value as YAML. Aliases of objects that are in it twice are left out with `useAnchors: false`. */
export declare function stringify(
  data: unknown,
  options?: { lineWidth?: number; useAnchors?: boolean; skipInvalid?: boolean },
): string;
