/**
 * The tags around reasoning, as users write them: `OPEN,CLOSE`.
 *
 * @module
 */

/** What a value must be. */
export const THINK_TAGS_RULE = "an opening and a closing tag, as in <reason>,</reason>";

/** The two tags, or undefined where the text is no such pair. */
export function parseThinkTags(text: string): readonly [open: string, close: string] | undefined {
  const [open, close, ...more] = text.split(",").map((tag) => tag.trim());
  const isPair = more.length === 0 && open !== close && open !== "" && close !== undefined &&
    close !== "";
  return isPair ? [open, close] : undefined;
}
