/**
 * Prices of tokens and costs of answers.
 *
 * In: a model, its address, and the usage of an answer or the size of a run. Out: US dollars;
 * undefined if the price is unknown. If a row sets a model of unknown price, the price of the
 * teacher's model applies. No other price is guessed.
 *
 * @module
 */

export {
  addRowTokenLimit,
  checkPrices,
  describeEstimate,
  type Estimate,
  estimate,
  type Prices,
  pricesOf,
  type RowTokenLimits,
} from "./prices.ts";
