/** A problem in a row. */
export interface ParseError {
  /** `Quotes`, `Delimiter` or `FieldMismatch`. */
  readonly type: string;
  /** `MissingQuotes`, `InvalidQuotes`, … */
  readonly code: string;
  readonly message: string;
  /** Index of the row in the given text, from 0. */
  readonly row?: number;
}

/** Parses pieces of text that begin at a row. */
export interface Parser {
  /**
   * Returns complete rows. With `ignoreLastRow`, leaves the last one, which may be cut, for the
   * next piece.
   */
  parse(text: string, baseIndex: number, ignoreLastRow: boolean): {
    readonly data: string[][];
    readonly errors: readonly ParseError[];
    /** `cursor`: UTF-16 units that were parsed. */
    readonly meta: { readonly cursor: number };
  };
}

declare const Papa: {
  /** `preview`: most rows to read. */
  readonly Parser: new (
    options: { delimiter: string; newline: string; preview?: number },
  ) => Parser;
};
export default Papa;
