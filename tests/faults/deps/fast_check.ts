/** Property-based testing: arbitrary values, and the smallest one that fails. @module */

export { default as fc } from "npm:fast-check@4.11.0";
