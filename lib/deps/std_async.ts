/** Maps with bounded concurrency, from the standard library. @module */

// @ts-types="./types/std_async.d.ts"
export { pooledMap } from "npm:deno-std@1.4.0/async/pool.js";
