/** SHA-256 in WebAssembly. @module */

export { createSHA256 } from "npm:hash-wasm@4.12.0";
