/** Throws `SyntaxError` with the line and column when the text is not YAML. */
export declare function parse(content: string): unknown;
