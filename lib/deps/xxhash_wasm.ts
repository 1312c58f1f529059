/** xxHash64 in WebAssembly. @module */

export { default as xxhash } from "npm:xxhash-wasm@1.1.0";
