/** The version of Retort. @module */

/** The version, which is the same as in `deno.json`. */
export const VERSION = "0.1.0";
