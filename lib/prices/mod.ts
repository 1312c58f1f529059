/**
 * Prices of tokens, and the cost of answers.
 *
 * In: a model, its address, its usage. Out: US dollars, or nothing if no price is known. It never
 * guesses a price.
 *
 * @module
 */

export {
  addOwnLimit,
  describeEstimate,
  type Estimate,
  estimate,
  type OwnLimits,
  type Range,
} from "./estimate.ts";
export { checkPrices, type Prices, pricesOf } from "./prices.ts";
