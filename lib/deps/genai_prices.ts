/**
 * Public prices of models, collected by Pydantic. The package contains the list: no call is made.
 * @module
 */

export { calcPrice, findProvider, type TieredPrices } from "npm:@pydantic/genai-prices@0.1.8";
