/** YAML parser, from the standard library. @module */

// @ts-types="./types/std_yaml.d.ts"
export { parse } from "npm:deno-std@1.4.0/yaml/parse.js";
