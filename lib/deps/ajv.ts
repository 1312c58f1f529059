/**
 * JSON Schema and its formats. Load this file by `import()` only: it takes 60 ms and some
 * megabytes. Both packages are in this file, because two dynamic imports of them would fail: Deno
 * 2.9.6 looks for the second package in a folder that it has not created (`ajv-formats/3.0.1_1`).
 *
 * @module
 */

export {
  Ajv as AjvDraft7,
  type ErrorObject,
  type FuncKeywordDefinition,
  type Options,
  type ValidateFunction,
} from "npm:ajv@8.20.0";
export { Ajv2019 } from "npm:ajv@8.20.0/dist/2019.js";
export { Ajv2020 } from "npm:ajv@8.20.0/dist/2020.js";
export { fullFormats } from "npm:ajv-formats@3.0.1/dist/formats.js";
