/** The version of Retort. @module */

/** As in `deno.json` and the changelog. */
export const VERSION = "0.1.0";
