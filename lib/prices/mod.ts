/**
 * Prices of tokens and costs of answers.
 *
 * In: a model, its address, its usage. Out: US dollars, or undefined if no price is known. Never
 * guesses a price.
 *
 * @module
 */

export {
  addOwnLimit,
  checkPrices,
  describeEstimate,
  type Estimate,
  estimate,
  type OwnLimits,
  type Prices,
  pricesOf,
} from "./prices.ts";
