/** undici's connection pools, which benches compare with; loads all of undici. @module */

export { Agent } from "npm:undici@8.12.4";
