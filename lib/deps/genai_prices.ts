/** Public prices of models, as Pydantic keeps them. The list is in the package: no call is made. @module */

export {
  calcPrice,
  findProvider,
  type ModelPrice,
  type TieredPrices,
} from "npm:@pydantic/genai-prices@0.1.8";
