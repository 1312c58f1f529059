/** YAML writer, from the standard library. Only code that writes manifests loads it. @module */

// @ts-types="./types/std_yaml.d.ts"
export { stringify } from "npm:deno-std@1.4.0/yaml/stringify.js";
