/**
 * What tokens cost.
 *
 * In: a model, its address, its usage. Out: US dollars, or nothing where no price is known. No price is
 * ever guessed.
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
