/** The version of Retort, as in `deno.json` and the changelog. @module */

/** Semantic version. */
export const VERSION = "0.1.0";
