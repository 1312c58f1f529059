/** Prompt for a secret on a terminal, from the standard library. @module */

// @ts-types="./types/std_cli.d.ts"
export { promptSecret } from "npm:deno-std@1.4.0/cli/prompt_secret.js";
