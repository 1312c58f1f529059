/** The CSV parser that browsers and Node share. Only its incremental core is used. @module */

// @ts-types="./types/papaparse.d.ts"
export { default as Papa } from "npm:papaparse@5.7.1";
