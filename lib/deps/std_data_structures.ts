/** Priority queue, from the standard library. @module */

// @ts-types="./types/std_data_structures.d.ts"
export { BinaryHeap } from "npm:deno-std@1.4.0/data_structures/binary_heap.js";
