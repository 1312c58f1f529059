/** CSV parser. Only its incremental core, `Papa.Parser`, is used. @module */

// @ts-types="./types/papaparse.d.ts"
export { default as Papa } from "npm:papaparse@5.7.1";
