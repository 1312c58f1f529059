/**
 * Prices of tokens and costs of answers.
 *
 * In: a model, its address, its usage. Out: US dollars, or undefined if the price of the teacher's
 * model is unknown. Prices are never guessed, except for a model that only a row names: it costs as
 * much as the teacher's own if its price is unknown.
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
