// deno-lint-ignore-file no-import-prefix -- this is where packages enter
/** SHA-256 in WebAssembly, without the package's other hashes: 0.3 MB less source. @module */

import type * as hashes from "npm:hash-wasm@4.12.0";
// @ts-types="./types/untyped_module.d.ts"
import sha256 from "npm:hash-wasm@4.12.0/dist/sha256.umd.min.js";

const { createSHA256 } = sha256 as Pick<typeof hashes, "createSHA256">;

export { createSHA256 };
