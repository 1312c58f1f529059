/** undici's connection pools, for the baselines of benches. Loads all of undici. @module */

export { Agent } from "npm:undici@8.12.4";
