/**
 * Prices of tokens and costs of answers.
 *
 * In: a model, its address, and the usage of an answer or the size of a run. Out: US dollars,
 * undefined without a known price. If a row sets a model whose price is unknown, the price of the
 * teacher's model applies; no other price is guessed.
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
