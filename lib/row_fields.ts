/**
 * The names that Retort writes into a line itself.
 *
 * @module
 */

/** A row's own fields of these names are moved to `distill.replaced`. */
export const RESERVED_FIELDS = [
  "uid",
  "prompt_hash",
  "response",
  "reasoning",
  "distill",
  "tool_calls",
  "final_messages",
  "error",
  "partial",
] as const;
