/** What is wrong with a row. */
export interface ParseError {
  /** `Quotes`, `Delimiter` or `FieldMismatch`. */
  readonly type: string;
  /** `MissingQuotes`, `InvalidQuotes`, … */
  readonly code: string;
  /** In words. */
  readonly message: string;
  /** The row in this piece of text, from 0. */
  readonly row?: number;
}

/** Reads pieces of text that begin at a row. */
export interface Parser {
  /** Gives whole rows; with `ignoreLastRow` the last one, which may be cut, is left for the next piece. */
  parse(text: string, baseIndex: number, ignoreLastRow: boolean): {
    readonly data: string[][];
    readonly errors: readonly ParseError[];
    /** `cursor`: how many characters were read. */
    readonly meta: { readonly cursor: number };
  };
}

declare const Papa: {
  /** `preview`: how many rows are read. */
  readonly Parser: new (
    options: { delimiter: string; newline: string; preview?: number },
  ) => Parser;
};
export default Papa;
