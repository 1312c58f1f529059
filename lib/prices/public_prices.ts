/**
 * Looks up public prices, in our own list first. Loaded when a price is asked for and not before.
 *
 * @module
 */

import { genaiPrice } from "./genai_list.ts";
import { listedPrice } from "./listed_prices.ts";
import type { PublicPrice } from "./public_price.ts";

/**
 * The price of a model at an address.
 *
 * @param now Unix milliseconds.
 * @returns undefined where the address is not that of a public API, or no list knows the model.
 */
export function publicPrice(
  model: string,
  address: string,
  now?: () => number,
): PublicPrice | undefined {
  return listedPrice(model, address, now) ?? genaiPrice(model, address, now);
}
