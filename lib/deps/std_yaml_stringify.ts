/** YAML from the standard library, to write it. Loaded where manifests are made. @module */

// @ts-types="./types/std_yaml.d.ts"
export { stringify } from "npm:deno-std@1.4.0/yaml/stringify.js";
