/**
 * What tokens cost.
 *
 * In: a model, its address, its usage. Out: US dollars, or nothing where no price is known. No price is
 * ever guessed.
 *
 * @module
 */

export { checkPrices, type PlainRates, type Prices, pricesOf } from "./prices.ts";
